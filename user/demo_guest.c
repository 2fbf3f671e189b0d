/*
 * demo_guest.c - `demo guest`: a guest system in a virtual machine, whose memory is this program's and pinned nowhere.
 *
 * While the guest adds up its memory again and again, the program throws pages of it away under its feet: each comes back
 * as the program's own would, and the sum is always right.
 */
#define _GNU_SOURCE
#include "user/demo.h"
#include "user/guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PAGE 4096ul
#define PAGES 1024ul
#define GPA 0x400000ul
#define WORDS (PAGES * PAGE / 8)

/* Run it, its port being our standard output, until it halts. */
static int run(struct guest *g)
{
	struct vmm_run r = {0};

	do {
		int err = vm_run(g, &r);

		if (err && err != EINTR)
			return err;
		if (!err && r.reason == VMM_EXIT_OUT && r.port == GUEST_PORT)
			putchar((int)r.value);
	} while (r.reason != VMM_EXIT_HALT);
	return 0;
}

static uint64_t ask(struct guest *g, enum guest_command command, uint64_t c)
{
	vm_tell(g, command, GPA, WORDS, c);
	if (run(g))
		return 0;
	return g->mail->result;
}

static void show(struct guest *g, const char *when)
{
	struct vmm_stat st = {0};

	ioctl(g->fd, VMM_IOC_STAT, &st);
	printf("%-22s %5llu faults, %5llu translations now, %4llu flushes, %3llu pages of nested tables\n", when,
	       (unsigned long long)st.faults, (unsigned long long)st.sptes, (unsigned long long)st.flushes,
	       (unsigned long long)st.tables);
}

static int show_all(struct guest *g, uint64_t *memory)
{
	uint64_t want = WORDS * (WORDS - 1) / 2, lost = 0, sum;

	for (uint64_t i = 0; i < WORDS; i++)
		memory[i] = i;
	show(g, "before");
	sum = ask(g, GUEST_SUM, 0);
	printf("the guest adds up what we stored: %s\n", sum == want ? "right" : "WRONG");
	show(g, "after");
	for (unsigned long page = 0; page < PAGES; page += 2) {
		madvise((char *)memory + page * PAGE, PAGE, MADV_DONTNEED);
		for (unsigned long i = 0; i < PAGE / 8; i++)
			lost += page * PAGE / 8 + i;
	}
	show(g, "half thrown away");
	printf("and again: %s\n", ask(g, GUEST_SUM, 0) == want - lost ? "right, zeros where we threw away" : "WRONG");
	ask(g, GUEST_FILL, 7);
	for (uint64_t i = 0; i < WORDS; i++)
		if (memory[i] != 7 + i)
			return 1;
	puts("what the guest stores, we see");
	show(g, "at the end");
	return 0;
}

int demo_guest(int argc, char **argv)
{
	uint64_t *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct guest g;
	int err, status;

	(void)argc;
	(void)argv;
	err = memory == MAP_FAILED ? ENOMEM : vm_boot(&g);

	if (err) {
		fprintf(stderr, "no guest: %s\n", strerror(err));
		return 1;
	}
	err = vm_map(&g, GPA, memory, PAGES * PAGE, 0);
	vm_tell(&g, GUEST_HELLO, 0, 0, 0);
	status = err || run(&g) || show_all(&g, memory);
	vm_end(&g);
	return status;
}
