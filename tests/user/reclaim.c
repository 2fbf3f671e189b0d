/*
 * reclaim.c - pages leave memory and come back: T0-12, T4-12, T1-07, mlock(2)'s limits, the order in which reclaim judges a
 * page (RF.35), and programs that want more than the machine has.
 *
 * The RECLAIM-2x are for a small machine (32 MiB; the lanes reclaim-*): elsewhere they would take long to fill it, and SKIP.
 */
#define _GNU_SOURCE
#include "puppet.h"
#include "swap.h"

#include "disk.h"
#include "kernel/uapi/edu.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SMALL_KB (64 << 10)

/* Out of memory, with what the tests themselves are done waiting for; how many of the pages are still there. */
static size_t push_out(u8 *p, size_t pages)
{
	size_t left = pages;

	for (int i = 0; i < 20 && left; i++) {
		CHECK_OK(madvise(p, pages * P, MADV_PAGEOUT));
		left = 0;
		for (size_t k = 0; k < pages; k++)
			left += resident(p + k * P) != 0;
	}
	return left;
}

/* A file on a disk with @pages tagged pages, written back. */
static int disk_file(const char *name, size_t pages)
{
	int fd = make_file(disk_dir(), name, 0);

	tag_file(fd, pages);
	CHECK_OK(fsync(fd));
	return fd;
}

/* -- files ------------------------------------------------------------------------------------------------------------------ */

#define WINDOW 32
static const int grants[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC};

static void check_grant(u8 *page, int prot, u64 value)
{
	if (prot == PROT_NONE) {
		CHECK_ACCERR(try_read(page), page);
		return;
	}
	CHECK_EQ(tag(page, 0), value);
	if (prot & PROT_WRITE)
		CHECK_NOFAULT(try_write(page + 100, 7));
	else
		CHECK_ACCERR(try_write(page + 100, 7), page + 100);
	if (prot & PROT_EXEC || !has_nx())
		CHECK_NOFAULT(try_exec(page + 8));
	else
		CHECK_FAULT(try_exec(page + 8), SIGSEGV, SEGV_ACCERR, page + 8);
}

TEST(T0_12, "T0-12 reclaim: scrambled offsets, four grants, out and in again")
{
	int fd = disk_file("mosaic", WINDOW);
	u8 ret = RET_INSN, *w;

	PTERON_ONLY();
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_EQ(pwrite(fd, &ret, 1, i * P + 8), 1);
	w = CHECK_OK(mmap(NULL, WINDOW * P, RW | PROT_EXEC, MAP_SHARED, fd, 0));
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_OK(rfp(w + i * P, P, grants[i % 4], i * 13 % WINDOW, MAP_CHGPROT));
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < WINDOW; i++)
			check_grant(w + i * P, grants[i % 4], i * 13 % WINDOW);
		CHECK_EQ(push_out(w, WINDOW), 0);
		CHECK_EQ(vma_count(w, WINDOW * P, NULL), 1);
	}
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_EQ(file_tag(fd, i), i);
	CHECK_OK(munmap(w, WINDOW * P));
	close(fd);
}

/* What was stored through scrambled entries is in the file when the pages are gone. */
TEST(T0_12b, "T0-12b reclaim writes back what was stored through a mosaic")
{
	int fd = disk_file("mosaic2", WINDOW);
	u8 *w;

	PTERON_ONLY();
	w = map_shared(fd, WINDOW, RW);
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_OK(rfp(w + i * P, P, 0, WINDOW - 1 - i, 0));
	for (u64 round = 1; round < 4; round++) {
		for (size_t i = 0; i < WINDOW; i++)
			set_tag(w, i, round << 32 | i);
		CHECK_EQ(push_out(w, WINDOW), 0);
		for (size_t i = 0; i < WINDOW; i++)
			CHECK_EQ(tag(w, i), round << 32 | i);
		for (size_t i = 0; i < WINDOW; i++)
			CHECK_EQ(file_tag(fd, WINDOW - 1 - i), round << 32 | i);
	}
	close(fd);
}

/* Used pages stay when others go: second chance. */
TEST(reclaim_cold, "RECLAIM-01 MADV_COLD and accessed bits: counted, and nothing is lost")
{
	int fd = disk_file("cold", 64);
	u8 *w = map_shared(fd, 64, RW);

	for (size_t i = 0; i < 64; i++)
		CHECK_EQ(tag(w, i), i);
	CHECK_OK(madvise(w, 64 * P, MADV_COLD));
	for (size_t i = 0; i < 64; i++) {
		CHECK_EQ(resident(w + i * P), 1);
		CHECK_EQ(tag(w, i), i);
	}
	CHECK_ERRNO(madvise(w + 64 * P, P, MADV_COLD), ENOMEM);
	CHECK_OK(mlock(w, P));
	CHECK_ERRNO(madvise(w, 64 * P, MADV_COLD), EINVAL);
	CHECK_ERRNO(madvise(w, 64 * P, MADV_PAGEOUT), EINVAL);
	CHECK_OK(munlock(w, P));
	CHECK_OK(munmap(w, 64 * P));
	close(fd);
}

/* -- T4-12 ------------------------------------------------------------------------------------------------------------------------ */

TEST(T4_12r, "T4-12r pages without any permission are resident, are reclaimed, and keep their data")
{
	u8 *p;

	swap_begin(256);
	p = map_anon(32, RW);
	swap_fill(p, 32, 9);
	CHECK_OK(mprotect(p, 32 * P, PROT_NONE));
	for (size_t i = 0; i < 32; i++)
		CHECK_EQ(resident(p + i * P), 1);
	CHECK_EQ(push_out(p, 32), 0);
	CHECK_ACCERR(try_read(p + 5 * P), p + 5 * P);
	CHECK_OK(mprotect(p, 32 * P, RW));
	swap_check(p, 32, 9);
	CHECK_OK(munmap(p, 32 * P));
	swap_end();
}

/* -- T1-07 ------------------------------------------------------------------------------------------------------------------------- */

TEST(T1_07, "T1-07 a pinned page is not swapped out; when the pin has gone it is")
{
	struct edu_pin pin = {.len = P, .flags = EDU_PIN_WRITE};
	struct edu_stat st = {0};
	struct edu_unpin un = {0};
	u64 pfn;
	u8 *p;
	int fd = open("/dev/edu", O_RDWR);

	if (fd < 0)
		SKIP("no /dev/edu");
	swap_begin(256);
	p = map_anon(4, RW);
	swap_fill(p, 4, 3);
	pin.addr = (uintptr_t)(p + P);
	CHECK_OK(ioctl(fd, EDU_IOC_PIN, &pin));
	st.addr = pin.addr;
	CHECK_OK(ioctl(fd, EDU_IOC_STAT, &st));
	pfn = st.pfn;
	CHECK_EQ(push_out(p, 4), 1);
	CHECK_EQ(resident(p + P), 1);
	st = (struct edu_stat){.addr = pin.addr};
	CHECK_OK(ioctl(fd, EDU_IOC_STAT, &st));
	CHECK(st.flags & EDU_STAT_PRESENT);
	CHECK_EQ(st.pfn, pfn);
	un.id = pin.id;
	CHECK_OK(ioctl(fd, EDU_IOC_UNPIN, &un));
	CHECK_EQ(push_out(p, 4), 0);
	swap_check(p, 4, 3);
	close(fd);
	swap_end();
}

/* -- RF.35 --------------------------------------------------------------------------------------------------------------------------- */

struct remote_store {
	u8 *to;
	u64 value;
};

static void store_remotely(void *arg)
{
	struct remote_store *s = arg;
	struct iovec from = {&s->value, 8}, to = {s->to, 8};

	CHECK_EQ(syscall(SYS_process_vm_writev, getpid(), &from, 1, &to, 1, 0), 8);
}

static void page_out(void *p)
{
	CHECK_OK(madvise(p, P, MADV_PAGEOUT));
}

/*
 * Somebody has a reference to a mapped page and is about to store through it.  Meanwhile the page is written back, so it is
 * clean; reclaim unmaps it and finds it clean.  Then he stores, marks it dirty and lets go; then reclaim goes on.
 */
TEST(reclaim_order, "RECLAIM-02 references first, then dirty: a late store through a reference is not lost")
{
	int mm = mm_need(), fd = disk_file("order", 1);
	struct puppet writer = {0}, reclaimer = {0};
	u8 *p = map_shared(fd, 1, RW);
	struct remote_store s = {.to = p, .value = 0x123456789abcdefull};

	puppet_need(2);
	puppet_start(&writer, 1);
	puppet_start(&reclaimer, 2);
	CHECK_EQ(tag(p, 0), 0);
	mm_arm(mm, "access-held", writer.tid);
	puppet_tell(&writer, store_remotely, &s);
	mm_await(mm, "access-held");
	CHECK_OK(fsync(fd));
	mm_arm(mm, "reclaim-verdict", reclaimer.tid);
	puppet_tell(&reclaimer, page_out, p);
	mm_await(mm, "reclaim-verdict");
	mm_release(mm, "access-held");
	CHECK_NOFAULT(puppet_wait(&writer));
	mm_release(mm, "reclaim-verdict");
	CHECK_NOFAULT(puppet_wait(&reclaimer));
	mm_disarm(mm, "access-held");
	mm_disarm(mm, "reclaim-verdict");
	CHECK_EQ(tag(p, 0), s.value);
	CHECK_OK(fsync(fd));
	CHECK_EQ(push_out(p, 1), 0);
	CHECK_EQ(tag(p, 0), s.value);
	puppet_stop(&writer);
	puppet_stop(&reclaimer);
	close(fd);
}

/* -- mlock(2) -------------------------------------------------------------------------------------------------------------------------- */

static void limited(void *arg)
{
	u8 *p = arg, *q;

	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){8 * P, 8 * P}));
	CHECK_OK(syscall(SYS_setuid, 1000));
	CHECK_OK(mlock(p, 8 * P));
	CHECK_OK(mlock(p, 8 * P)); /* what is locked already does not count twice */
	CHECK_ERRNO(mlock(p, 9 * P), ENOMEM);
	CHECK_ERRNO(mlockall(MCL_CURRENT), ENOMEM);
	CHECK_ERRNO((long)mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EAGAIN);
	CHECK_ERRNO((long)mremap(p, 8 * P, 9 * P, MREMAP_MAYMOVE), EAGAIN);
	CHECK_OK(munlock(p, 4 * P));
	q = CHECK_OK(mmap(NULL, 4 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0));
	CHECK_EQ(resident(q + 3 * P), 1);
	CHECK_OK(munlockall());
	CHECK_OK(mlockall(MCL_FUTURE));
	CHECK_ERRNO((long)mmap(NULL, 9 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), EAGAIN);
	q = CHECK_OK(mmap(NULL, 8 * P, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK_EQ(resident(q), 1);
	CHECK_OK(munlockall());
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0}));
	CHECK_ERRNO(mlock(p, P), EPERM);
	CHECK_ERRNO(mlockall(MCL_CURRENT), EPERM);
	CHECK_ERRNO((long)mmap(NULL, P, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0), EPERM);
	CHECK_OK(munlock(p, P));
}

TEST(mlock_limit, "mlock.limit RLIMIT_MEMLOCK: EPERM, ENOMEM, EAGAIN as on Linux")
{
	in_child(limited, map_anon(16, RW));
}

static long locked_kb(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[128];
	long kb = -1;

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %ld kB", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

TEST(mlock_onfault, "mlock.onfault MLOCK_ONFAULT locks what is there and what comes; VmLck counts")
{
	u8 *p = map_anon(16, RW);

	p[0] = 1;
	CHECK_OK(syscall(SYS_mlock2, p, 16 * P, 1));
	CHECK_EQ(locked_kb(), 64);
	CHECK_EQ(resident(p), 1);
	CHECK_EQ(resident(p + 5 * P), 0);
	CHECK_ERRNO(syscall(SYS_mlock2, p, 16 * P, 2), EINVAL);
	p[5 * P] = 1;
	CHECK_OK(munlock(p + 4 * P, 4 * P));
	CHECK_EQ(locked_kb(), 48);
	CHECK_OK(mlock(p, 16 * P));
	CHECK_EQ(resident(p + 9 * P), 1);
	CHECK_OK(munmap(p, 8 * P));
	CHECK_EQ(locked_kb(), 32);
	CHECK_OK(munlockall());
	CHECK_EQ(locked_kb(), 0);
	CHECK_ERRNO(mlockall(MCL_CURRENT | 8), EINVAL);
	CHECK_ERRNO(mlockall(MCL_ONFAULT), EINVAL);
}

/* -- /proc ---------------------------------------------------------------------------------------------------------------------------------- */

/* A line of the vma at @p in /proc/self/smaps, in kB. */
static long smaps_kb(const void *p, const char *name)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	char line[512], want[32];
	long kb = -1, v;
	bool here = false;

	CHECK(f);
	snprintf(want, sizeof(want), "%s: %%ld kB", name);
	while (fgets(line, sizeof(line), f)) {
		ulong start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= (uintptr_t)p && (uintptr_t)p < end;
		else if (here && sscanf(line, want, &v) == 1)
			kb = v;
	}
	fclose(f);
	return kb;
}

TEST(proc_smaps, "proc.smaps and pagemap tell what is where")
{
	u8 *p = map_anon(16, RW), *hole = p + 8 * P;
	int fd = CHECK_OK(open("/proc/self/pagemap", O_RDONLY));
	u64 word[16];

	for (size_t i = 0; i < 6; i++)
		p[i * P] = 1;
	CHECK_OK(mlock(p, P));
	CHECK_OK(munlock(p, P));
	CHECK_EQ(smaps_kb(p, "Size"), 64);
	CHECK_EQ(smaps_kb(p, "Rss"), 24);
	CHECK_EQ(smaps_kb(p, "Pss"), 24);
	CHECK_EQ(smaps_kb(p, "Private_Dirty"), 24);
	CHECK_EQ(smaps_kb(p, "Anonymous"), 24);
	CHECK_EQ(smaps_kb(p, "Swap"), 0);
	CHECK_EQ(pread(fd, word, sizeof(word), (off_t)((uintptr_t)p / P * 8)), (long)sizeof(word));
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(word[i] >> 63, i < 6);
	CHECK(word[0] & (1ull << 56));
	CHECK(!(word[0] & (1ull << 61)));
	CHECK_ERRNO(pread(fd, word, 7, 0), EINVAL);
	CHECK_ERRNO(pread(fd, word, 8, 4), EINVAL);
	CHECK(hole[0] == 0); /* the page of zeros: mapped, and not counted */
	CHECK_EQ(smaps_kb(p, "Rss"), 24);
	close(fd);
}

/* -- a small machine ------------------------------------------------------------------------------------------------------------------------- */

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

/* One worker of its own process: 0 anonymous, 1 a file's pages, 2 the same through a mosaic. */
static void work(unsigned n, size_t pages, u64 end)
{
	u32 seed = suite_seed() + n * 7919 + 1;
	struct set s[SETS];
	u64 rounds = 0;

	for (unsigned kind = 0; kind < SETS; kind++) {
		char name[32];

		s[kind].pages = pages;
		s[kind].version = calloc(pages, sizeof(u32));
		CHECK(s[kind].version);
		if (kind == 0) {
			s[kind].base = map_anon(pages, RW);
			continue;
		}
		snprintf(name, sizeof(name), "work%u.%u", n, kind);
		int fd = make_file(disk_dir(), name, 0);

		CHECK_OK(ftruncate(fd, (off_t)(pages * P)));
		s[kind].base = map_shared(fd, pages, RW);
		close(fd);
		if (kind == 2)
			for (size_t i = 0; i < pages; i++)
				CHECK_OK(rfp(s[kind].base + i * P, P, 0, pages - 1 - i, MAP_NONBLOCK));
	}
	while (now_ns() < end || rounds < 2 * pages) {
		unsigned kind = rnd(&seed) % SETS;
		size_t i = rnd(&seed) % pages;

		check_page(&s[kind], kind, i);
		if (rnd(&seed) % 2)
			fill_page(&s[kind], kind, i);
		if (rnd(&seed) % 512 == 0)
			madvise(s[kind].base + i / 16 * 16 * P, 16 * P, rnd(&seed) % 2 ? MADV_PAGEOUT : MADV_COLD);
		rounds++;
	}
	for (unsigned kind = 0; kind < SETS; kind++)
		for (size_t i = 0; i < pages; i++)
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
	pid_t pid[4];

	suite_seed();
	disk_dir();
	swap_begin((u32)total / 4);
	for (unsigned i = 0; i < workers; i++) {
		pid[i] = CHECK_OK(fork());
		if (pid[i] == 0)
			work(i, pages, end);
	}
	for (unsigned i = 0; i < workers; i++)
		join(pid[i]);
	test_note("%u workers of 3 x %zu pages; %ld pages swapped out, %ld looked at", workers, pages,
	          vmstat("pswpout") - out, vmstat("pgscan_kswapd") + vmstat("pgscan_direct") - scans);
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
