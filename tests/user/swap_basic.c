/*
 * swap_basic.c - anonymous pages out to a swap file and back: content, sharing, every call that meets a swapped page.
 */
#define _GNU_SOURCE
#include "disk.h"
#include "swap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREA 2048 /* pages: 8 MiB */

TEST(swap_roundtrip, "SWAP-01 four MiB out and in, in large requests")
{
	const char *path = swap_begin(AREA);
	u8 *p = map_anon(1024, RW);
	struct disk_stat before, io;
	long out = vmstat("pswpout"), in = vmstat("pswpin");
	struct swap_line line;

	swap_fill(p, 1024, 1);
	before = disk_stat();
	CHECK_EQ(swap_out(p, 1024), 1024);
	io = disk_since(before);
	CHECK_EQ(vmstat("pswpout") - out, 1024);
	CHECK_OP(io.writes, <, 100); /* 1,024 pages */
	CHECK(swap_line(path, &line));
	CHECK_EQ(line.size_kb, (AREA - 1) * 4);
	CHECK_EQ(line.used_kb, 4096);
	before = disk_stat();
	swap_check(p, 1024, 1);
	io = disk_since(before);
	CHECK_EQ(vmstat("pswpin") - in, 1024);
	CHECK_OP(io.reads, <, 300);
	/* Clean, and still in its slots: it goes again without being written. */
	before = disk_stat();
	CHECK_EQ(swap_out(p, 1024), 1024);
	CHECK_EQ(vmstat("pswpout") - out, 1024);
	swap_check(p, 1024, 1);
	swap_end();
	swap_check(p, 1024, 1);
}

TEST(swap_store, "SWAP-02 a store into a swapped page: exclusive, no copy, the slot is given back")
{
	const char *path = swap_begin(AREA);
	int mm = mm_open();
	u8 *p = map_anon(64, RW);
	struct swap_line line;

	for (u32 round = 0; round < 3; round++) {
		swap_fill(p, 64, round);
		CHECK_EQ(swap_out(p, 64), 64);
		if (mm >= 0)
			CHECK_EQ(mm_entry_at(mm, p, 0).kind, MM_ENTRY_SWAP);
		for (size_t i = 0; i < 64; i++)
			p[i * P] ^= 0xff;
		if (mm >= 0) {
			struct mm_entry e = mm_entry_at(mm, p, 0);

			CHECK(e.write && e.dirty && (e.page & MM_PAGE_EXCLUSIVE));
			CHECK_EQ(e.refs, 1);
		}
		for (size_t i = 0; i < 64; i++)
			p[i * P] ^= 0xff;
		swap_check(p, 64, round);
		CHECK(swap_line(path, &line));
		CHECK_EQ(line.used_kb, 0);
	}
	swap_end();
}

/* Read some, store into some, leave the others in their slots. */
static void child_of_swapped(void *arg)
{
	u8 *p = arg;

	swap_check(p, 32, 5);
	swap_fill(p + 16 * P, 48, 6);
	swap_check(p, 16, 5);
	swap_check(p + 16 * P, 48, 6);
	CHECK_OP(swap_out(p, 64), >=, 48);
	swap_check(p, 16, 5);
	swap_check(p + 16 * P, 48, 6);
}

TEST(swap_fork, "SWAP-03 fork with swapped pages: each side has its own")
{
	const char *path = swap_begin(AREA);
	u8 *p = map_anon(64, RW);
	struct swap_line line;

	swap_fill(p, 64, 5);
	for (int round = 0; round < 4; round++) {
		CHECK_EQ(swap_out(p, 64), 64);
		in_child(child_of_swapped, p);
		swap_check(p, 64, 5);
	}
	munmap(p, 64 * P);
	CHECK(swap_line(path, &line));
	CHECK_EQ(line.used_kb, 0);
	swap_end();
}

/* Three generations share what is in the slots; every one stores into some of it. */
static void generation(u8 *p, int depth)
{
	pid_t pid;

	if (depth == 0)
		return;
	pid = CHECK_OK(fork());
	if (pid == 0) {
		set_tag(p, (size_t)depth, (u64)depth * 1000);
		swap_out(p, 16);
		generation(p, depth - 1);
		CHECK_EQ(tag(p, (size_t)depth), depth * 1000);
		_exit(0);
	}
	join(pid);
	for (size_t i = 1; i < 16; i++)
		CHECK_EQ(tag(p, i), i > (size_t)depth && i <= 8 ? i * 1000 : i);
}

TEST(swap_tree, "SWAP-04 eight generations of forks, swapped out in between: families find every mapping")
{
	u8 *p;

	swap_begin(AREA);
	p = map_anon(16, RW);
	for (size_t i = 0; i < 16; i++)
		set_tag(p, i, i);
	CHECK_EQ(swap_out(p, 16), 16);
	generation(p, 8);
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(tag(p, i), i);
	swap_end();
}

TEST(swap_calls, "SWAP-05 mprotect, mremap, munmap, DONTNEED, mincore, WILLNEED on swapped pages")
{
	const char *path = swap_begin(AREA);
	u8 *p = map_anon(64, RW), *q;
	struct swap_line line;
	char perms[5];
	u64 offset;
	ulong start, end;

	swap_fill(p, 64, 9);
	CHECK_EQ(swap_out(p, 64), 64);
	CHECK_OK(mprotect(p, 32 * P, PROT_READ));
	CHECK_ACCERR(try_write(p + P, 1), p + P);
	CHECK_NOFAULT(try_read(p + P));
	CHECK_ACCERR(try_write(p + P, 1), p + P);
	CHECK_OK(mprotect(p, 32 * P, PROT_NONE));
	CHECK_ACCERR(try_read(p + 2 * P), p + 2 * P);
	CHECK_EQ(resident(p + 20 * P), 0);
	CHECK_OK(mprotect(p, 32 * P, RW));
	CHECK(vma_at(p, perms, &offset, &start, &end));
	CHECK_EQ(vma_count(p, 64 * P, NULL), 1);
	swap_check(p, 64, 9);

	CHECK_EQ(swap_out(p, 64), 64);
	q = mremap(p, 64 * P, 128 * P, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	swap_check(q, 64, 9);
	CHECK_EQ(q[100 * P], 0);

	CHECK_EQ(swap_out(q, 64), 64);
	CHECK_OK(madvise(q, 16 * P, MADV_DONTNEED));
	CHECK_EQ(q[3 * P], 0);
	CHECK_OK(madvise(q + 16 * P, 16 * P, MADV_WILLNEED));
	for (int ms = 0; resident(q + 31 * P) == 0 && ms < 5000; ms++)
		sleep_ms(1);
	CHECK_EQ(resident(q + 31 * P), 1);
	CHECK_EQ(resident(q + 40 * P), 0);
	CHECK_OK(munmap(q, 128 * P));
	CHECK(swap_line(path, &line));
	CHECK_EQ(line.used_kb, 0);
	swap_end();
}

TEST(swap_private_file, "SWAP-06 private copies of a file's pages swap, and truncation drops those beyond the end")
{
	int fd = tagged_memfd(16);
	u8 *p;

	swap_begin(AREA);
	p = CHECK_OK(mmap(NULL, 16 * P, RW, MAP_PRIVATE, fd, 0));
	for (size_t i = 0; i < 16; i += 2)
		set_tag(p, i, 100 + i);
	CHECK_OK(madvise(p, 16 * P, MADV_PAGEOUT));
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(tag(p, i), i % 2 ? i : 100 + i);
	CHECK_OK(madvise(p, 16 * P, MADV_PAGEOUT));
	CHECK_OK(ftruncate(fd, 8 * P));
	CHECK_EQ(tag(p, 6), 106);
	CHECK_BUS(try_read(p + 10 * P), p + 10 * P);
	CHECK_OK(munmap(p, 16 * P));
	swap_end();
}

TEST(swap_free, "SWAP-07 MADV_FREE: thrown away unless stored into")
{
	u8 *p;
	int gone = 0;

	swap_begin(AREA);
	p = map_anon(32, RW);
	swap_fill(p, 32, 3);
	CHECK_OK(madvise(p, 32 * P, MADV_FREE));
	swap_check(p, 32, 3); /* nobody took them yet; a read does not keep them */
	for (size_t i = 0; i < 32; i += 2)
		p[i * P] = 1;
	CHECK_OK(madvise(p, 32 * P, MADV_PAGEOUT));
	for (size_t i = 0; i < 32; i++) {
		if (i % 2)
			gone += p[i * P + 8] == 0 && p[i * P] == 0;
		else
			CHECK_EQ(p[i * P], 1);
	}
	CHECK_EQ(gone, 16);
	/* Of a page in a slot nothing is left at once. */
	swap_fill(p, 32, 4);
	CHECK_EQ(swap_out(p, 32), 32);
	CHECK_OK(madvise(p, 32 * P, MADV_FREE));
	for (size_t i = 0; i < 32 * P; i += P)
		CHECK_EQ(p[i], 0);
	CHECK_OK(mlock(p, P));
	CHECK_ERRNO(madvise(p, P, MADV_FREE), EINVAL);
	CHECK_ERRNO(madvise(p, P, MADV_PAGEOUT), EINVAL);
	CHECK_ERRNO(madvise(p, P, MADV_COLD), EINVAL);
	swap_end();
}

TEST(swap_mlocked, "SWAP-08 mlocked pages stay")
{
	u8 *p;

	swap_begin(AREA);
	p = map_anon(8, RW);
	swap_fill(p, 8, 2);
	CHECK_EQ(swap_out(p, 8), 8);
	CHECK_OK(mlock(p, 8 * P));
	for (size_t i = 0; i < 8; i++)
		CHECK_EQ(resident(p + i * P), 1);
	swap_check(p, 8, 2);
	CHECK_OK(munlock(p, 8 * P));
	CHECK_EQ(swap_out(p, 8), 8);
	swap_check(p, 8, 2);
	swap_end();
}
