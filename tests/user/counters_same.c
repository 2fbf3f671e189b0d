/*
 * counters_same.c - what a program reads about its memory means the same here as on Linux: each test runs on both.
 */
#define _GNU_SOURCE
#include "race.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define N 64 /* pages */
#define RW (PROT_READ | PROT_WRITE)
#define KB ((long)(P / 1024))
#ifndef MADV_FREE
#define MADV_FREE 8
#endif

static u8 *small_pages(size_t pages)
{
	u8 *p = map_anon(pages, RW);

	(void)madvise(p, pages * P, MADV_NOHUGEPAGE); /* where there are huge pages */
	return p;
}

static void store_each(u8 *p, size_t pages)
{
	for (size_t i = 0; i < pages; i++)
		*(volatile u8 *)(p + i * P) = 1;
}

static long minor_faults(void)
{
	struct rusage ru;

	CHECK_OK(getrusage(RUSAGE_SELF, &ru));
	return ru.ru_minflt;
}

TEST(same_faults, "counters.faults a first store to a page is one minor fault, a second none, a read of a hole one")
{
	u8 *p = small_pages(2 * N), sum = 0;
	long before = minor_faults(), now;

	store_each(p, N);
	now = minor_faults();
	CHECK_OP(now - before, >=, N);
	CHECK_OP(now - before, <=, N + 4);
	store_each(p, N);
	CHECK_OP(minor_faults() - now, <=, 2);
	now = minor_faults();
	for (size_t i = N; i < 2 * N; i++)
		sum |= *(volatile u8 *)(p + i * P);
	CHECK_OP(minor_faults() - now, >=, N);
	CHECK_EQ(sum, 0);
	now = minor_faults();
	store_each(p + N * P, N); /* the page of zeros gives way: once more */
	CHECK_OP(minor_faults() - now, >=, N);
	CHECK_OK(munmap(p, 2 * N * P));
}

TEST(same_status, "counters.status VmSize, VmRSS, RssAnon, RssShmem, VmLck move by what was done")
{
	long size = status_kb("VmSize"), anon, shmem;
	u8 *p = small_pages(N), *q;

	CHECK_OP(status_kb("VmSize") - size, >=, N * KB);
	anon = status_kb("RssAnon");
	shmem = status_kb("RssShmem");
	store_each(p, N);
	CHECK_OP(status_kb("RssAnon") - anon, >=, N * KB - 16);
	CHECK_OP(status_kb("RssAnon") - anon, <=, N * KB + 64);
	q = CHECK_OK(mmap(NULL, N * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	store_each(q, N);
	CHECK_OP(status_kb("RssShmem") - shmem, ==, N * KB);
	CHECK_OP(status_kb("VmRSS"), >=, status_kb("RssAnon") + status_kb("RssShmem"));
	anon = status_kb("VmLck");
	CHECK_OK(mlock(p, 4 * P));
	CHECK_OP(status_kb("VmLck") - anon, ==, 4 * KB);
	CHECK_OK(munmap(p, N * P));
	CHECK_OP(status_kb("VmLck"), ==, anon);
	CHECK_OK(munmap(q, N * P));
}

static void shared_with_child(void *arg)
{
	u8 *p = arg;

	CHECK_EQ(smaps_kb(p, P, "Rss"), N * KB);
	CHECK_EQ(smaps_kb(p, P, "Pss"), N * KB / 2);
	CHECK_EQ(smaps_kb(p, P, "Shared_Dirty"), N * KB);
	CHECK_EQ(smaps_kb(p, P, "Private_Dirty"), 0);
	store_each(p, N / 2);
	CHECK_EQ(smaps_kb(p, P, "Private_Dirty"), N / 2 * KB);
	CHECK_EQ(smaps_kb(p, P, "Shared_Dirty"), N / 2 * KB);
	CHECK_EQ(smaps_kb(p, P, "Pss"), N / 2 * KB + N / 4 * KB);
}

TEST(same_smaps,
     "counters.smaps who shares a page after fork has half of it; a copy is one's own; MADV_FREE is LazyFree")
{
	u8 *p = small_pages(N);

	store_each(p, N);
	CHECK_EQ(smaps_kb(p, P, "Anonymous"), N * KB);
	CHECK_EQ(smaps_kb(p, P, "Referenced"), N * KB);
	CHECK_EQ(smaps_kb(p, P, "Private_Dirty"), N * KB);
	in_child(shared_with_child, p);
	CHECK_EQ(smaps_kb(p, P, "Private_Dirty"), N * KB);
	CHECK_OK(mlock(p, P));
	CHECK_EQ(smaps_kb(p, P, "Locked"), KB);
	CHECK_OK(munlock(p, P));
	CHECK_OK(madvise(p, N * P, MADV_FREE));
	CHECK_OP(smaps_kb(p, P, "LazyFree"), >=, N / 2 * KB); /* some may be in somebody's hands */
	CHECK_OK(munmap(p, N * P));
}

static u64 pagemap(const void *p)
{
	int fd = CHECK_OK(open("/proc/self/pagemap", O_RDONLY));
	u64 word = 0;

	CHECK_EQ(pread(fd, &word, 8, (off_t)((uintptr_t)p / P * 8)), 8);
	close(fd);
	return word;
}

#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)
#define OF_FILE (1ull << 61)
#define ALONE (1ull << 56)

static void look_at_shared(void *arg)
{
	CHECK_EQ(pagemap(arg) & (PRESENT | SWAPPED | OF_FILE | ALONE), PRESENT);
	*(volatile u8 *)arg = 2;
	CHECK_EQ(pagemap(arg) & (PRESENT | SWAPPED | OF_FILE | ALONE), PRESENT | ALONE);
}

TEST(same_pagemap, "counters.pagemap present, of a file, mapped once: bits 63, 61, 56")
{
	u8 *p = small_pages(2), *q = CHECK_OK(mmap(NULL, P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0));

	CHECK_EQ(pagemap(p) & (PRESENT | SWAPPED | OF_FILE | ALONE), 0);
	p[0] = 1;
	q[0] = 1;
	CHECK_EQ(pagemap(p) & (PRESENT | SWAPPED | OF_FILE | ALONE), PRESENT | ALONE);
	CHECK_EQ(pagemap(p + P) & PRESENT, 0);
	CHECK_EQ(pagemap(q) & (PRESENT | SWAPPED | OF_FILE | ALONE), PRESENT | OF_FILE | ALONE);
	in_child(look_at_shared, p);
	CHECK_OK(munmap(p, 2 * P));
	CHECK_OK(munmap(q, P));
}
