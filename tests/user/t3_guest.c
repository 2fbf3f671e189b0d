/*
 * t3_guest.c - a virtual machine as a secondary MMU: its memory is ours, and comes and goes under it (thread 3's own customer).
 *
 * The guest is the 32-bit code below, without paging, loaded at guest-physical 0x1000; ports tell what it wants.
 */
#define _GNU_SOURCE
#include "puppet.h"
#include "kernel/uapi/vmm.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define PAGES 64
#define ENTRY 0x1000

/*
 * eax on entry says what to do:
 *   0  say "guest" by port 0xe9, then call us
 *   1  add up the first word of each page from ebx on, ecx pages; the sum in edx; call
 *   2  store ebx into word 1 of each of the ecx pages from edi on; halt
 *   3  for ever: load word 0 of the ecx pages from edi on into the word at esi, one after the other, without leaving
 *   4  what it may not do: wrmsr
 *   5  crash: no interrupt table
 *   6  read the port ebx into eax; halt
 */
extern const char guest_begin[], guest_end[];
__asm__(".pushsection .rodata\n"
        ".code32\n"
        "guest_begin:\n"
        "	cmpl $0, %eax; je 10f\n"
        "	cmpl $1, %eax; je 11f\n"
        "	cmpl $2, %eax; je 12f\n"
        "	cmpl $3, %eax; je 13f\n"
        "	cmpl $4, %eax; je 14f\n"
        "	cmpl $6, %eax; je 16f\n"
        "	ud2\n"
        "10:	movl $0x1000, %esi\n"
        "	addl $(99f - guest_begin), %esi\n"
        "1:	movb (%esi), %al\n"
        "	testb %al, %al; jz 2f\n"
        "	movl $0xe9, %edx\n"
        "	outb %al, %dx\n"
        "	incl %esi; jmp 1b\n"
        "2:	.byte 0x0f, 0x01, 0xd9\n" /* vmmcall */
        "11:	xorl %edx, %edx\n"
        "1:	addl (%ebx), %edx\n"
        "	addl $4096, %ebx\n"
        "	decl %ecx; jnz 1b\n"
        "	.byte 0x0f, 0x01, 0xd9\n"
        "12:	movl %ebx, 4(%edi)\n"
        "	addl $4096, %edi\n"
        "	decl %ecx; jnz 12b\n"
        "	hlt\n"
        "13:	movl %edi, %ebp; movl %ecx, %edx\n"
        "1:	movl (%ebp), %eax\n"
        "	movl %eax, (%esi)\n"
        "	addl $4096, %ebp\n"
        "	decl %edx; jnz 1b\n"
        "	jmp 13b\n"
        "14:	xorl %ecx, %ecx; wrmsr\n"
        "16:	movl %ebx, %edx; inb %dx, %al\n"
        "	hlt\n"
        "99:	.asciz \"guest\"\n"
        "guest_end:\n"
#ifdef __x86_64__
        ".code64\n"
#endif
        ".popsection\n");

struct vm {
	int fd;
	u8 *mem;
};

static int vmm_open(void)
{
	int fd = open("/dev/vmm", O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		SKIP("no /dev/vmm");
	return CHECK_OK(fd);
}

static struct vm vm_make(void)
{
	struct vm v = {.fd = vmm_open(), .mem = map_anon(PAGES, RW)};
	struct vmm_create c = {.addr = (uintptr_t)v.mem, .size = PAGES * P};

	memcpy(v.mem + ENTRY, guest_begin, (size_t)(guest_end - guest_begin));
	CHECK_OK(ioctl(v.fd, VMM_IOC_CREATE, &c));
	return v;
}

/* Again after a signal that was only to be noticed. */
static int vm_run(const struct vm *v, struct vmm_run *r)
{
	int err;

	while ((err = ioctl(v->fd, VMM_IOC_RUN, r)) && errno == EINTR)
		;
	return err;
}

static struct vmm_run vm_do(const struct vm *v, struct vmm_run r, u64 exit)
{
	r.ip = ENTRY;
	r.sp = ENTRY;
	CHECK_OK(vm_run(v, &r));
	CHECK_EQ(r.exit, exit);
	return r;
}

static struct vmm_stat vm_stat(const struct vm *v)
{
	struct vmm_stat st = {0};

	CHECK_OK(ioctl(v->fd, VMM_IOC_STAT, &st));
	return st;
}

static volatile u32 *vm_word(const struct vm *v, size_t page)
{
	return (volatile u32 *)(v->mem + page * P);
}

TEST(guest_boots, "T3-30 a guest runs in our memory")
{
	struct vm v = vm_make();
	char said[16] = "";
	size_t n = 0;
	struct vmm_run r = vm_do(&v, (struct vmm_run){.ax = 0}, VMM_EXIT_IO);

	while (r.exit == VMM_EXIT_IO && n < sizeof(said) - 1) {
		CHECK_EQ(r.port, 0xe9);
		CHECK_EQ(r.width, 1);
		CHECK_EQ(r.out, 1);
		said[n++] = (char)r.ax;
		CHECK_OK(vm_run(&v, &r));
	}
	CHECK_EQ(r.exit, VMM_EXIT_CALL);
	CHECK(!strcmp(said, "guest"));
	CHECK_EQ(vm_stat(&v).translations, 1); /* what it has touched */
	for (u32 i = 2; i < PAGES; i++)
		*vm_word(&v, i) = i;
	r = vm_do(&v, (struct vmm_run){.ax = 1, .bx = 2 * P, .cx = PAGES - 2}, VMM_EXIT_CALL);
	CHECK_EQ(r.dx, PAGES * (PAGES - 1) / 2 - 1);
	CHECK_EQ(vm_stat(&v).translations, PAGES - 1);
	vm_do(&v, (struct vmm_run){.ax = 2, .bx = 0xabcd, .di = 8 * P, .cx = 8}, VMM_EXIT_HALT);
	for (u32 i = 0; i < PAGES; i++)
		CHECK_EQ(vm_word(&v, i)[1], i >= 8 && i < 16 ? 0xabcd : i == 1 ? vm_word(&v, 1)[1] : 0);
	r = vm_do(&v, (struct vmm_run){.ax = 6, .bx = 0x60}, VMM_EXIT_IO);
	CHECK_EQ(r.out, 0);
	CHECK_EQ(r.port, 0x60);
	r.ax = 0x77;
	CHECK_OK(vm_run(&v, &r));
	CHECK_EQ(r.exit, VMM_EXIT_HALT);
	CHECK_EQ(r.ax, 0x77);
}

TEST(guest_memory, "T3-31 the guest sees what becomes of our memory")
{
	struct vm v = vm_make();
	int fd = tagged_memfd(4);
	struct vmm_run r;

	for (u32 i = 2; i < PAGES; i++)
		*vm_word(&v, i) = 1;
	CHECK_EQ(vm_do(&v, (struct vmm_run){.ax = 1, .bx = 2 * P, .cx = 10}, VMM_EXIT_CALL).dx, 10);
	CHECK_OK(madvise(v.mem + 4 * P, 3 * P, MADV_DONTNEED));
	CHECK_EQ(vm_do(&v, (struct vmm_run){.ax = 1, .bx = 2 * P, .cx = 10}, VMM_EXIT_CALL).dx, 7);
	CHECK_OK(mmap(v.mem + 4 * P, 4 * P, RW, MAP_SHARED | MAP_FIXED, fd, 0)); /* tags 0 1 2 3 */
	CHECK_EQ(vm_do(&v, (struct vmm_run){.ax = 1, .bx = 2 * P, .cx = 10}, VMM_EXIT_CALL).dx, 6 + 6);
	if (on_pteron()) {
		CHECK_OK(rfp(v.mem + 4 * P, P, 0, 3, 0));
		CHECK_EQ(vm_do(&v, (struct vmm_run){.ax = 1, .bx = 4 * P, .cx = 4}, VMM_EXIT_CALL).dx, 9);
	}
	CHECK_OK(ftruncate(fd, 2 * P)); /* by file: the guest's accesses beyond fail as ours would */
	r = (struct vmm_run){.ax = 1, .bx = 6 * P, .cx = 1, .ip = ENTRY};
	CHECK_ERRNO(vm_run(&v, &r), EFAULT);
	CHECK_OK(mprotect(v.mem + 20 * P, P, PROT_READ));
	r = (struct vmm_run){.ax = 2, .bx = 5, .di = 20 * P, .cx = 1, .ip = ENTRY};
	CHECK_ERRNO(vm_run(&v, &r), EFAULT);
	CHECK_OK(mprotect(v.mem + 20 * P, P, RW));
	CHECK_OK(vm_run(&v, &r)); /* from where it stopped */
	CHECK_EQ(r.exit, VMM_EXIT_HALT);
	CHECK_EQ(vm_word(&v, 20)[1], 5);
	r = vm_do(&v, (struct vmm_run){.ax = 1, .bx = PAGES * P, .cx = 1}, VMM_EXIT_MEMORY);
	CHECK_EQ(r.address, PAGES * P);
}

TEST(guest_bad, "T3-32 bad guests and bad input")
{
	struct vm v = vm_make(), w = vm_make();
	struct vmm_create c = {.addr = (uintptr_t)v.mem, .size = PAGES * P};
	struct vmm_run r = {.ip = ENTRY};
	int fd = vmm_open();

	CHECK_EQ(vm_do(&v, (struct vmm_run){.ax = 4}, VMM_EXIT_OTHER).address, 0x7c);
	CHECK_ERRNO(ioctl(v.fd, VMM_IOC_RUN, &r), ENODEV);
	vm_do(&w, (struct vmm_run){.ax = 5}, VMM_EXIT_SHUTDOWN);
	CHECK_ERRNO(ioctl(w.fd, VMM_IOC_RUN, &r), ENODEV);
	CHECK_ERRNO(ioctl(w.fd, VMM_IOC_CREATE, &c), EBUSY);
	CHECK_ERRNO(ioctl(fd, VMM_IOC_RUN, &r), ENODEV);
	c.size = P + 1;
	CHECK_ERRNO(ioctl(fd, VMM_IOC_CREATE, &c), EINVAL);
	c.size = 0;
	CHECK_ERRNO(ioctl(fd, VMM_IOC_CREATE, &c), EINVAL);
	c.size = VMM_SIZE_MAX + P;
	CHECK_ERRNO(ioctl(fd, VMM_IOC_CREATE, &c), EINVAL);
	c = (struct vmm_create){.addr = ~0ull & ~(P - 1), .size = P};
	CHECK_ERRNO(ioctl(fd, VMM_IOC_CREATE, &c), EINVAL);
	CHECK_ERRNO(ioctl(fd, VMM_IOC_RUN, 8), EFAULT);
	CHECK_ERRNO(ioctl(fd, 0x5656, 0), ENOTTY);
}

/* -- while it runs ------------------------------------------------------------------------------------------------------------- */

static void run_for_ever(void *arg)
{
	const struct vm *v = arg;
	struct vmm_run r = {.ax = 3, .di = 8 * P, .si = 2 * P, .cx = 8, .ip = ENTRY};

	ioctl(v->fd, VMM_IOC_RUN, &r); /* until it is killed */
}

/* It never leaves by itself: it must not hold up anybody, see a frame that is somebody else's, or survive a kill. */
TEST_SECONDS(guest_runs_on, "T3-33 memory is taken from a guest that runs", 120)
{
	struct vm v;
	pid_t pid;
	u64 end;
	u32 rounds = 0;

	close(vmm_open());
	if (cpu_total() < 2)
		SKIP("needs 2 CPUs");
	pid = CHECK_OK(fork());
	if (pid == 0) {
		struct puppet p = {0};

		v = vm_make();
		for (u32 i = 8; i < 16; i++)
			*vm_word(&v, i) = 0x1000;
		puppet_start(&p, 1);
		puppet_tell(&p, run_for_ever, &v);
		SPIN_UNTIL(LOAD(*vm_word(&v, 2)) == 0x1000);
		end = race_end(1500);
		while (race_on(end, rounds)) {
			u32 now = 0x1001 + rounds++ % 0x1000000, seen;

			CHECK_OK(madvise(v.mem + 8 * P, 8 * P, MADV_DONTNEED));
			for (u32 i = 8; i < 16; i++)
				*vm_word(&v, i) = now;
			SPIN_UNTIL((seen = LOAD(*vm_word(&v, 2))) == now || (seen != 0 && seen != now - 1));
			if (seen != now)
				FAIL("round %u: the guest saw %#x", rounds, seen);
		}
		test_note("%u rounds", rounds);
		_exit(0); /* with the guest running */
	}
	join(pid);
}
