/*
 * debug_fail.c - failpoints: every allocation and every write of an operation may fail.  HARNESS-03 to 06.
 */
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static struct mm_fail fail_hits(int mm, const char *name)
{
	struct mm_fail f = {0};

	snprintf(f.name, sizeof(f.name), "%s", name);
	CHECK_OK(ioctl(mm, MM_IOC_FAIL_HITS, &f));
	return f;
}

TEST(harness_fail_nth, "HARNESS-03 a failpoint fails exactly the nth allocation")
{
	int mm = mm_need();
	u8 *p = map_anon(16, PROT_READ | PROT_WRITE);
	struct mm_fail f;

	p[0] = 1; /* the table is there: from here on a fault is one page_alloc() */
	/* The first round, in which nothing fails, and a failed call bring in what the program itself touches. */
	CHECK_EQ(madvise(p + 1, P, MADV_POPULATE_WRITE), -1);
	for (u64 nth = 0; nth <= 4; nth++) {
		CHECK_OK(madvise(p + P, 15 * P, MADV_DONTNEED));
		mm_fail_arm(mm, "page_alloc", nth);
		for (u64 i = 1; i <= 6; i++) {
			int r = madvise(p + i * P, P, MADV_POPULATE_WRITE);

			if ((r != 0) != (i == nth))
				FAIL("n = %llu: allocation %llu %s", (unsigned long long)nth, (unsigned long long)i,
				     r ? "failed" : "did not fail");
		}
		f = fail_hits(mm, "page_alloc");
		CHECK_EQ(f.failed, nth > 0);
		if (nth > 0)
			CHECK_EQ(f.hits, 6);
	}
	mm_fail_arm(mm, "page_alloc", 0);
	mm_audit_clean(mm, "after failed allocations");
}

/* One operation that may fail for want of memory; the result only says whether it did. */
struct attempt {
	const char *name;
	bool (*run)(void);
};

/* What the attempts work on. */
static u8 *anon, *window;
static int fd;

static bool do_mmap(void)
{
	u8 *p = mmap(NULL, 8 * P, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return false;
	return munmap(p, 8 * P) == 0;
}

static bool do_populate(void)
{
	CHECK_OK(madvise(anon, 8 * P, MADV_DONTNEED));
	return madvise(anon, 8 * P, MADV_POPULATE_WRITE) == 0;
}

static bool do_split(void)
{
	bool done = mprotect(anon + 3 * P, P, PROT_READ) == 0;

	return mprotect(anon, 8 * P, PROT_READ | PROT_WRITE) == 0 && done;
}

static bool do_hole(void)
{
	return munmap(anon + 20 * P, P) == 0 &&
	       mmap(anon + 20 * P, P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static bool do_remap(void)
{
	bool done = true;

	for (size_t i = 0; i < 8 && done; i++)
		done = rfp(window + i * P, P, PROT_READ, 7 - i, MAP_CHGPROT) == 0;
	CHECK_OK(rfp(window, 8 * P, PROT_READ | PROT_WRITE, 0, MAP_CHGPROT));
	return done;
}

static bool do_move(void)
{
	u8 *to = mremap(window, 8 * P, 16 * P, MREMAP_MAYMOVE), *back;

	if (to == MAP_FAILED)
		return false;
	back = mremap(to, 16 * P, 8 * P, MREMAP_MAYMOVE | MREMAP_FIXED, window);
	for (unsigned i = 0; back == MAP_FAILED && i < 3; i++) /* the failpoint may have hit this one */
		back = mremap(to, 16 * P, 8 * P, MREMAP_MAYMOVE | MREMAP_FIXED, window);
	CHECK(back == window);
	return true;
}

static bool do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return false;
	join(pid);
	return true;
}

static bool do_file(void)
{
	char *path = path_in("/tmp", "fail");
	int f = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	bool done = f >= 0 && pwrite(f, "x", 1, 5 * 4096) == 1;

	if (f >= 0)
		close(f);
	unlink(path);
	return done;
}

static bool do_pipe(void)
{
	int fds[2];
	bool done;

	if (pipe(fds))
		return false;
	done = write(fds[1], window, 64) == 64;
	close(fds[0]);
	close(fds[1]);
	return done;
}

static const struct attempt attempts[] = {
	{"mmap", do_mmap},   {"populate", do_populate}, {"mprotect", do_split}, {"hole", do_hole}, {"remap", do_remap},
	{"mremap", do_move}, {"fork", do_fork},         {"file", do_file},      {"pipe", do_pipe},
};

/* The attempt in a process of its own, its nth allocation failing. Returns whether it succeeded; a failed allocation in
 * a page fault kills the process, as it should. */
static bool attempt_in_child(int mm, const struct attempt *a, const char *point, u64 n, bool *failed)
{
	pid_t pid = CHECK_OK(fork());
	int status;

	if (pid == 0) {
		bool done = a->run(); /* once without: what is touched for the first time is there then */

		if (!done)
			FAIL("%s fails although no allocation did", a->name);
		mm_fail_arm(mm, point, n);
		done = a->run();
		_exit(done ? 0 : 3);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	*failed = mm_fail_arm(mm, point, 0).failed;
	if (WIFSIGNALED(status) ? !*failed || WTERMSIG(status) != SIGKILL
	                        : WEXITSTATUS(status) != 0 && (!*failed || WEXITSTATUS(status) != 3))
		FAIL("%s, allocation %llu: wait status %x, %s", a->name, (unsigned long long)n, (unsigned)status,
		     *failed ? "failed" : "nothing failed");
	return status == 0;
}

/* n = 1, 2, ... until it succeeds although nothing failed: every way out was taken. */
static void exhaust(int mm, const struct attempt *a, const char *point)
{
	u64 told = 0, n = 1;

	for (bool failed = true; failed; n++) {
		if (n > 2000)
			FAIL("%s still fails at allocation %llu", a->name, (unsigned long long)n);
		told += !attempt_in_child(mm, a, point, n, &failed);
		mm_audit_clean(mm, a->name);
	}
	test_note("%s: %s failed in %llu places, %llu told", a->name, point, (unsigned long long)n - 2,
	          (unsigned long long)told);
}

static void exhaust_all(const char *point)
{
	int mm = mm_need();

	fd = tagged_memfd(16);
	anon = map_anon(32, PROT_READ | PROT_WRITE);
	window = map_shared(fd, 8, PROT_READ | PROT_WRITE);
	memset(anon, 1, 32 * P);
	for (size_t i = 0; i < 8; i++)
		set_tag(window, i, i);
	for (size_t i = 0; i < sizeof(attempts) / sizeof(attempts[0]); i++) {
		exhaust(mm, &attempts[i], point);
	}
}

TEST_SECONDS(harness_fail_slab, "HARNESS-04 every slab allocation of an operation may fail", 120)
{
	exhaust_all("slab_alloc");
}

TEST_SECONDS(harness_fail_page, "HARNESS-05 every page allocation of an operation may fail", 120)
{
	exhaust_all("page_alloc");
}

TEST(harness_fail_io, "HARNESS-06 a failed write is told once and tried again")
{
	int mm = mm_need();
	int fd = make_file(disk_dir(), "io", 0);
	u8 *window;

	tag_file(fd, 4);
	CHECK_OK(fsync(fd));
	window = map_shared(fd, 4, PROT_READ | PROT_WRITE);
	set_tag(window, 2, 99);
	mm_fail_arm(mm, "block_write", 1);
	CHECK_ERRNO(msync(window, 4 * P, MS_SYNC), EIO);
	CHECK_EQ(mm_fail_arm(mm, "block_write", 0).failed, 1);
	mm_audit_clean(mm, "after a failed write");
	CHECK_OK(msync(window, 4 * P, MS_SYNC));
	CHECK_EQ(mm_fail_arm(mm, "block_write", 0).failed, 0);
	CHECK_EQ(file_tag(fd, 2), 99);
	mm_audit_clean(mm, "after the second attempt");
}
