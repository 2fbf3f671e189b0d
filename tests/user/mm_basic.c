/*
 * mm_basic.c - anonymous memory: demand-zero, brk, munmap, mprotect, madvise, mremap, the stack.
 */
#define _GNU_SOURCE
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

TEST(mm_zero, "mm.zero fresh memory is zero, page by page")
{
	const size_t n = 256;
	u8 *p = map_anon(n, RW);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < P; j += 8)
			CHECK_EQ(*(u64 *)(p + i * P + j), 0);
	memset(p, 0xab, n * P);
	CHECK_OK(munmap(p, n * P));
	p = map_anon(n, RW);
	for (size_t j = 0; j < n * P; j += 8)
		CHECK_EQ(*(u64 *)(p + j), 0);
}

TEST(mm_zero_read, "mm.zeropage read first, then write")
{
	u8 *p = map_anon(8, RW);

	for (int i = 0; i < 8; i++)
		CHECK_EQ(p[i * P], 0);
	for (int i = 0; i < 8; i += 2)
		p[i * P] = 7;
	for (int i = 0; i < 8; i++)
		CHECK_EQ(p[i * P], i % 2 ? 0 : 7);
}

TEST(mm_brk, "mm.brk grows, shrinks and comes back zero")
{
	u8 *start = CHECK_OK(sbrk(0)), *base = (u8 *)(((uintptr_t)start + P - 1) & ~(uintptr_t)(P - 1));

	CHECK_OK(brk(base + 10 * P));
	memset(base, 0x55, 10 * P);
	CHECK_OK(brk(base + 2 * P));
	CHECK_MAPERR(try_read(base + 3 * P), base + 3 * P);
	CHECK_EQ(base[P], 0x55);
	CHECK_OK(brk(base + 10 * P + 100));
	CHECK_EQ(base[5 * P], 0);
	CHECK_NOFAULT(try_write(base + 10 * P + 4000, 1));
	/* The raw call returns the current break when it fails. */
	CHECK_EQ(syscall(SYS_brk, 0), (long)(base + 10 * P + 100));
	CHECK_EQ(syscall(SYS_brk, (long)0x1000), (long)(base + 10 * P + 100));
	CHECK_EQ(syscall(SYS_brk, -1L), (long)(base + 10 * P + 100));
}

TEST(mm_split, "mm.munmap splits")
{
	u8 *p = map_anon(9, RW);

	for (int i = 0; i < 9; i++)
		p[i * P] = (u8)i;
	CHECK_OK(munmap(p + 3 * P, 3 * P));
	for (int i = 0; i < 9; i++) {
		if (i >= 3 && i < 6)
			CHECK_MAPERR(try_read(p + i * P), p + i * P);
		else
			CHECK_EQ(p[i * P], i);
	}
	CHECK_EQ(vma_count(p + 3 * P, 3 * P, NULL), 0);
	CHECK_OK(munmap(p, 9 * P)); /* holes are fine */
	CHECK_EQ(vma_count(p, 9 * P, NULL), 0);
	CHECK_OK(munmap(p, 9 * P));
}

TEST(mm_munmap_err, "mm.munmap errors")
{
	u8 *p = map_anon(2, RW);

	CHECK_ERRNO(munmap(p + 1, P), EINVAL);
	CHECK_ERRNO(munmap(p, 0), EINVAL);
	CHECK_ERRNO(munmap((void *)~(P - 1), 2 * P), EINVAL);
	CHECK_ERRNO(munmap(p, ~(size_t)0), EINVAL);
	CHECK_OK(munmap(p, 1)); /* rounded up */
	CHECK_MAPERR(try_read(p), p);
	CHECK_NOFAULT(try_write(p + P, 1));
}

static void expect_vma(u8 *p, size_t first, size_t end, const char *perms)
{
	char got[5];
	ulong start, stop;

	for (size_t i = first; i < end; i++) {
		CHECK(vma_at(p + i * P, got, NULL, &start, &stop));
		CHECK(!strcmp(got, perms));
	}
	CHECK_EQ(start, (ulong)(p + first * P));
	CHECK_EQ(stop, (ulong)(p + end * P));
}

TEST(mm_protect_split, "mm.mprotect splits and merges, seen in maps")
{
	u8 *p = CHECK_OK(mmap(NULL, 12 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	p += P; /* a PROT_NONE page on both sides: nothing else merges with ours */
	CHECK_OK(mprotect(p, 10 * P, RW));
	expect_vma(p, 0, 10, "rw-p");
	memset(p, 3, 10 * P);
	CHECK_OK(mprotect(p + 4 * P, 2 * P, PROT_READ));
	expect_vma(p, 0, 4, "rw-p");
	expect_vma(p, 4, 6, "r--p");
	expect_vma(p, 6, 10, "rw-p");
	CHECK_EQ(vma_count(p, 10 * P, NULL), 3);
	CHECK_ACCERR(try_write(p + 5 * P, 1), p + 5 * P);
	CHECK_OK(mprotect(p + 4 * P, 2 * P, RW));
	CHECK_EQ(vma_count(p, 10 * P, NULL), 1);
	expect_vma(p, 0, 10, "rw-p");
	CHECK_NOFAULT(try_write(p + 5 * P, 1));
	CHECK_OK(mprotect(p, P, PROT_READ | PROT_EXEC));
	expect_vma(p, 0, 1, "r-xp");
	CHECK_OK(mprotect(p + 9 * P, P, PROT_NONE));
	CHECK_EQ(p[8 * P], 3);
	CHECK_ACCERR(try_read(p + 9 * P), p + 9 * P);
}

TEST(mm_protect_err, "mm.mprotect errors")
{
	u8 *p = map_anon(4, RW);
	int fd = tagged_memfd(1);

	CHECK_ERRNO(mprotect(p + 1, P, PROT_READ), EINVAL);
	CHECK_ERRNO(mprotect(p, P, 0x100), EINVAL);
	CHECK_OK(mprotect(p, 0, PROT_READ));
	CHECK_NOFAULT(try_write(p, 1));
	CHECK_OK(munmap(p + 2 * P, P));
	CHECK_ERRNO(mprotect(p, 4 * P, PROT_READ), ENOMEM);
	CHECK_ERRNO(mprotect(p + 2 * P, P, PROT_READ), ENOMEM);
	CHECK_ERRNO(mprotect(p, (size_t)0 - P, PROT_READ), ENOMEM);
	(void)fd;
}

TEST(mm_dontneed, "mm.madvise DONTNEED")
{
	u8 *p = map_anon(6, RW);

	memset(p, 9, 6 * P);
	CHECK_OK(madvise(p + P, 2 * P, MADV_DONTNEED));
	CHECK_EQ(p[0], 9);
	CHECK_EQ(p[P], 0);
	CHECK_EQ(p[2 * P + 5], 0);
	CHECK_EQ(p[3 * P], 9);
	p[P] = 4;
	CHECK_EQ(p[P], 4);
	CHECK_ERRNO(madvise(p + 1, P, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(p, P, 12345), EINVAL);
	CHECK_OK(madvise(p, 0, MADV_DONTNEED));
	CHECK_OK(munmap(p + 4 * P, P));
	CHECK_ERRNO(madvise(p + 3 * P, 3 * P, MADV_DONTNEED), ENOMEM);
	CHECK_EQ(p[3 * P], 0); /* the mapped parts were done all the same */
	CHECK_EQ(p[5 * P], 0);
}

TEST(mm_mremap, "mm.mremap")
{
	u8 *p = map_anon(8, RW), *q;

	for (int i = 0; i < 8; i++)
		p[i * P] = (u8)(i + 1);
	CHECK(mremap(p, 8 * P, 4 * P, 0) == p);
	CHECK_MAPERR(try_read(p + 4 * P), p + 4 * P);
	CHECK(mremap(p, 4 * P, 8 * P, 0) == p); /* in place: the room is free */
	CHECK_EQ(p[5 * P], 0);
	q = map_anon(4, RW);
	q[0] = 99;
	CHECK(mremap(p, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(q[i * P], i + 1);
	CHECK_MAPERR(try_read(p), p);
	CHECK_EQ(p[4 * P], 0);
	CHECK_ERRNO(mremap(q + 1, P, P, 0), EINVAL);
	CHECK_ERRNO(mremap(q, P, 0, 0), EINVAL);
	CHECK_ERRNO(mremap(q, P, P, 0x80), EINVAL);
	CHECK_ERRNO(mremap(p, P, 2 * P, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO(mremap(q, P, P, MREMAP_FIXED, p), EINVAL);
	CHECK_ERRNO(mremap(q, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, q + P), EINVAL); /* overlap */
	CHECK(mremap(q, 2 * P, (size_t)0 - 2 * P, MREMAP_MAYMOVE) == MAP_FAILED && (errno == ENOMEM || errno == EINVAL));
}

TEST(mm_stack, "mm.stack grows, guard stops it")
{
	volatile u8 deep[256 << 10];

	for (size_t i = sizeof(deep); i > 0; i -= 2048)
		deep[i - 1] = 1;
	CHECK_EQ(deep[2047], 1);
}

static size_t __attribute__((noinline)) devour(volatile size_t *depth)
{
	volatile u8 frame[8192];

	frame[0] = 1;
	if (++*depth == 1u << 20) /* 8 GiB: never reached */
		return 0;
	return devour(depth) + frame[0];
}

TEST(mm_stack_overflow, "mm.stack overflow kills with SIGSEGV")
{
	volatile size_t depth = 0;
	pid_t pid = CHECK_OK(fork());

	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		devour(&depth);
		_exit(0);
	}
	join_signal(pid, SIGSEGV);
}

TEST(mm_sparse, "mm.sparse touches one page in every 4 MiB")
{
	const size_t size = is64 ? (size_t)4 << 30 : (size_t)512 << 20, step = (4u << 20) + P;
	u8 *p = CHECK_OK(mmap(NULL, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	for (size_t o = 0; o < size; o += step)
		*(size_t *)(p + o) = o;
	for (size_t o = 0; o < size; o += step)
		CHECK_EQ(*(size_t *)(p + o), o);
	CHECK_OK(munmap(p, size));
}

/* Use far more memory than a small machine has, in a child: an error or one SIGKILL, never a hang. */
static void gobble(void *arg)
{
	size_t limit = (size_t)arg, got = 0;

	while (got < limit) {
		u8 *p = mmap(NULL, 1 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED) {
			CHECK_EQ(errno, ENOMEM);
			return;
		}
		for (size_t o = 0; o < 1 << 20; o += P)
			p[o] = 1;
		got += 1 << 20;
	}
}

TEST(mm_rlimit, "mm.rlimit RLIMIT_AS gives ENOMEM")
{
	struct rlimit lim;

	CHECK_OK(getrlimit(RLIMIT_AS, &lim));
	lim.rlim_cur = 64 << 20;
	CHECK_OK(setrlimit(RLIMIT_AS, &lim));
	CHECK_ERRNO(mmap(NULL, 128 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	in_child(gobble, (void *)(size_t)(256 << 20));
}

TEST_SECONDS(mm_oom, "mm.oom exhaustion ends in ENOMEM or one SIGKILL", 120)
{
	pid_t pid;
	long total = meminfo_kb("MemTotal");

	if (total <= 0 || total > (4l << 20))
		SKIP("no, or too much, memory to exhaust");
	pid = CHECK_OK(fork());
	if (pid == 0) {
		gobble((void *)((size_t)(is64 ? total * 2 : 2000000) << 10));
		_exit(0);
	}
	{
		int status;

		while (waitpid(pid, &status, 0) != pid)
			CHECK_EQ(errno, EINTR);
		CHECK(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
	}
	gobble((void *)(size_t)(4 << 20)); /* and everything was given back */
}
