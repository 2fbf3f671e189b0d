/*
 * t0_private.c - private windows of many offsets and protections: read-only ones, as a program with a hundred libraries
 * would want them, and with copy on write (spec 1b fact 23, 1d); and T0-26, who may get past a protection.
 */
#define _GNU_SOURCE
#include "paint.h"

#include "kernel/uapi/remap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#define M 63
#define RW (PROT_READ | PROT_WRITE)

static u8 *map_private(int fd, int prot)
{
	return CHECK_OK(mmap(NULL, M * P, prot, MAP_PRIVATE, fd, 0));
}

static void expect_file_untouched(int fd)
{
	for (size_t i = 0; i < M; i++)
		CHECK_EQ(file_tag(fd, i), i);
}

TEST(T0_29, "T0-29 private: one vma for the text, data and rest of many libraries")
{
	int fd = tagged_memfd(M);
	u8 *w = map_private(fd, PROT_NONE);

	PTERON_ONLY();
	paint(w, M);
	CHECK_EQ(vma_count(w, M * P, NULL), 1);
	for (size_t i = 0; i < M; i++) {
		u8 *p = w + i * P;

		if (paint_prot(i) == PROT_NONE) {
			CHECK_ACCERR(try_read(p), p);
			continue;
		}
		CHECK_EQ(tag(w, i), M - 1 - i);
		if (paint_prot(i) == PROT_READ)
			CHECK_ACCERR(try_write(p, 1), p);
		else
			CHECK_NOFAULT(try_write64(p, 1000 + i)); /* a copy */
	}
	expect_file_untouched(fd);
	for (size_t i = 2; i < M; i += 3)
		CHECK_EQ(tag(w, i), 1000 + i);
	CHECK_ERRNO(rfp(w, P, 0, 3, 0), EINVAL); /* without MAP_CHGPROT, what Linux says */
	CHECK_EQ(vma_count(w, M * P, NULL), 1);
}

/* A copy has its entry's grants, and where they go, it goes. */
TEST(T0_29c, "T0-29c private: copies keep their grants and their places")
{
	int fd = tagged_memfd(M);
	u8 *w = map_private(fd, PROT_NONE), *p = w + 5 * P, *moved;

	PTERON_ONLY();
	paint(w, M); /* entry 5: page 57, RW */
	CHECK_NOFAULT(try_write64(p, 555));
	CHECK_OK(rfp(p, P, PROT_READ, 0, MAP_CHGPROT | MAP_KEEPOFF));
	CHECK_EQ(tag(w, 5), 555);
	CHECK_ACCERR(try_write(p, 1), p);
	CHECK_OK(rfp(p, P, PROT_NONE, 0, MAP_CHGPROT | MAP_KEEPOFF));
	CHECK_ACCERR(try_read(p), p);
	CHECK_OK(rfp(p, P, RW, 0, MAP_CHGPROT | MAP_KEEPOFF));
	CHECK_EQ(tag(w, 5), 555);
	CHECK_NOFAULT(try_write64(p, 556));
	CHECK_OK(mprotect(p, P, PROT_READ));
	CHECK_EQ(tag(w, 5), 556);
	CHECK_ACCERR(try_write(p, 1), p);
	moved = CHECK_OK(mremap(p, P, P, MREMAP_MAYMOVE | MREMAP_FIXED, map_anon(1, RW)));
	CHECK_EQ(*(u64 *)moved, 556);
	CHECK_OK(madvise(moved, P, MADV_DONTNEED)); /* the copy goes; the entry still stands for page 57 */
	CHECK_EQ(*(u64 *)moved, 57);
	CHECK_OK(munmap(moved, P));
	CHECK_NOFAULT(try_write64(w + 8 * P, 888));
	CHECK_OK(rfp(w + 8 * P, P, RW, 20, MAP_CHGPROT)); /* another page, no longer the copy */
	CHECK_EQ(tag(w, 8), 20);
	CHECK_OK(rfp(w + 8 * P, P, RW, 8, MAP_CHGPROT)); /* home */
	CHECK_NOFAULT(try_write64(w + 8 * P, 8));
	CHECK_OK(madvise(w + 6 * P, (M - 6) * P, MADV_DONTNEED));
	expect_file_untouched(fd);
	CHECK_EQ(tag(w, 8), 8);
	CHECK_EQ(tag(w, 11), M - 1 - 11);
}

struct family {
	u8 *w;
	int fd;
};

static void family_child(void *arg)
{
	struct family *f = arg;

	CHECK_EQ(tag(f->w, 2), 200); /* the parent's copy, shared until one of us stores */
	CHECK_NOFAULT(try_write64(f->w + 2 * P, 201));
	CHECK_NOFAULT(try_write64(f->w + 8 * P, 801));
	CHECK_EQ(tag(f->w, 2), 201);
	CHECK_OK(madvise(f->w, M * P, MADV_DONTNEED));
	CHECK_EQ(tag(f->w, 2), M - 1 - 2);
	CHECK_EQ(tag(f->w, 8), M - 1 - 8);
	for (size_t i = 0; i < M; i++)
		CHECK_OK(rfp(f->w + i * P, P, RW, i, MAP_CHGPROT));
	for (size_t i = 0; i < M; i++)
		CHECK_EQ(tag(f->w, i), i);
}

TEST(T0_29f, "T0-29f private: fork")
{
	struct family f = {.fd = tagged_memfd(M)};

	PTERON_ONLY();
	f.w = map_private(f.fd, PROT_NONE);
	paint(f.w, M);
	CHECK_NOFAULT(try_write64(f.w + 2 * P, 200));
	in_child(family_child, &f);
	CHECK_EQ(tag(f.w, 2), 200);
	CHECK_EQ(tag(f.w, 8), M - 1 - 8);
	CHECK_NOFAULT(try_write64(f.w + 2 * P, 202));
	expect_file_untouched(f.fd);
	CHECK_OK(munmap(f.w + 1 * P, 9 * P));
	CHECK_EQ(tag(f.w, 11), M - 1 - 11);
}

TEST(T0_29t, "T0-29t private: truncate")
{
	int fd = tagged_memfd(M);
	u8 *w = map_private(fd, PROT_NONE);

	PTERON_ONLY();
	paint(w, M);
	CHECK_NOFAULT(try_write64(w + 2 * P, 22));   /* a copy of page 60, at the place of page 2 */
	CHECK_NOFAULT(try_write64(w + 50 * P, 500)); /* a copy of page 12, at the place of page 50 */
	CHECK_OK(ftruncate(fd, 30 * P));
	CHECK_BUS(try_read(w + 5 * P), w + 5 * P);
	CHECK_EQ(tag(w, 50), 500); /* page 50 is gone; this is not it */
	CHECK_EQ(tag(w, 49), M - 1 - 49);
	CHECK_OK(munmap(w, M * P));
}

TEST(T0_29d, "T0-29d private: a file on disk, paged out and in again")
{
	int fd = make_file(disk_dir(), "private", 0);
	u8 *w;

	PTERON_ONLY();
	tag_file(fd, M);
	CHECK_OK(fsync(fd));
	w = map_private(fd, PROT_NONE);
	paint(w, M);
	CHECK_NOFAULT(try_write64(w + 2 * P, 22));
	CHECK_OK(madvise(w, M * P, MADV_PAGEOUT));
	CHECK_EQ(tag(w, 2), 22);
	for (size_t i = 5; i < M; i += 3)
		CHECK_EQ(tag(w, i), M - 1 - i);
	CHECK_ACCERR(try_write(w + P, 1), w + P);
	expect_file_untouched(fd);
}

/* -- T0-26 ------------------------------------------------------------------------------------------------------------ */

static ssize_t vm_write(void *to, u64 *value, size_t n)
{
	struct iovec l = {value, n}, r = {to, n};

	return process_vm_writev(getpid(), &l, 1, &r, 1, 0);
}

static ssize_t vm_read(const void *from, void *to, size_t n)
{
	struct iovec l = {to, n}, r = {(void *)from, n};

	return process_vm_readv(getpid(), &l, 1, &r, 1, 0);
}

TEST(T0_26, "T0-26 force: a shared window's protections hold for everybody")
{
	int fd = tagged_memfd(M), mem = CHECK_OK(open("/proc/self/mem", O_RDWR));
	u8 *w = map_shared(fd, M, RW);
	u64 value = 4711, seen = 0;

	PTERON_ONLY();
	paint(w, M); /* 0: none, 1: R, 2: RW */
	CHECK_ERRNO(vm_write(w + P, &value, 8), EFAULT);
	CHECK_ERRNO(pwrite(mem, &value, 8, (off_t)(uintptr_t)(w + P)), EIO);
	CHECK_EQ(tag(w, 1), M - 2);
	CHECK_ACCERR(try_write(w + P, 1), w + P); /* still read-only */
	CHECK_ERRNO(vm_read(w, &seen, 8), EFAULT);
	CHECK_ERRNO(pread(mem, &seen, 8, (off_t)(uintptr_t)w), EIO);
	CHECK_ERRNO(vm_write(w, &value, 8), EFAULT);
	CHECK_ACCERR(try_read(w), w);
	CHECK_EQ(vm_read(w + P, &seen, 8), 8);
	CHECK_EQ(seen, M - 2);
	CHECK_EQ(pread(mem, &seen, 8, (off_t)(uintptr_t)(w + 2 * P)), 8);
	CHECK_EQ(seen, M - 3);
	CHECK_EQ(vm_write(w + 2 * P, &value, 8), 8);
	CHECK_EQ(file_tag(fd, M - 3), value);
	CHECK_EQ(file_tag(fd, M - 2), M - 2);
	CHECK_EQ(file_tag(fd, M - 1), M - 1);
}

/* In a private mapping a debugger gets through: to the mapping's own copy, and the protection stays. */
TEST(T0_26p, "T0-26p force: private mappings, past their protection")
{
	int fd = tagged_memfd(4), mem = CHECK_OK(open("/proc/self/mem", O_RDWR));
	u8 *w = CHECK_OK(mmap(NULL, 4 * P, PROT_READ, MAP_PRIVATE, fd, 0)), *anon = map_anon(2, PROT_NONE);
	u64 value = 4711, seen = 0;

	CHECK_ERRNO(vm_write(w + P, &value, 8), EFAULT);
	CHECK_EQ(pwrite(mem, &value, 8, (off_t)(uintptr_t)(w + P)), 8);
	CHECK_EQ(tag(w, 1), value);
	CHECK_EQ(file_tag(fd, 1), 1);
	CHECK_ACCERR(try_write(w + P, 1), w + P);
	CHECK_ERRNO(vm_read(anon, &seen, 8), EFAULT);
	CHECK_EQ(pwrite(mem, &value, 8, (off_t)(uintptr_t)(anon + P - 4)), 8); /* over a page boundary */
	CHECK_EQ(pread(mem, &seen, 8, (off_t)(uintptr_t)(anon + P - 4)), 8);
	CHECK_EQ(seen, value);
	CHECK_ACCERR(try_read(anon), anon);
	CHECK_ERRNO(pread(mem, &seen, 8, 8), EIO); /* nothing is there */
	CHECK_OK(munmap(anon + P, P));
	CHECK_EQ(pread(mem, &seen, 8, (off_t)(uintptr_t)(anon + P - 4)), 4);
}

TEST(T0_26n, "T0-26n force: private windows of many protections")
{
	int fd = tagged_memfd(M), mem = CHECK_OK(open("/proc/self/mem", O_RDWR));
	u8 *w = map_private(fd, PROT_NONE);
	u64 value = 99, seen = 0;

	PTERON_ONLY();
	paint(w, M);
	CHECK_EQ(pread(mem, &seen, 8, (off_t)(uintptr_t)w), 8); /* PROT_NONE */
	CHECK_EQ(seen, M - 1);
	CHECK_EQ(pwrite(mem, &value, 8, (off_t)(uintptr_t)(w + P)), 8);
	CHECK_EQ(tag(w, 1), value);
	CHECK_ACCERR(try_write(w + P, 1), w + P);
	CHECK_ACCERR(try_read(w), w);
	CHECK_OK(madvise(w, M * P, MADV_DONTNEED));
	CHECK_EQ(tag(w, 1), M - 2);
	expect_file_untouched(fd);
}
