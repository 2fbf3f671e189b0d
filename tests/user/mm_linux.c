/*
 * mm_linux.c - details of Linux's calls on which the oracle (docs/oracle.md) once found us different: which error comes
 * first, what is done before one, what becomes resident.  All of it runs on Linux, too.
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif

/* @pages of address space where nothing is. */
static u8 *hole(size_t pages)
{
	u8 *p = map_anon(pages, PROT_NONE);

	CHECK_OK(munmap(p, pages * P));
	return p;
}

static u8 *map_at(u8 *at, size_t pages, int prot)
{
	return CHECK_OK(mmap(at, pages * P, prot, ANON | MAP_FIXED, -1, 0));
}

/* A bit of the page's entry in /proc/self/pagemap. */
static bool pagemap_bit(const u8 *page, unsigned bit)
{
	int fd = CHECK_OK(open("/proc/self/pagemap", O_RDONLY));
	u64 entry = 0;

	CHECK_EQ(pread(fd, &entry, sizeof(entry), (off_t)((uintptr_t)page / P * sizeof(entry))), sizeof(entry));
	close(fd);
	return entry >> bit & 1;
}
#define PRESENT(page) pagemap_bit(page, 63)

static int reopened(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return CHECK_OK(open(path, flags));
}

TEST(linux_mmap_order, "linux.mmap the range is judged before the file")
{
	int fd = tagged_memfd(2), wo = reopened(fd, O_WRONLY), fds[2];
	u8 *p = map_anon(2, RW);

	CHECK_OK(pipe(fds));
	CHECK_ERRNO(mmap(p, P, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, wo, 0), EEXIST);
	CHECK_ERRNO(mmap(p + 5, P, PROT_READ, MAP_SHARED | MAP_FIXED, wo, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ, MAP_SHARED, wo, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ, 0, fds[0], 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ, MAP_SHARED, fds[0], 0), ENODEV);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ, MAP_SHARED_VALIDATE | 0x80000 /* MAP_SYNC */, fd, 0), EOPNOTSUPP);
	CHECK_ERRNO(
		mmap(NULL, (size_t)1 << (is64 ? 50 : 31) | (is64 ? 0 : (size_t)1 << 30), RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
		ENOMEM);
	if (is64)
		CHECK_ERRNO(mmap(NULL, P, PROT_READ, MAP_SHARED, fd, (off_t)(~0ull >> 1 & ~(P - 1))), EOVERFLOW);
}

TEST(linux_mprotect_order, "linux.mprotect the first of several errors is told")
{
	int fd = reopened(tagged_memfd(1), O_RDONLY);
	u8 *p = hole(3);

	CHECK_OK(mmap(p, P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	CHECK_ERRNO(mprotect(p, 3 * P, RW), EACCES); /* and not ENOMEM for the hole behind it */
	CHECK_OK(mprotect(p, 0, 0x40));
	CHECK_ERRNO(mprotect(p, P, 0x40), EINVAL);
	CHECK_OK(mprotect(p, P, PROT_READ | 8 /* PROT_SEM */));
}

TEST(linux_mremap_old, "linux.mremap how much of the old range must be mapped")
{
	u8 *p = hole(16), *q = p + 8 * P;

	map_at(p, 2, RW);
	p[0] = 7;
	CHECK_ERRNO(mremap(hole(1), P, P, MREMAP_MAYMOVE | MREMAP_FIXED, q + 5), EFAULT); /* before the unaligned place */
	CHECK(mremap(p, 6 * P, 6 * P, 0) == p);                                           /* nothing to do */
	CHECK(mremap(p, 6 * P, P, 0) == p); /* the rest goes, whatever it was */
	CHECK_MAPERR(try_read(p + P), p + P);
	map_at(p + P, 1, PROT_READ); /* another mapping */
	CHECK_ERRNO(mremap(p, 2 * P, 3 * P, MREMAP_MAYMOVE), EFAULT);
	CHECK(mremap(p, 2 * P, P, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	CHECK_EQ(q[0], 7);
	CHECK_MAPERR(try_read(p), p);
	CHECK_MAPERR(try_read(p + P), p + P);
	CHECK(mremap(q, (size_t)0 - 1, P, MREMAP_MAYMOVE) == MAP_FAILED && errno == EINVAL); /* it wraps to 0 */
}

TEST(linux_mremap_again, "linux.mremap shared memory a second time, also what may only be read")
{
	int fd = tagged_memfd(4);
	u8 *p = CHECK_OK(mmap(NULL, 3 * P, PROT_READ, MAP_SHARED, reopened(fd, O_RDONLY), 0)), *q = hole(4);

	CHECK(mremap(p + 2 * P, 0, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q); /* and longer than what is there */
	CHECK_EQ(tag(q, 0), 2);
	CHECK_EQ(tag(q, 1), 3);
	CHECK_EQ(tag(p, 2), 2);
	p = map_anon(2, RW);
	CHECK_ERRNO(mremap(p, 0, P, MREMAP_MAYMOVE | MREMAP_FIXED, q), EINVAL);
}

TEST(linux_mremap_dontunmap, "linux.mremap DONTUNMAP: a place is a hint, and what stays is unlocked")
{
	u8 *p = map_anon(2, RW), *q = hole(2);

	CHECK_OK(mlock(p, 2 * P));
	p[0] = 3;
	/* (The C library does not always hand the place on without MREMAP_FIXED.) */
	CHECK_ERRNO(syscall(SYS_mremap, p, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, q + 1), EINVAL);
	CHECK_EQ(syscall(SYS_mremap, p, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, q), (long)q);
	CHECK_EQ(q[0], 3);
	CHECK_EQ(p[0], 0);
	CHECK_OK(madvise(p, 2 * P, MADV_DONTNEED));
	CHECK_ERRNO(madvise(q, 2 * P, MADV_DONTNEED), EINVAL);
}

TEST(linux_madvise_walk, "linux.madvise goes vma by vma: what comes before an error is done")
{
	u8 *p = hole(4);

	map_at(p, 3, RW);
	memset(p, 1, 3 * P);
	CHECK_OK(mlock(p + 2 * P, P));
	CHECK_ERRNO(madvise(p, 3 * P, MADV_DONTNEED), EINVAL);
	CHECK_EQ(p[0] + p[P], 0);
	CHECK_EQ(p[2 * P], 1);
	CHECK_OK(madvise(p, 3 * P, MADV_DONTNEED_LOCKED));
	CHECK_EQ(p[2 * P], 0);
	p[P] = 1;
	CHECK_OK(munlock(p + 2 * P, P));
	CHECK_OK(munmap(p, P));
	CHECK_ERRNO(madvise(p, 3 * P, MADV_DONTNEED), ENOMEM); /* a hole is told in the end */
	CHECK_EQ(p[P], 0);
	CHECK_OK(madvise(p + P, 2 * P, MADV_DONTDUMP));
	CHECK_OK(madvise(p + P, 2 * P, MADV_DODUMP));
}

TEST(linux_madvise_populate, "linux.madvise POPULATE: what is forbidden, what is not there, what is beyond the file")
{
	int fd = tagged_memfd(1);
	u8 *p = hole(3);

	map_at(p, 1, RW);
	map_at(p + P, 1, PROT_NONE);
	CHECK_ERRNO(madvise(p, 3 * P, MADV_POPULATE_WRITE), EINVAL);
	CHECK(PRESENT(p));
	CHECK_ERRNO(madvise(p + P, P, MADV_POPULATE_READ), EINVAL);
	CHECK_OK(mmap(p + P, P, RW, MAP_SHARED | MAP_FIXED, fd, P));
	CHECK_ERRNO(madvise(p + P, 2 * P, MADV_POPULATE_READ), EFAULT);
	CHECK_ERRNO(madvise(p + 2 * P, P, MADV_POPULATE_READ), ENOMEM);
}

static void removes(int fd)
{
	u8 *p = map_shared(fd, 4, RW), *q = CHECK_OK(mmap(NULL, 4 * P, PROT_READ, MAP_PRIVATE, fd, 0));

	CHECK_OK(madvise(p + P, 2 * P, MADV_REMOVE));
	CHECK_EQ(tag(p, 0), 0);
	CHECK_EQ(tag(p, 1) + tag(p, 2), 0);
	CHECK_EQ(tag(p, 3), 3);
	CHECK_EQ(file_tag(fd, 2), 0);
	CHECK_ERRNO(madvise(q, P, MADV_REMOVE), EACCES);
	CHECK_ERRNO(madvise(map_anon(1, RW), P, MADV_REMOVE), EINVAL);
	CHECK_OK(mlock(p + 3 * P, P));
	CHECK_ERRNO(madvise(p + 3 * P, P, MADV_REMOVE), EINVAL);
	CHECK_EQ(tag(p, 3), 3);
}

TEST(linux_madvise_remove, "linux.madvise REMOVE makes a hole in the file, tmpfs")
{
	removes(tagged_memfd(4));
}

TEST(linux_madvise_remove_disk, "linux.madvise REMOVE makes a hole in the file, disk")
{
	int fd = make_file(disk_dir(), "hole", 0);

	tag_file(fd, 4);
	removes(fd);
}

TEST(linux_wraps, "linux.wraps lengths that round up to nothing are nothing")
{
	u8 *p = map_anon(1, RW);

	CHECK_OK(msync(p, (size_t)0 - 1, MS_SYNC));
	CHECK_OK(mlock(p, (size_t)0 - 1));
	CHECK_ERRNO(mlock((void *)((uintptr_t)0 - P), P), EINVAL);
	CHECK_ERRNO(madvise(p, (size_t)0 - 1, MADV_DONTNEED), EINVAL);
}

TEST(linux_mlock_unreachable, "linux.mlock of what cannot be touched: ENOMEM, and it is locked")
{
	u8 *p = map_shared(tagged_memfd(1), 2, RW), *none = map_anon(1, PROT_NONE);

	CHECK_ERRNO(mlock(p, 2 * P), ENOMEM); /* the second page is beyond the end */
	CHECK_ERRNO(msync(p, P, MS_INVALIDATE), EBUSY);
	CHECK_ERRNO(mlock(none, P), ENOMEM);
	CHECK_ERRNO(madvise(none, P, MADV_DONTNEED), EINVAL);
}

TEST(linux_populate_locked, "linux.populate locked memory that becomes writable gets its pages at once")
{
	u8 *p = map_anon(2, PROT_READ);

	CHECK_OK(mlock(p, 2 * P));
	CHECK(PRESENT(p) && !pagemap_bit(p, 56)); /* the page of zeros is nobody's own */
	CHECK_OK(mprotect(p, 2 * P, RW));
	CHECK(pagemap_bit(p, 56) && pagemap_bit(p + P, 56));
}

TEST(linux_populate_onfault, "linux.populate not where memory is locked as it is touched")
{
	u8 *p;

	CHECK_OK(mlockall(MCL_FUTURE | MCL_ONFAULT));
	p = CHECK_OK(mmap(NULL, 2 * P, RW, ANON | MAP_POPULATE, -1, 0));
	CHECK(!PRESENT(p) && !PRESENT(p + P));
	CHECK_OK(munlockall());
}

static long blocks(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return (long)st.st_blocks;
}

TEST(linux_tmpfs_holes, "linux.tmpfs holes take no memory for being read or cut")
{
	int fd = CHECK_OK((int)syscall(SYS_memfd_create, "holes", 0));
	u8 page[4096];

	CHECK_OK(ftruncate(fd, 64 * P + 100));
	memset(page, 1, sizeof(page));
	CHECK_EQ(pread(fd, page, P, 5 * P + 7), P);
	for (size_t i = 0; i < P; i++)
		CHECK_EQ(page[i], 0);
	CHECK_EQ(pread(fd, page, P, 64 * P), 100);
	CHECK_OK(ftruncate(fd, 30 * P + 5));
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, P + 5, 2 * P));
	CHECK_EQ(blocks(fd), 0);
	CHECK_EQ(pwrite(fd, "x", 1, 3 * P), 1);
	CHECK_EQ(blocks(fd), 8);
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 40 * P, 4 * P));
	CHECK_EQ(blocks(fd), 5 * 8);
	CHECK_OK(ftruncate(fd, 30 * P + 5)); /* to the size that it has: what lies beyond goes */
	CHECK_EQ(blocks(fd), 8);
}

TEST(linux_truncate_strangers, "linux.truncate leaves pages alone that only lie where others would")
{
	int fd = tagged_memfd(4);
	u8 *p = map_shared(fd, 4, RW);

	CHECK_OK(rfp(p + 3 * P, P, 0, 0, 0));
	CHECK_EQ(tag(p, 3), 0);
	CHECK_EQ(tag(p, 2), 2);
	CHECK_OK(ftruncate(fd, 2 * P));
	CHECK(PRESENT(p + 3 * P));
	CHECK(!PRESENT(p + 2 * P));
	CHECK_EQ(tag(p, 3), 0);
	CHECK_BUS(try_read(p + 2 * P), p + 2 * P);
	CHECK_OK(ftruncate(fd, 0));
	CHECK(!PRESENT(p + 3 * P));
	CHECK_BUS(try_read(p + 3 * P), p + 3 * P);
}

TEST(linux_preallocated, "linux.what fallocate has made is in memory only when it is needed")
{
	int fd = CHECK_OK((int)syscall(SYS_memfd_create, "preallocated", 0));
	u8 *p, vector[4], page[4096];

	CHECK_OK(fallocate(fd, 0, 0, 4 * P));
	CHECK_EQ(blocks(fd), 4 * 8);
	p = map_shared(fd, 4, RW);
	CHECK_OK(mincore(p, 4 * P, vector));
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ(vector[i], 0);
	memset(page, 1, sizeof(page));
	CHECK_EQ(pread(fd, page, P, 0), P); /* reads zeros, and needs nothing */
	CHECK_EQ(page[0] | page[4095], 0);
	CHECK_EQ(pwrite(fd, "x", 1, P + 7), 1);
	CHECK_EQ(p[2 * P], 0);
	CHECK_OK(mincore(p, 4 * P, vector));
	CHECK_EQ(vector[0], 0);
	CHECK_EQ(vector[1], 1);
	CHECK_EQ(vector[2], 1);
	CHECK_EQ(p[P + 6] | p[P + 8] | p[2 * P - 1], 0);
	CHECK_OK(ftruncate(fd, 3 * P + 5));
	CHECK_OK(ftruncate(fd, 4 * P));
	CHECK_OK(mincore(p, 4 * P, vector));
	CHECK_EQ(vector[3], 0);
	CHECK_EQ(p[3 * P] | p[4 * P - 1], 0);
	CHECK_EQ(blocks(fd), 4 * 8);
}

TEST(linux_mincore_hole, "linux.mincore answers for what comes before a hole")
{
	u8 *p = hole(3), vector[3] = {9, 9, 9};

	map_at(p, 2, RW)[0] = 1;
	CHECK_ERRNO(mincore(p, 3 * P, vector), ENOMEM);
	CHECK_EQ(vector[0], 1);
	CHECK_EQ(vector[1], 0);
	CHECK_EQ(vector[2], 9);
	CHECK_ERRNO(mincore(p, 3 * P, BAD), EFAULT);
}

TEST(linux_file_order, "linux.files which error comes first")
{
	int fd = CHECK_OK((int)syscall(SYS_memfd_create, "sealed", 2)), fds[2];
	int tmp = make_file(tmp_dir(), "seals", 0), ro = reopened(fd, O_RDONLY);
	u8 *p, page[4096] = {1};

	CHECK_OK(pipe(fds));
	CHECK_OK(ftruncate(fd, P));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	CHECK_ERRNO(pwrite(fd, BAD, 5, 0), EFAULT);
	CHECK_ERRNO(pwrite(fd, "hello", 5, 0), EPERM);
	p = map_shared(reopened(tmp, O_RDWR), 2, RW);
	CHECK_ERRNO(pwrite(tmp, p + P, 5, 3 * P), EFAULT); /* the write itself would have made the source */
	CHECK_EQ(lseek(tmp, 0, SEEK_END), 0);
	CHECK_ERRNO(pwrite(fds[0], "hello", 5, 0), ESPIPE);
	CHECK_ERRNO(pread(fds[1], &fds, 5, 0), ESPIPE);
	CHECK_ERRNO(fallocate(ro, 0, 0, 0), EINVAL);
	CHECK_ERRNO(fallocate(ro, 0, 0, P), EBADF);
	fd = CHECK_OK((int)syscall(SYS_memfd_create, "sealed", 2));
	CHECK_OK(ftruncate(fd, 2 * P));
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_KEEP_SIZE, P, 2 * P), EPERM); /* beyond the end, although the end stays */
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 2 * P));
	CHECK_ERRNO(pwrite(fd, page, P, P + 100), EPERM); /* not even the part before the end */
	CHECK_EQ(pread(fd, page, 1, P + 100), 1);
	CHECK_EQ(page[0], 0);
	CHECK_ERRNO(fcntl(tmp, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_EQ(fcntl(tmp, F_GET_SEALS), F_SEAL_SEAL);
}
