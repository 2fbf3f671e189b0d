/*
 * t0_dirty.c - dirty tracking through scrambled windows on a disk file system: T0-23 (spec 1f).
 */
#define _GNU_SOURCE
#include "paint.h"

#include <fcntl.h>
#include <unistd.h>

#define M 63
#define RW (PROT_READ | PROT_WRITE)

/* Pages written to disk so far, or -1. */
static long written(void)
{
	return vmstat("nr_written");
}

static void write_round(u8 *w, int fd, u64 base)
{
	long before = written(), after;

	for (size_t i = 2; i < M; i += 3)
		CHECK_NOFAULT(try_write64(w + i * P, base + i));
	CHECK_OK(msync(w, M * P, MS_SYNC));
	after = written();
	if (before >= 0 && on_pteron())
		CHECK_OP(after - before, >=, M / 3);
	for (size_t i = 2; i < M; i += 3)
		CHECK_EQ(file_tag(fd, M - 1 - i), base + i);
}

TEST(T0_23, "T0-23 dirty tracking")
{
	int fd = make_file(disk_dir(), "dirty", 0);
	u8 *w;

	PTERON_ONLY();
	tag_file(fd, M);
	CHECK_OK(fsync(fd));
	w = map_shared(fd, M, RW);
	paint(w, M);
	write_round(w, fd, 10000);
	write_round(w, fd, 20000);
	for (size_t i = 1; i < M; i += 3) { /* a read-only page is not "write-notify pending" */
		CHECK_NOFAULT(try_read(w + i * P));
		CHECK_ACCERR(try_write(w + i * P, 1), w + i * P);
		CHECK_EQ(file_tag(fd, M - 1 - i), M - 1 - i);
	}
	if (written() >= 0) { /* nothing dirty: nothing is written */
		long before = written();

		CHECK_OK(msync(w, M * P, MS_SYNC));
		CHECK_OP(written() - before, <, M / 3);
	}
	CHECK_OK(munmap(w, M * P));
	CHECK_OK(fsync(fd));
}

TEST(T0_23b, "T0-23b dirty tracking through a reversed window")
{
	int fd = make_file(disk_dir(), "dirty2", 0);
	u8 *w;

	tag_file(fd, M);
	CHECK_OK(fsync(fd));
	w = map_shared(fd, M, RW);
	for (size_t i = 0; i < M; i++)
		CHECK_OK(rfp(w + i * P, P, 0, M - 1 - i, 0));
	for (int round = 0; round < 4; round++) {
		for (size_t i = 0; i < M; i++)
			set_tag(w, i, (u64)round * 1000 + i);
		if (round & 1)
			CHECK_OK(fsync(fd));
		else
			CHECK_OK(msync(w, M * P, MS_SYNC));
		for (size_t i = 0; i < M; i++)
			CHECK_EQ(file_tag(fd, M - 1 - i), (u64)round * 1000 + i);
	}
}

TEST(T0_23c, "T0-23c write through one alias, clean, write through the other")
{
	int fd = make_file(disk_dir(), "dirty3", 0);
	u8 *w;

	tag_file(fd, 8);
	CHECK_OK(fsync(fd));
	w = map_shared(fd, 8, RW);
	CHECK_OK(rfp(w + 5 * P, P, 0, 1, 0));
	for (u64 round = 0; round < 6; round++) {
		set_tag(w, round & 1 ? 1 : 5, 70 + round);
		CHECK_OK(msync(w, 8 * P, MS_SYNC));
		CHECK_EQ(tag(w, 1), 70 + round);
		CHECK_EQ(tag(w, 5), 70 + round);
		CHECK_EQ(file_tag(fd, 1), 70 + round);
	}
}
