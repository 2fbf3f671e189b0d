/*
 * reclaim_small.c - RECLAIM-2x: programs that want more than the machine has, and what goes wrong meanwhile.
 *
 * For a small machine (32 MiB; the lanes reclaim-*): elsewhere they would take long to fill it, and SKIP.
 */
#define _GNU_SOURCE
#include "puppet.h"
#include "swap.h"

#include "disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL_KB (64 << 10)

static long small_machine(void)
{
	long total = meminfo_kb("MemTotal");

	if (!on_pteron() || total > SMALL_KB)
		SKIP("for a small machine");
	return total;
}

/* Every test of this kind leaves the counters sound and nothing behind. */
static void audit(const char *when)
{
	int mm = mm_open();

	if (mm < 0)
		return;
	mm_audit_clean(mm, when);
	close(mm);
}

#define HOG_STEP 64

static void hog(size_t kb)
{
	for (size_t done = 0; done < kb; done += HOG_STEP * P / 1024) {
		u8 *p = mmap(NULL, HOG_STEP * P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			_exit(0);
		for (size_t i = 0; i < HOG_STEP; i++)
			p[i * P] = 1;
	}
}

/* Done, or killed for it. */
static bool hog_ended(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		CHECK_EQ(errno, EINTR);
	CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	return status == 0;
}

static pid_t hog_start(size_t kb)
{
	pid_t pid = CHECK_OK(fork());

	if (pid)
		return pid;
	hog(kb);
	_exit(0);
}

TEST_SECONDS(oom_single, "RECLAIM-20 one hog, no swap: it is killed, and nobody else", 60)
{
	long total = small_machine(), kills = vmstat("oom_kill");

	swap_end();
	CHECK(!hog_ended(hog_start((size_t)total * 2)));
	CHECK_EQ(vmstat("oom_kill"), kills + 1);
	audit("after a hog");
}

TEST_SECONDS(oom_swap, "RECLAIM-21 one hog fits with swap, and is killed when that is full, too", 90)
{
	long total = small_machine();

	swap_begin((u32)total / 4 * 3 / 4);
	CHECK(hog_ended(hog_start((size_t)total)));
	CHECK_OP(vmstat("pswpout"), >, 0);
	CHECK(!hog_ended(hog_start((size_t)total * 3)));
	swap_end();
	audit("after a hog and swap");
}

TEST_SECONDS(oom_many, "RECLAIM-22 many hogs at once end one by one", 120)
{
	long total = small_machine();
	unsigned killed = 0;
	pid_t pid[12];

	swap_end();
	for (unsigned i = 0; i < 12; i++)
		pid[i] = hog_start((size_t)total / 4);
	for (unsigned i = 0; i < 12; i++)
		killed += !hog_ended(pid[i]);
	test_note("%u of 12 killed", killed);
	CHECK_OP(killed, >, 0);
	audit("after many hogs");
}

/* Twice as many at each step, each with more. */
static void bomb(void)
{
	for (unsigned step = 0; step < 6; step++) {
		hog(1024);
		(void)fork();
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	_exit(0);
}

TEST_SECONDS(oom_bomb, "RECLAIM-23 a fork bomb of hogs goes out", 120)
{
	pid_t pid;

	small_machine();
	swap_end();
	pid = CHECK_OK(fork());
	if (pid == 0)
		bomb();
	hog_ended(pid);
	while (waitpid(-1, NULL, 0) > 0) /* whose parents were killed are init's, not ours */
		;
	sleep_ms(500);
	audit("after a bomb");
}

/* -- more than the machine has --------------------------------------------------------------------------------------------------------------------- */

#define SETS 3
/* A set of pages of one kind, and what is in them. */
struct set {
	u8 *base;
	size_t pages;
	u32 *version; /* of each page */
};

static u64 word_of(unsigned kind, size_t i, u32 version)
{
	return ((u64)kind << 60 | (u64)i << 32 | version) * 0x9e3779b97f4a7c15ull | 1;
}

static void check_page(const struct set *s, unsigned kind, size_t i)
{
	const volatile u64 *at = (const volatile u64 *)(s->base + i * P);
	u64 want = s->version[i] ? word_of(kind, i, s->version[i]) : 0;

	for (size_t w = 0; w < P / 8; w += 73)
		if (at[w] != want)
			FAIL("set %u page %zu word %zu: %llx, not %llx (version %u)", kind, i, w, (unsigned long long)at[w],
			     (unsigned long long)want, s->version[i]);
}

static void fill_page(struct set *s, unsigned kind, size_t i)
{
	volatile u64 *at = (volatile u64 *)(s->base + i * P);
	u64 value = word_of(kind, i, ++s->version[i]);

	for (size_t w = 0; w < P / 8; w += 73)
		at[w] = value;
}

/* What the workers have seen; they share it. */
struct seen {
	unsigned writes, reads; /* requests to the swap file that failed */
};

/* Some of the anonymous pages go out, and a request that carries them fails: they stay, and nothing is lost. */
static void fail_writes(const struct set *s, int mm, size_t i, struct seen *seen)
{
	size_t first = i / 16 * 16;

	mm_fail_arm(mm, "block_write", 1);
	madvise(s->base + first * P, 16 * P, MADV_PAGEOUT);
	ADD(seen->writes, mm_fail_arm(mm, "block_write", 0).failed);
}

/* The page does not come: SIGBUS, and the next access gets it. */
static void fail_read(const struct set *s, int mm, size_t i, struct seen *seen)
{
	struct fault f;

	mm_fail_arm(mm, "block_read", 1);
	f = try_read(s->base + i * P);
	mm_fail_arm(mm, "block_read", 0);
	CHECK(f.signo == 0 || f.signo == SIGBUS);
	ADD(seen->reads, f.signo != 0);
	check_page(s, 0, i);
}

/* One worker of its own process: 0 anonymous, 1 a file's pages, 2 the same through a mosaic. */
static void work(unsigned n, size_t pages, u64 end, struct seen *seen)
{
	u32 seed = suite_seed() + n * 7919 + 1;
	struct set s[SETS];
	u64 rounds = 0;
	int mm = mm_open();

	/* The reads that are made to fail are to be those of the sets: what the program itself has touched stays. */
	CHECK_OK(mlockall(MCL_CURRENT | MCL_ONFAULT));
	CHECK_NOFAULT(try_read(&seed));
	for (unsigned kind = 0; kind < SETS; kind++) {
		char name[32];

		size_t mine = s[kind].pages = kind ? pages / 2 : 2 * pages;

		s[kind].version = calloc(mine, sizeof(u32));
		CHECK(s[kind].version);
		if (kind == 0) {
			s[kind].base = map_anon(mine, RW);
			continue;
		}
		snprintf(name, sizeof(name), "work%u.%u", n, kind);
		int fd = make_file(disk_dir(), name, 0);

		CHECK_OK(ftruncate(fd, (off_t)(mine * P)));
		s[kind].base = map_shared(fd, mine, RW);
		close(fd);
		if (kind == 2)
			for (size_t i = 0; i < mine; i++)
				CHECK_OK(rfp(s[kind].base + i * P, P, 0, mine - 1 - i, MAP_NONBLOCK));
	}
	for (size_t i = 0; i < s[0].pages; i++) /* more than there is memory, from the start */
		fill_page(&s[0], 0, i);
	while (now_ns() < end || rounds < 2 * pages) {
		unsigned kind = rnd(&seed) % 2 ? 0 : 1 + rnd(&seed) % 2;
		size_t i = rnd(&seed) % s[kind].pages;

		check_page(&s[kind], kind, i);
		if (rnd(&seed) % 2)
			fill_page(&s[kind], kind, i);
		if (rnd(&seed) % 512 == 0)
			madvise(s[kind].base + i / 16 * 16 * P, 16 * P, rnd(&seed) % 2 ? MADV_PAGEOUT : MADV_COLD);
		if (mm >= 0 && kind == 0 && rnd(&seed) % 256 == 0)
			(rnd(&seed) % 4 ? fail_read : fail_writes)(s, mm, rnd(&seed) % s[0].pages, seen);
		rounds++;
	}
	for (unsigned kind = 0; kind < SETS; kind++)
		for (size_t i = 0; i < s[kind].pages; i++)
			check_page(&s[kind], kind, i);
	_exit(0);
}

TEST_SECONDS(torture,
             "RECLAIM-24 twice the machine's memory in use: anonymous, a file's, a mosaic's, every word checked", 600)
{
	long total = small_machine();
	unsigned workers = cpu_total() < 4 ? 2 : 4;
	size_t pages = (size_t)total * 2 / 4 / workers / SETS;
	u64 end = now_ns() + suite_number("storm", 5) * 1000000000ull;
	long out = vmstat("pswpout"), scans = vmstat("pgscan_kswapd") + vmstat("pgscan_direct");
	struct seen *seen = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid[4];

	suite_seed();
	disk_dir();
	swap_begin((u32)total / 4);
	for (unsigned i = 0; i < workers; i++) {
		pid[i] = CHECK_OK(fork());
		if (pid[i] == 0)
			work(i, pages, end, seen);
	}
	for (unsigned i = 0; i < workers; i++)
		join(pid[i]);
	test_note("%u workers of 3 x %zu pages; %ld pages swapped out, %ld looked at", workers, pages,
	          vmstat("pswpout") - out, vmstat("pgscan_kswapd") + vmstat("pgscan_direct") - scans);
	test_note("%u writes and %u reads of the swap file failed", seen->writes, seen->reads);
	CHECK_OP(vmstat("pswpout"), >, out);
	swap_end();
	audit("after the torture");
}

TEST_SECONDS(reclaim_cycles, "RECLAIM-25 fork, exec, exit over and over leaves nothing behind", 900)
{
	u64 n = suite_number("cycles", 200);
	long free = 0;

	PTERON_ONLY();
	for (u64 i = 0; i < n; i++) {
		pid_t pid = CHECK_OK(fork());

		if (pid == 0) {
			close(1);
			execl("/proc/self/exe", "suite", "-l", "no such test", (char *)NULL);
			_exit(127);
		}
		CHECK_EQ(waitpid(pid, NULL, 0), pid);
		if (i == n / 4)
			free = meminfo_kb("MemFree");
	}
	CHECK_OP(meminfo_kb("MemFree"), >, free - 512);
	audit("after the cycles");
}
