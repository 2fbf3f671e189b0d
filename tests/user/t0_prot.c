/*
 * t0_prot.c - per-entry protections: T0-07..10, T0-14, T0-15, T0-16 (spec 1f), and the mosaic.
 */
#define _GNU_SOURCE
#include "paint.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N 64
#define M 63
#define RW (PROT_READ | PROT_WRITE)

TEST(T0_07, "T0-07 stars")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, PROT_NONE);

	PTERON_ONLY();
	for (size_t k = 1; k < N - 1; k += 4) {
		CHECK_OK(rfp(w + k * P, P, RW, N - 1 - k, MAP_CHGPROT));
		CHECK_NOFAULT(try_read(w + k * P));
		CHECK_EQ(tag(w, k), N - 1 - k);
		CHECK_NOFAULT(try_write64(w + k * P, 100 + k));
		CHECK_EQ(file_tag(fd, N - 1 - k), 100 + k);
		CHECK_ACCERR(try_read(w + (k - 1) * P), w + (k - 1) * P);
		CHECK_ACCERR(try_write(w + (k + 1) * P + 17, 1), w + (k + 1) * P + 17);
		CHECK_OK(madvise(w + k * P, P, MADV_DONTNEED)); /* now a fault must judge, by the entry */
		CHECK_NOFAULT(try_write64(w + k * P, 200 + k));
		CHECK_EQ(file_tag(fd, N - 1 - k), 200 + k);
	}
	CHECK_EQ(vma_count(w, N * P, NULL), 1);
}

TEST(T0_08, "T0-08 downgrade")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW), *p = w + 5 * P;

	PTERON_ONLY();
	CHECK_NOFAULT(try_write64(p, 55));
	CHECK_OK(rfp(p, P, PROT_READ, 5, MAP_CHGPROT));
	CHECK_NOFAULT(try_read(p));
	CHECK_ACCERR(try_write(p + 9, 1), p + 9);
	CHECK_EQ(tag(w, 5), 55);
	CHECK_OK(rfp(p, P, PROT_NONE, 5, MAP_CHGPROT));
	CHECK_ACCERR(try_read(p), p);
	CHECK_ACCERR(try_write(p + 4095, 1), p + 4095);
	CHECK_ACCERR(try_exec(p), p);
	CHECK_OK(rfp(p, P, RW, 5, MAP_CHGPROT));
	CHECK_EQ(tag(w, 5), 55);
	CHECK_NOFAULT(try_write64(p, 56));
	CHECK_EQ(file_tag(fd, 5), 56);
	CHECK_NOFAULT(try_write64(w + 4 * P, 4)); /* the neighbours never changed */
	CHECK_NOFAULT(try_write64(w + 6 * P, 6));
	CHECK_EQ(vma_count(w, N * P, NULL), 1);
}

TEST(T0_09, "T0-09 exec")
{
	u8 code[4096];
	int fd = tagged_memfd(8);
	u8 *w = map_shared(fd, 8, RW), *p = w + 2 * P;

	PTERON_ONLY();
	memset(code, RET_INSN, sizeof(code));
	CHECK_EQ(pwrite(fd, code, P, 6 * P), P);
	for (int round = 0; round < 3; round++) {
		CHECK_OK(rfp(p, P, PROT_READ, 6, MAP_CHGPROT));
		CHECK_EQ(*p, RET_INSN);
		if (has_nx())
			CHECK_ACCERR(try_exec(p), p);
		else
			CHECK_NOFAULT(try_exec(p)); /* without NX, executing is reading */
		if (round == 1) {               /* trap 1c-a: the X of an entry that holds no page */
			CHECK_OK(madvise(p, P, MADV_DONTNEED));
			if (has_nx())
				CHECK_ACCERR(try_exec(p), p);
			CHECK_NOFAULT(try_read(p));
		}
		CHECK_OK(rfp(p, P, PROT_READ | PROT_EXEC, 6, MAP_CHGPROT));
		CHECK_NOFAULT(try_exec(p));
		CHECK_ACCERR(try_write(p, 1), p);
		if (round == 2) {
			CHECK_OK(madvise(p, P, MADV_DONTNEED));
			CHECK_NOFAULT(try_exec(p));
			CHECK_ACCERR(try_write(p, 1), p);
		}
	}
}

/* Can prot @prot be refused on a window over @fd without a trace? */
static void expect_eperm(int fd, int prot)
{
	char before[256], after[256];
	u8 *w = map_shared(fd, 8, PROT_READ);

	CHECK_OK(rfp(w + 3 * P, P, 0, 5, 0));
	CHECK_EQ(vma_count(w, 8 * P, before), 1);
	CHECK_ERRNO(rfp(w, 4 * P, prot, 1, MAP_CHGPROT), EPERM);
	CHECK_EQ(vma_count(w, 8 * P, after), 1);
	CHECK(!strcmp(before, after));
	CHECK_EQ(tag(w, 0), 0);
	CHECK_EQ(tag(w, 3), 5);
	CHECK_ACCERR(try_write(w, 1), w);
	/* Not marked MANYPROTS: the vma's protection still rules. */
	CHECK_OK(mprotect(w, 8 * P, PROT_NONE));
	CHECK_ACCERR(try_read(w + 3 * P), w + 3 * P);
	CHECK_OK(munmap(w, 8 * P));
}

TEST(T0_10, "T0-10 EPERM, a sealed memfd")
{
	int fd = CHECK_OK((int)syscall(SYS_memfd_create, "sealed", MFD_ALLOW_SEALING));

	PTERON_ONLY();
	tag_file(fd, 8);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
	CHECK_ERRNO(write(fd, "x", 1), EPERM);
	CHECK_ERRNO(mmap(NULL, P, RW, MAP_SHARED, fd, 0), EPERM);
	expect_eperm(fd, RW);
}

TEST(T0_10b, "T0-10b EPERM, a noexec mount")
{
	char dir[128];
	int fd;

	PTERON_ONLY();
	snprintf(dir, sizeof(dir), "%s", path_in(tmp_dir(), "noexec"));
	CHECK_OK(mkdir(dir, 0700));
	CHECK_OK(mount("none", dir, "tmpfs", MS_NOEXEC, NULL));
	fd = make_file(dir, "f", 0);
	tag_file(fd, 8);
	CHECK_ERRNO(mmap(NULL, P, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0), EPERM);
	expect_eperm(fd, PROT_READ | PROT_EXEC);
	close(fd);
	CHECK_OK(umount(dir));
}

/* T0-14: mprotect over a normal vma and a painted one: the default and every entry change. */
TEST(T0_14, "T0-14 mprotect span")
{
	int fd = tagged_memfd(M);
	u8 *base, *w;

	PTERON_ONLY();
	base = map_anon(4 + M, RW);
	base[0] = 42;
	w = CHECK_OK(mmap(base + 4 * P, M * P, RW, MAP_SHARED | MAP_FIXED, fd, 0));
	paint(w, M);
	CHECK_OK(madvise(w + 10 * P, 20 * P, MADV_DONTNEED)); /* some entries hold no page */
	CHECK_OK(mprotect(base, (4 + M) * P, PROT_READ));
	CHECK_EQ(base[0], 42);
	CHECK_ACCERR(try_write(base, 1), base);
	for (size_t i = 0; i < M; i++) {
		CHECK_NOFAULT(try_read(w + i * P));
		CHECK_EQ(tag(w, i), M - 1 - i);
		CHECK_ACCERR(try_write(w + i * P, 1), w + i * P);
	}
	CHECK_OK(mprotect(base, (4 + M) * P, RW));
	for (size_t i = 0; i < M; i++)
		CHECK_NOFAULT(try_write64(w + i * P, M - 1 - i));
	for (size_t i = 0; i < M; i++)
		CHECK_EQ(file_tag(fd, i), i);
	/* Fully covered: uniform again, so a later mprotect wins also over entries without a page (R0.6). */
	CHECK_OK(madvise(w, M * P, MADV_DONTNEED));
	CHECK_OK(mprotect(w, M * P, PROT_NONE));
	for (size_t i = 0; i < M; i++)
		CHECK_ACCERR(try_read(w + i * P), w + i * P);
}

/* The second vma of the range refuses: nothing of the first one may have changed (trap e). */
TEST(T0_14c, "T0-14c mprotect refused by a later vma")
{
	int fd = tagged_memfd(4);
	char path[64];
	u8 *base, *w;

	PTERON_ONLY(); /* on Linux what comes before the second vma stays changed */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = CHECK_OK(open(path, O_RDONLY));
	base = map_anon(8, PROT_READ);
	w = CHECK_OK(mmap(base + 4 * P, 4 * P, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
	CHECK_EQ(tag(w, 3), 3);
	CHECK_ERRNO(mprotect(base, 8 * P, RW), EACCES);
	CHECK_ACCERR(try_write(base, 1), base);
	CHECK_ACCERR(try_write(w, 1), w);
	CHECK_EQ(tag(w, 3), 3);
}

TEST(T0_14b, "T0-14b mprotect of a part")
{
	int fd = tagged_memfd(M);
	u8 *w;

	PTERON_ONLY();
	w = map_shared(fd, M, RW);
	paint(w, M);
	CHECK_OK(mprotect(w + 21 * P, 21 * P, PROT_READ));
	expect_painted(w, 21, M);
	for (size_t i = 21; i < 42; i++) {
		CHECK_EQ(tag(w, i), M - 1 - i);
		CHECK_ACCERR(try_write(w + i * P, 1), w + i * P);
	}
	for (size_t i = 42; i < M; i++) {
		if (paint_prot(i) == PROT_NONE)
			CHECK_ACCERR(try_read(w + i * P), w + i * P);
		else
			CHECK_EQ(tag(w, i), M - 1 - i);
	}
	CHECK_ERRNO(mprotect(w, (M + 1) * P + (size_t)(1u << 30), PROT_READ), ENOMEM);
}

TEST(T0_15, "T0-15 mprotect uniform nonlinear")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW);

	for (size_t i = 0; i < N; i++)
		CHECK_OK(rfp(w + i * P, P, 0, N - 1 - i, 0));
	CHECK_OK(madvise(w, N / 2 * P, MADV_DONTNEED)); /* half of the entries hold no page */
	CHECK_OK(mprotect(w, N * P, PROT_READ));
	for (size_t i = 0; i < N; i++)
		CHECK_ACCERR(try_write(w + i * P, 1), w + i * P);
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(w, i), N - 1 - i);
	for (size_t i = 0; i < N; i++)
		CHECK_ACCERR(try_write(w + i * P, 1), w + i * P);
	CHECK_OK(mprotect(w, N * P, RW));
	for (size_t i = 0; i < N; i++)
		CHECK_NOFAULT(try_write64(w + i * P, 600 + i));
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(file_tag(fd, N - 1 - i), 600 + i);
}

TEST(T0_16, "T0-16 DONTNEED")
{
	int fd = tagged_memfd(M);
	u8 *w = map_shared(fd, M, RW);

	PTERON_ONLY();
	paint(w, M);
	for (int round = 0; round < 3; round++) {
		CHECK_OK(madvise(w, M * P, MADV_DONTNEED));
		if (round == 1) { /* the content is read from the file again */
			for (size_t i = 0; i < M; i++)
				CHECK_EQ(pwrite(fd, &(u64){900 + i}, 8, (off_t)(i * P)), 8);
			for (size_t i = 0; i < M; i++)
				if (paint_prot(i) != PROT_NONE)
					CHECK_EQ(tag(w, i), 900 + M - 1 - i);
			tag_file(fd, M);
		}
		expect_painted(w, M, M);
	}
	CHECK_EQ(vma_count(w, M * P, NULL), 1);
}

TEST(T0_16b, "T0-16b DONTNEED, a file on disk")
{
	int fd = make_file(disk_dir(), "dn", 0);
	u8 *w;

	PTERON_ONLY();
	tag_file(fd, M);
	w = map_shared(fd, M, RW);
	paint(w, M);
	expect_painted(w, M, M);
	CHECK_OK(madvise(w, M * P, MADV_DONTNEED));
	expect_painted(w, M, M);
	CHECK_OK(msync(w, M * P, MS_SYNC));
	expect_painted(w, M, M);
}

/* -- a uniform window and a remap that does not change protections -------------------------------------------- */

TEST(T0_08b, "T0-08b remap without CHGPROT in a window of many protections")
{
	int fd = tagged_memfd(M);
	u8 *w = map_shared(fd, M, PROT_READ);

	PTERON_ONLY();
	CHECK_OK(rfp(w, P, RW, 7, MAP_CHGPROT));
	CHECK_NOFAULT(try_write64(w, 7));
	CHECK_OK(rfp(w, P, 0, 8, 0)); /* the vma's own protection: read only */
	CHECK_EQ(tag(w, 0), 8);
	CHECK_ACCERR(try_write(w, 1), w);
}

/* System calls meet the same walls as instructions do. */
TEST(T0_08c, "T0-08c system calls respect the entries")
{
	int fd = tagged_memfd(M), pipefd[2];
	u8 *w = map_shared(fd, M, RW);

	PTERON_ONLY();
	paint(w, M);
	CHECK_OK(pipe(pipefd));
	CHECK_ERRNO(write(pipefd[1], w, 8), EFAULT);
	CHECK_EQ(write(pipefd[1], w + P, 8), 8);
	CHECK_ERRNO(read(pipefd[0], w, 8), EFAULT);
	CHECK_ERRNO(read(pipefd[0], w + P, 8), EFAULT);
	CHECK_EQ(write(pipefd[1], w + P, 8), 8);
	CHECK_OP(read(pipefd[0], w + 2 * P, 8), >, 0);
	CHECK_EQ(tag(w, 2), tag(w, 1));
}

/* -- the mosaic ------------------------------------------------------------------------------------------------- */

#define TILES 65536u
/* A permutation without fixed structure: multiplication by an odd number modulo 2^16. */
static size_t tile(size_t i)
{
	return i * 40503u % TILES;
}

TEST_SECONDS(mosaic, "mosaic 65536 pages in one vma", 120)
{
	int fd = CHECK_OK((int)syscall(SYS_memfd_create, "mosaic", 0));
	u8 *w;

	CHECK_OK(ftruncate(fd, (off_t)TILES * (off_t)P));
	if (!on_pteron()) { /* what Linux makes of it: a vma each, so it stops at max_map_count */
		size_t done = 0;

		w = map_shared(fd, TILES, RW);
		while (done < TILES && rfp(w + done * P, P, 0, tile(done) ^ 1, MAP_NONBLOCK) == 0)
			done++;
		test_note("Linux stopped at page %zu: %s", done, strerror(errno));
		SKIP("needs Pteron");
	}
	w = map_shared(fd, TILES, PROT_READ);
	for (size_t i = 0; i < TILES; i++)
		CHECK_OK(rfp(w + i * P, P, paint_prot(i), tile(i), MAP_CHGPROT | MAP_NONBLOCK));
	CHECK_EQ(vma_count(w, TILES * P, NULL), 1);
	for (size_t i = 0; i < TILES; i += 61) {
		u64 value = 0xabc0000 + i;

		CHECK_EQ(pwrite(fd, &value, 8, (off_t)tile(i) * (off_t)P), 8);
		if (paint_prot(i) == PROT_NONE) {
			CHECK_ACCERR(try_read(w + i * P), w + i * P);
			continue;
		}
		CHECK_EQ(tag(w, i), value);
		if (paint_prot(i) == PROT_READ) {
			CHECK_ACCERR(try_write(w + i * P, 1), w + i * P);
		} else {
			CHECK_NOFAULT(try_write64(w + i * P, value + 1));
			CHECK_EQ(file_tag(fd, tile(i)), value + 1);
		}
	}
	CHECK_EQ(vma_count(w, TILES * P, NULL), 1);
	CHECK_OK(munmap(w, TILES * P));
}
