/*
 * t0_remap.c - remap_file_pages moves offsets: T0-01..06, T0-11, T0-13, T0-21, T0-22, T0-27 (spec 1f).
 */
#define _GNU_SOURCE
#include "paint.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define N 64
#define M 63 /* a multiple of the protection cycle */
#define RW (PROT_READ | PROT_WRITE)

/* Entry i of the window shows page N-1-i. */
static void reverse(u8 *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CHECK_OK(rfp(w + i * P, P, 0, n - 1 - i, 0));
}

static void expect_reverse(const u8 *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(tag(w, i), n - 1 - i);
}

TEST(T0_01, "T0-01 reverse")
{
	const size_t n = 512;
	int fd = tagged_memfd(n);
	u8 *w = map_shared(fd, n, RW);
	u32 seed = 1;

	reverse(w, n);
	expect_reverse(w, n);
	if (!on_pteron())
		return; /* Linux emulates with a vma per page */
	CHECK_EQ(vma_count(w, n * P, NULL), 1);
	for (int k = 0; k < 100000; k++)
		CHECK_OK(rfp(w + rnd(&seed) % n * P, P, 0, rnd(&seed) % n, 0));
	CHECK_EQ(vma_count(w, n * P, NULL), 1);
	reverse(w, n);
	expect_reverse(w, n);
	for (size_t i = 0; i < n; i++) /* back to linear */
		CHECK_OK(rfp(w + i * P, P, 0, i, 0));
	for (size_t i = 0; i < n; i++)
		CHECK_EQ(tag(w, i), i);
}

TEST(T0_01b, "T0-01b reverse, pages never touched before")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW);

	for (size_t i = 0; i < N; i++)
		CHECK_OK(rfp(w + i * P, P, 0, N - 1 - i, MAP_NONBLOCK));
	expect_reverse(w, N);
}

TEST(T0_01c, "T0-01c reverse of a file on disk")
{
	int fd = make_file(disk_dir(), "rev", 0);
	u8 *w;

	tag_file(fd, N);
	CHECK_OK(fsync(fd));
	w = map_shared(fd, N, RW);
	reverse(w, N);
	expect_reverse(w, N);
	for (size_t i = 0; i < N; i++)
		set_tag(w, i, 1000 + i);
	CHECK_OK(msync(w, N * P, MS_SYNC));
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(file_tag(fd, N - 1 - i), 1000 + i);
}

TEST(T0_02, "T0-02 alias")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW);

	CHECK_OK(rfp(w + 20 * P, P, 0, 7, 0));
	CHECK_EQ(tag(w, 20), 7);
	set_tag(w, 20, 777);
	CHECK_EQ(tag(w, 7), 777);
	CHECK_EQ(file_tag(fd, 7), 777);
	set_tag(w, 7, 778);
	CHECK_EQ(tag(w, 20), 778);
	CHECK_EQ(pwrite(fd, &(u64){779}, 8, 7 * P), 8);
	CHECK_EQ(tag(w, 20), 779);
	CHECK_EQ(tag(w, 7), 779);
	CHECK_EQ(file_tag(fd, 20), 20); /* the page that was displaced is untouched */
}

TEST(T0_03, "T0-03 range")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW);

	CHECK_OK(rfp(w, 8 * P, 0, 16, 0));
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(w, i), i < 8 ? 16 + i : i);
	CHECK_OK(rfp(w + 4 * P, 8 * P, 0, 40, 0));
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(w, i), i < 4 ? 16 + i : i < 12 ? 36 + i : i);
}

TEST(T0_04, "T0-04 rounding")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW);

	CHECK_OK(rfp(w + 5, P + 7, 0, 3, 0));
	CHECK_EQ(tag(w, 0), 3);
	CHECK_EQ(tag(w, 1), 1);
	CHECK_ERRNO(rfp(w, 100, 0, 3, 0), EINVAL);
	CHECK_ERRNO(rfp(w + 2 * P, 0, 0, 3, 0), EINVAL);
	CHECK_EQ(tag(w, 2), 2);
}

TEST(T0_05, "T0-05 EINVAL set")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW);
	u8 *priv = CHECK_OK(mmap(NULL, 4 * P, RW, MAP_PRIVATE, fd, 0));
	u8 *anon = map_anon(4, RW);
	u8 *hole = CHECK_OK(mmap(NULL, 4 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK_OK(munmap(hole, 4 * P));
	CHECK_ERRNO(rfp(w, P, PROT_READ, 9, 0), EINVAL);
	CHECK_ERRNO(rfp((void *)~(P - 1), 2 * P, 0, 9, 0), EINVAL);
	CHECK_ERRNO(rfp(w, ~(size_t)0, 0, 9, 0), EINVAL);
	CHECK_ERRNO(rfp(hole, P, 0, 9, 0), EINVAL);
	CHECK_ERRNO(rfp(NULL, P, 0, 9, 0), EINVAL);
	CHECK_ERRNO(rfp(priv, P, 0, 9, 0), EINVAL);
	CHECK_ERRNO(rfp(anon, P, 0, 9, 0), EINVAL);
	CHECK_ERRNO(rfp(w + (N - 1) * P, 3 * P, 0, 9, 0), EINVAL);
	if (is64 || on_pteron()) { /* a 64-bit Linux does not see a 32-bit program's offset wrap */
		CHECK_ERRNO(rfp(w, 2 * P, 0, ~(size_t)0, 0), EINVAL);
		CHECK_ERRNO(rfp(w, P, 0, ~(size_t)0, 0), EINVAL);
	}
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(w, i), i);
	CHECK_OK(rfp(w, P, 0, 9, 0x40)); /* other flag bits are ignored */
	CHECK_EQ(tag(w, 0), 9);
}

/* The largest page offset that the format can hold, by bisection; ~0 if only the wrap test limits it. */
static size_t largest_pgoff(u8 *w)
{
	size_t good = 0, bad = ~(size_t)0 - 1;

	if (rfp(w, P, 0, bad, 0) == 0)
		return ~(size_t)0;
	while (bad - good > 1) {
		size_t mid = good + (bad - good) / 2;

		if (rfp(w, P, 0, mid, 0) == 0) {
			good = mid;
		} else {
			CHECK_EQ(errno, EOVERFLOW);
			bad = mid;
		}
	}
	return good;
}

TEST(T0_06, "T0-06 EOVERFLOW")
{
	int fd = tagged_memfd(N);
	u8 *w = map_shared(fd, N, RW);
	size_t max;
	u64 end, value = 0x1122334455667788ull;

	PTERON_ONLY();
	max = largest_pgoff(w);
	if (max == ~(size_t)0) {
		CHECK(!is64); /* PAE: every 32-bit offset fits */
		CHECK_OK(rfp(w, P, 0, 0xfffffffe, 0));
		CHECK_ERRNO(rfp(w, P, 0, 0xffffffff, 0), EINVAL);
		max = 0xfffffffe;
	} else {
		test_note("largest page offset 0x%zx", max);
		CHECK((max & (max + 1)) == 0); /* 2^bits - 1 */
		CHECK(is64 ? max == (size_t)((1ull << 46) - 1) : max == (1u << 28) - 1);
		CHECK_OK(rfp(w, P, 0, max, 0));
		CHECK_ERRNO(rfp(w, P, 0, max + 1, 0), EOVERFLOW);
		CHECK_ERRNO(rfp(w, 2 * P, 0, max, 0), EOVERFLOW);
	}
	CHECK_BUS(try_read(w), w); /* still the last offset that succeeded, beyond the end of the file */
	CHECK_EQ(tag(w, 1), 1);
	/* Read the exact offset back through a file that is that long, if it may be. */
	end = ((u64)max + 1) * P;
	if (ftruncate(fd, (off_t)end)) {
		CHECK(errno == EFBIG || errno == EINVAL);
		test_note("no file of 0x%llx bytes here: offset not read back", (unsigned long long)end);
		return;
	}
	CHECK_EQ(pwrite(fd, &value, 8, (off_t)(end - P)), 8);
	CHECK_EQ(tag(w, 0), value);
	CHECK_OK(madvise(w, P, MADV_DONTNEED));
	CHECK_EQ(tag(w, 0), value);
}

TEST(T0_11, "T0-11 O_RDONLY")
{
	const char *dir = tmp_dir();
	int fd = make_file(dir, "ro", 0), ro;
	u8 *w;

	tag_file(fd, 4);
	ro = CHECK_OK(open(path_in(dir, "ro"), O_RDONLY));
	w = map_shared(ro, 4, PROT_READ);
	CHECK_ERRNO(rfp(w, P, 0, 3, 0), EINVAL);
	CHECK_EQ(tag(w, 0), 0);
}

/* T0-13: the child sees the parent's picture, then paints its own. */
struct picture {
	u8 *w;
	int fd;
};

static void fork_child(void *arg)
{
	struct picture *pic = arg;

	expect_reverse(pic->w, N);
	for (size_t i = 0; i < N; i++)
		CHECK_OK(rfp(pic->w + i * P, P, 0, i / 2, 0));
	for (size_t i = 0; i < N; i++)
		CHECK_EQ(tag(pic->w, i), i / 2);
	set_tag(pic->w, 62, 4242); /* page 31 */
	CHECK_OK(munmap(pic->w, 8 * P));
}

TEST(T0_13, "T0-13 fork")
{
	struct picture pic = {.fd = tagged_memfd(N)};

	pic.w = map_shared(pic.fd, N, RW);
	for (size_t i = 0; i < N; i++)
		CHECK_OK(rfp(pic.w + i * P, P, 0, N - 1 - i, MAP_NONBLOCK));
	CHECK_OK(madvise(pic.w, N / 2 * P, MADV_DONTNEED)); /* half resident */
	for (size_t i = N / 2; i < N; i++)
		CHECK_EQ(tag(pic.w, i), N - 1 - i);
	in_child(fork_child, &pic);
	CHECK_EQ(tag(pic.w, N - 1 - 31), 4242);
	set_tag(pic.w, N - 1 - 31, 31);
	expect_reverse(pic.w, N);
}

static void fork_paint_child(void *arg)
{
	struct picture *pic = arg;

	expect_painted(pic->w, M, M);
	for (size_t i = 0; i < M; i++)
		CHECK_OK(rfp(pic->w + i * P, P, RW, i, MAP_CHGPROT));
	for (size_t i = 0; i < M; i++)
		CHECK_NOFAULT(try_write64(pic->w + i * P, 9000 + i));
	CHECK_EQ(vma_count(pic->w, M * P, NULL), 1);
}

TEST(T0_13b, "T0-13b fork keeps protections")
{
	struct picture pic = {.fd = tagged_memfd(M)};

	PTERON_ONLY();
	pic.w = map_shared(pic.fd, M, RW);
	paint(pic.w, M);
	CHECK_OK(madvise(pic.w, M / 2 * P, MADV_DONTNEED)); /* half of the entries hold no page */
	in_child(fork_paint_child, &pic);
	for (size_t i = 0; i < M; i++) /* the data is shared ... */
		CHECK_EQ(file_tag(pic.fd, i), 9000 + i);
	tag_file(pic.fd, M);
	expect_painted(pic.w, M, M); /* ... the picture is not */
	CHECK_EQ(vma_count(pic.w, M * P, NULL), 1);
}

/* T0-21: pages that nobody wrote are not cached. */
TEST(T0_21, "T0-21 NONBLOCK")
{
	int fd = make_file(disk_dir(), "cold", 0);
	u8 *w;

	CHECK_OK(ftruncate(fd, N * P));
	w = map_shared(fd, N, RW);
	CHECK_EQ(resident(w + 3 * P), 0);
	CHECK_OK(rfp(w + 3 * P, P, 0, 40, MAP_NONBLOCK));
	CHECK_EQ(resident(w + 3 * P), 0);
	CHECK_EQ(tag(w, 3), 0);
	CHECK_EQ(resident(w + 3 * P), 1);
	CHECK_OK(rfp(w + 5 * P, P, 0, 50, 0));
	CHECK_EQ(resident(w + 5 * P), 1);
	set_tag(w, 5, 55);
	CHECK_EQ(file_tag(fd, 50), 55);
}

static long minor_faults(void)
{
	struct rusage ru;

	CHECK_OK(getrusage(RUSAGE_SELF, &ru));
	return ru.ru_minflt;
}

TEST(T0_22, "T0-22 POPULATE private")
{
	int fd = tagged_memfd(N);
	u8 *w = CHECK_OK(mmap(NULL, N * P, RW, MAP_PRIVATE | MAP_POPULATE, fd, 0)), *probe = map_anon(1, RW);
	long before, faults;
	u64 sum = 0;

	for (size_t i = 0; i < N; i++)
		CHECK_EQ(resident(w + i * P), 1);
	before = minor_faults();
	for (size_t i = 0; i < N; i++)
		sum += tag(w, i);
	faults = minor_faults() - before;
	CHECK_EQ(sum, N * (N - 1) / 2);
	CHECK_EQ(faults, 0);
	*probe = 1; /* the counter does count */
	CHECK_OP(minor_faults(), >, before);
	if (on_pteron()) { /* Linux populates a writable private mapping with its own copies */
		CHECK_EQ(pwrite(fd, &(u64){333}, 8, 3 * P), 8);
		CHECK_EQ(tag(w, 3), 333);
	}
	set_tag(w, 3, 1);
	CHECK_EQ(file_tag(fd, 3), on_pteron() ? 333 : 3);
	CHECK_EQ(pwrite(fd, &(u64){334}, 8, 3 * P), 8);
	CHECK_EQ(tag(w, 3), 1);
}

TEST(T0_22b, "T0-22b POPULATE private, read-only")
{
	int fd = tagged_memfd(N);
	u8 *w = CHECK_OK(mmap(NULL, N * P, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0));
	long before = minor_faults();
	u64 sum = 0;

	for (size_t i = 0; i < N; i++)
		sum += tag(w, i);
	CHECK_EQ(minor_faults() - before, 0);
	CHECK_EQ(sum, N * (N - 1) / 2);
	CHECK_EQ(pwrite(fd, &(u64){333}, 8, 3 * P), 8);
	CHECK_EQ(tag(w, 3), 333);
}

TEST(T0_27, "T0-27 partial munmap, mremap")
{
	int fd = tagged_memfd(M);
	u8 *w = map_shared(fd, M, RW), *moved, *other = map_shared(fd, M, RW);
	const size_t third = M / 3; /* 21: a multiple of the protection cycle */

	PTERON_ONLY();
	paint(w, M);
	CHECK_OK(madvise(w + third / 2 * P, third * P, MADV_DONTNEED));
	CHECK_OK(munmap(w + third * P, third * P));
	CHECK_MAPERR(try_read(w + third * P), w + third * P);
	expect_painted(w, third, M);
	moved = CHECK_OK(mremap(w, third * P, third * P, MREMAP_MAYMOVE | MREMAP_FIXED, other));
	CHECK(moved == other);
	CHECK_MAPERR(try_read(w), w);
	expect_painted(moved, third, M);
	for (size_t i = 2; i < third; i += 3) /* write through the RW ones: the reverse map knows the new place */
		set_tag(moved, i, 7000 + i);
	for (size_t i = 2; i < third; i += 3)
		CHECK_EQ(file_tag(fd, M - 1 - i), 7000 + i);
	CHECK_OK(ftruncate(fd, 0));
	for (size_t i = 0; i < third; i++)
		if (i % 3)
			CHECK_BUS(try_read(moved + i * P), moved + i * P);
	CHECK_OK(munmap(moved, M * P));
	CHECK_OK(munmap(w, M * P));
	CHECK_OK(ftruncate(fd, M * P));
	w = map_shared(fd, M, RW);
	for (size_t i = 0; i < M; i++)
		CHECK_EQ(tag(w, i), 0);
}

TEST(T0_27b, "T0-27b mremap grows a scrambled window")
{
	int fd = tagged_memfd(2 * N);
	u8 *w = map_shared(fd, N, RW), *blocker, *moved;

	reverse(w, N);
	if (!on_pteron())
		SKIP("needs Pteron");
	blocker = mmap(w + N * P, P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	(void)blocker; /* occupied either way */
	CHECK_ERRNO(mremap(w, N * P, 2 * N * P, 0), ENOMEM);
	moved = CHECK_OK(mremap(w, N * P, 2 * N * P, MREMAP_MAYMOVE));
	expect_reverse(moved, N);
	for (size_t i = N; i < 2 * N; i++)
		CHECK_EQ(tag(moved, i), i);
}
