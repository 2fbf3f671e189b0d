/*
 * t0_guest.c - T0-28: a user-mode kernel's guest, whose MMU is one window of remapped pages (user/umk.h).
 *
 * suite.guest=N on the kernel's command line: N operations instead of the few of a default run.
 */
#define _GNU_SOURCE
#include "test.h"
#include "user/umk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FEW 12000ul

/* The number behind @word of the kernel's command line, or @otherwise. */
static unsigned long cmdline_number(const char *word, unsigned long otherwise)
{
	char text[1024];
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *at;

	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	at = strstr(text, word);
	return at && on_pteron() ? strtoul(at + strlen(word), NULL, 10) : otherwise;
}

static void run(const struct window_ops *ops)
{
	struct umk_result r;
	u32 seed = (u32)cmdline_number("suite.seed=", 1);

	if (!umk_run(ops, cmdline_number("suite.guest=", FEW), seed, &r))
		SKIP("this kernel has no such call");
	test_note("%lu operations, %lu faults, %lu pages shown, %lu hidden, %u to %u vmas", r.ops, mmu_counts.faults,
	          mmu_counts.filled, mmu_counts.invalidated, r.vmas_least, r.vmas_most);
	if (r.mismatches)
		FAIL("%lu mismatches, seed %u: %s", r.mismatches, seed, r.first);
	CHECK_OP(mmu_counts.filled, >, r.ops / 20); /* the workload is one */
	CHECK_OP(r.switches, >, 0);
	if (ops != &window_mmap) {
		CHECK_EQ(r.vmas_least, 1);
		CHECK_EQ(r.vmas_most, 1);
	}
}

TEST_SECONDS(T0_28, "T0-28 guest MMU", 1200)
{
	PTERON_ONLY();
	run(&window_remap);
}

TEST_SECONDS(T0_28v, "T0-28v guest MMU, context switches by remap_vector", 1200)
{
	PTERON_ONLY();
	run(&window_vector);
}

TEST_SECONDS(T0_28m, "T0-28m guest MMU, mmap and mprotect", 1200)
{
	run(&window_mmap);
}

/* -- what the kernel says of the window is what the MMU thinks it did ---------------------------------------------------- */

static unsigned judged;

static void judge_page(unsigned page, const char *prot, unsigned long long offset)
{
	unsigned frame;
	int allowed;
	bool cached = mmu_cached(page, &frame, &allowed);

	if (!cached)
		allowed = PROT_NONE, frame = page;
	if ((prot[0] == 'r') != !!(allowed & PROT_READ) || (prot[1] == 'w') != !!(allowed & PROT_WRITE))
		FAIL("page %u is %s, the MMU has %d", page, prot, allowed);
	CHECK_EQ(offset, (u64)frame * P);
	judged++;
}

/* One line of /proc/self/ptes, if it is of the window. */
static void judge_line(const char *line)
{
	unsigned long long offset = 0;
	char prot[8], sign = 0;
	ulong start, end;

	if (sscanf(line, "%lx-%lx %*u %*s %7s %*s %*u %llx%c", &start, &end, prot, &offset, &sign) < 4)
		return;
	for (ulong at = start; at < end; at += P, offset += sign == '+' ? P : sign == '-' ? -P : 0)
		if (at >= (ulong)window && at < (ulong)window + GUEST_PAGES * P)
			judge_page((unsigned)((at - (ulong)window) / P), prot, offset);
}

TEST(T0_28p, "T0-28p the decoded view is what the guest's MMU has")
{
	struct umk_result r = {0};
	char line[256];
	FILE *f;

	PTERON_ONLY();
	CHECK(umk_begin(&window_remap, 3));
	umk_operations(3000, &r);
	f = fopen("/proc/self/ptes", "r");
	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		judge_line(line);
	fclose(f);
	CHECK_EQ(judged, GUEST_PAGES);
	umk_end(&r);
	if (r.mismatches)
		FAIL("%s", r.first);
}
