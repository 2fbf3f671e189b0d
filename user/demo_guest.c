/*
 * demo_guest.c - `demo guest`: a tiny guest in a virtual machine whose memory is ours and is taken away under it.
 *
 * The guest (32-bit code, no paging) says a line by port 0xe9, stores its own address into each page of its memory, and then adds up
 * what is in all of them.  In between the host drops half of them and gives some other pages of a file: the guest sees both.
 */
#define _GNU_SOURCE
#include "kernel/uapi/vmm.h"
#include "user/demo.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define PAGES 256ul
#define ENTRY 0x1000

extern const char demo_guest_begin[], demo_guest_end[];
__asm__(".pushsection .rodata\n"
        ".code32\n"
        "demo_guest_begin:\n"
        "	movl $0x1000, %esi\n"
        "	addl $(99f - demo_guest_begin), %esi\n"
        "1:	movb (%esi), %al\n"
        "	testb %al, %al; jz 2f\n"
        "	movl $0xe9, %edx\n"
        "	outb %al, %dx\n"
        "	incl %esi; jmp 1b\n"
        "2:	movl $0x2000, %edi\n"
        "1:	movl %edi, (%edi)\n"
        "	addl $4096, %edi\n"
        "	cmpl $0x100000, %edi; jb 1b\n"
        "3:	.byte 0x0f, 0x01, 0xd9\n" /* vmmcall: what now? */
        "	movl $0x2000, %edi; xorl %ebx, %ebx; xorl %ecx, %ecx; xorl %edx, %edx\n"
        "1:	movl (%edi), %eax\n"
        "	cmpl %edi, %eax; jne 4f; incl %ebx; jmp 6f\n"  /* ebx: as it left them */
        "4:	testl %eax, %eax; jnz 5f; incl %ecx; jmp 6f\n" /* ecx: empty */
        "5:	incl %edx\n"                                   /* edx: something else */
        "6:	addl $4096, %edi\n"
        "	cmpl $0x100000, %edi; jb 1b\n"
        "	jmp 3b\n"
        "99:	.asciz \"hello from the guest\\n\"\n"
        "demo_guest_end:\n"
#ifdef __x86_64__
        ".code64\n"
#endif
        ".popsection\n");

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct vmm_stat stat_of(int fd)
{
	struct vmm_stat st = {0};

	if (ioctl(fd, VMM_IOC_STAT, &st))
		fail("stat");
	return st;
}

/* Until the guest asks what to do. */
static void run(int fd, struct vmm_run *r)
{
	do {
		if (ioctl(fd, VMM_IOC_RUN, r))
			fail("run");
		if (r->exit == VMM_EXIT_IO && r->port == 0xe9)
			putchar((int)r->ax & 0xff);
		else if (r->exit != VMM_EXIT_CALL)
			exit(1);
	} while (r->exit != VMM_EXIT_CALL);
}

static void look(int fd, struct vmm_run *r, const char *what)
{
	struct vmm_stat st = stat_of(fd);

	printf("%s: %llu of its pages translated\n", what, (unsigned long long)st.translations);
	run(fd, r);
	st = stat_of(fd);
	printf(
		"  the guest finds %llu pages as it left them, %llu empty, %llu with something else; %llu translated again\n",
		(unsigned long long)r->bx, (unsigned long long)r->cx, (unsigned long long)r->dx,
		(unsigned long long)st.translations);
}

/* Four pages of a file that has something else in them. */
static void map_other(uint8_t *at)
{
	int fd = memfd_create("other", 0);
	uint64_t word = 0x1234;

	if (fd < 0 || ftruncate(fd, 4 * PAGE))
		fail("memfd");
	for (off_t i = 0; i < 4; i++)
		if (pwrite(fd, &word, sizeof(word), i * (off_t)PAGE) != sizeof(word))
			fail("pwrite");
	if (mmap(at, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
		fail("mmap");
}

int demo_guest(int argc, char **argv)
{
	int fd = open("/dev/vmm", O_RDWR);
	uint8_t *mem = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct vmm_create c = {.addr = (uintptr_t)mem, .size = PAGES * PAGE};
	struct vmm_run r = {.ip = ENTRY};
	struct vmm_stat st;

	(void)argc, (void)argv;
	if (fd < 0) {
		fprintf(stderr, "no /dev/vmm: this needs a 64-bit kernel and a processor with SVM\n");
		return 1;
	}
	memcpy(mem + ENTRY, demo_guest_begin, (size_t)(demo_guest_end - demo_guest_begin));
	if (mem == MAP_FAILED || ioctl(fd, VMM_IOC_CREATE, &c))
		fail("create");
	run(fd, &r);
	look(fd, &r, "it has stored to all of them");
	madvise(mem + 128 * PAGE, 128 * PAGE, MADV_DONTNEED);
	look(fd, &r, "half of them dropped");
	map_other(mem + 16 * PAGE);
	look(fd, &r, "four replaced by a file's");
	st = stat_of(fd);
	printf("%llu entries into the guest, %llu faults, %llu invalidations, no page pinned\n",
	       (unsigned long long)st.entries, (unsigned long long)st.faults, (unsigned long long)st.invalidations);
	return 0;
}
