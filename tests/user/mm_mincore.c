/*
 * mm_mincore.c - mincore's answers and errnos, mlock.
 */
#define _GNU_SOURCE
#include "disk.h"
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)

TEST(mincore_anon, "mincore.anon follows touching and DONTNEED")
{
	u8 *p = map_anon(8, RW), vec[8];

	CHECK_OK(mincore(p, 8 * P, vec));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(vec[i] & 1, 0);
	p[P] = 1;
	p[4 * P] = 1;
	CHECK_OK(mincore(p, 8 * P, vec));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(vec[i] & 1, i == 1 || i == 4);
	CHECK_OK(madvise(p, 3 * P, MADV_DONTNEED));
	CHECK_EQ(resident(p + P), 0);
	CHECK_EQ(resident(p + 4 * P), 1);
}

TEST(mincore_errno, "mincore.errno")
{
	u8 *p = map_anon(4, RW), vec[4];

	CHECK_ERRNO(mincore(p + 1, P, vec), EINVAL);
	CHECK_ERRNO(mincore(p, 4 * P, BAD), EFAULT);
	CHECK_OK(mincore(p, 0, vec));
	CHECK_OK(mincore(p, 3 * P + 1, vec)); /* rounded up to 4 pages */
	CHECK_OK(munmap(p + 2 * P, P));
	CHECK_ERRNO(mincore(p, 4 * P, vec), ENOMEM);
	CHECK_ERRNO(mincore(p, ~(size_t)0 / 2 + P, vec), ENOMEM);
}

TEST(mincore_file, "mincore.file reports the page cache")
{
	int fd = make_file(disk_dir(), "mc", 0);
	u8 *p;

	CHECK_OK(ftruncate(fd, 4 * P));
	p = map_shared(fd, 4, RW);
	CHECK_EQ(resident(p + 2 * P), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 2 * P), 1); /* cached, though not mapped */
	CHECK_EQ(resident(p + 2 * P), 1);
	CHECK_EQ(p[2 * P], 'x');
}

TEST(mlock_basic, "mlock.basic makes resident; errnos")
{
	u8 *p = map_anon(4, RW);

	CHECK_OK(mlock(p, 4 * P));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(resident(p + i * P), 1);
	CHECK_ERRNO(madvise(p, P, MADV_DONTNEED), EINVAL);
	CHECK_OK(munlock(p, 4 * P));
	CHECK_OK(madvise(p, P, MADV_DONTNEED));
	CHECK_OK(munmap(p + P, P));
	CHECK_ERRNO(mlock(p, 4 * P), ENOMEM);
}

/* The pages of a locked window, whichever they are, stay in memory; one that is shown no more may go. */
TEST(T0_24, "T0-24 mlock of a window whose pages change")
{
	int fd;
	u8 *w;

	PTERON_ONLY(); /* elsewhere pages wait on lists before they can be dropped */
	fd = make_file(disk_dir(), "lock", 0);
	tag_file(fd, 8);
	CHECK_OK(fsync(fd));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	w = map_shared(fd, 4, PROT_READ);
	CHECK_OK(mlock(w, 4 * P));
	CHECK_OP(cached_pages(fd, 8), >=, 4);
	CHECK_OK(rfp(w, P, 0, 6, 0));
	CHECK_OK(rfp(w + P, P, 0, 7, 0));
	CHECK_EQ(vma_count(w, 4 * P, NULL), 1);
	CHECK_ERRNO(madvise(w, P, MADV_DONTNEED), EINVAL); /* locked as before */
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(cached_pages(fd, 8), 4);
	for (size_t i = 0; i < 4; i++)
		CHECK_EQ(tag(w, i), i < 2 ? 6 + i : i);
	CHECK_OK(munlock(w, 4 * P));
	CHECK_OK(munmap(w, 4 * P));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	CHECK_EQ(cached_pages(fd, 8), 0);
}
