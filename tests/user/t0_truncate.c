/*
 * t0_truncate.c - nonlinear windows when the file shrinks and grows: T0-17 (spec 1f).
 */
#define _GNU_SOURCE
#include "paint.h"

#include <fcntl.h>
#include <unistd.h>

#define N 64
#define RW (PROT_READ | PROT_WRITE)

static void truncate_case(int fd)
{
	const size_t keep = 20;
	u8 *w = map_shared(fd, N, RW);

	for (size_t i = 0; i < N; i++)
		CHECK_OK(rfp(w + i * P, P, 0, N - 1 - i, 0));
	CHECK_OK(madvise(w + 30 * P, 8 * P, MADV_DONTNEED));
	CHECK_OK(ftruncate(fd, (off_t)(keep * P) + 100)); /* page `keep` stays, with 100 bytes */
	for (size_t i = 0; i < N; i++) {
		u8 *p = w + i * P;

		if (N - 1 - i > keep) {
			CHECK_BUS(try_read(p), p);
			CHECK_BUS(try_write(p + 8, 1), p + 8);
		} else {
			CHECK_NOFAULT(try_read(p));
			CHECK_EQ(tag(w, i), N - 1 - i);
		}
	}
	CHECK_EQ(w[(N - 1 - keep) * P + 100], 0); /* the tail of the last page is zero */
	CHECK_OK(ftruncate(fd, N * P));
	for (size_t i = 0; i < N; i++) {
		CHECK_NOFAULT(try_read(w + i * P));
		CHECK_EQ(tag(w, i), N - 1 - i > keep ? 0 : N - 1 - i);
		CHECK_NOFAULT(try_write64(w + i * P, 300 + i));
	}
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(file_tag(fd, N - 1 - i), 300 + i);
	CHECK_OK(munmap(w, N * P));
}

TEST(T0_17, "T0-17 truncate")
{
	truncate_case(tagged_memfd(N));
}

TEST(T0_17b, "T0-17b truncate, a file on disk")
{
	int fd = make_file(disk_dir(), "trunc", 0);

	tag_file(fd, N);
	CHECK_OK(fsync(fd));
	truncate_case(fd);
	CHECK_OK(fsync(fd));
}

TEST(T0_17c, "T0-17c truncate below pages with their own protections")
{
	int fd = tagged_memfd(63);
	u8 *w;

	PTERON_ONLY();
	w = map_shared(fd, 63, RW);
	paint(w, 63);
	CHECK_OK(ftruncate(fd, 10 * P));
	for (size_t i = 0; i < 63; i++) {
		u8 *p = w + i * P;

		if (paint_prot(i) == PROT_NONE) /* forbidden is forbidden, whether or not there is a page */
			CHECK_ACCERR(try_read(p), p);
		else if (62 - i >= 10)
			CHECK_BUS(try_read(p), p);
		else
			CHECK_EQ(tag(w, i), 62 - i);
	}
	CHECK_OK(ftruncate(fd, 63 * P));
	tag_file(fd, 63);
	expect_painted(w, 63, 63);
}
