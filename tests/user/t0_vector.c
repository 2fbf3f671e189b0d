/*
 * t0_vector.c - what remap_file_pages has here beyond Linux: many ranges in one call, and other protections without other
 * offsets (spec 1d, kernel/uapi/remap.h).
 */
#define _GNU_SOURCE
#include "paint.h"
#include "race.h"

#include "kernel/uapi/remap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define M 63
#define RW (PROT_READ | PROT_WRITE)

static long remap_vector(const struct remap_entry *e, ulong nr, ulong flags)
{
	return syscall(NR_remap_vector, e, nr, flags);
}

static struct remap_entry entry(const u8 *at, size_t pages, size_t pgoff, int prot)
{
	return (struct remap_entry){.addr = (uintptr_t)at, .length = pages * P, .pgoff = pgoff, .prot = (u32)prot};
}

/* The picture of paint.h, in one call. */
static void paint_at_once(u8 *w, size_t n, ulong flags)
{
	struct remap_entry e[M];

	for (size_t i = 0; i < n; i++)
		e[i] = entry(w + i * P, 1, n - 1 - i, paint_prot(i));
	CHECK_OK(remap_vector(e, n, flags));
}

static void vector_case(int fd, ulong flags)
{
	u8 *w = map_shared(fd, M, RW);

	paint_at_once(w, M, flags);
	expect_painted(w, M, M);
	paint_at_once(w, M, flags); /* now nothing is new */
	expect_painted(w, M, M);
	CHECK_OK(madvise(w, M / 2 * P, MADV_DONTNEED));
	paint_at_once(w, M, flags);
	expect_painted(w, M, M);
	CHECK_EQ(vma_count(w, M * P, NULL), 1);
	CHECK_OK(munmap(w, M * P));
}

TEST(T0_03v, "T0-03v a vector of pages")
{
	PTERON_ONLY();
	vector_case(tagged_memfd(M), 0);
	vector_case(tagged_memfd(M), MAP_NONBLOCK);
}

TEST(T0_03vd, "T0-03vd a vector of pages, a file on disk of which nothing is in memory")
{
	int fd = make_file(disk_dir(), "vec", 0);

	PTERON_ONLY();
	tag_file(fd, M);
	CHECK_OK(fsync(fd));
	CHECK_EQ(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	vector_case(fd, MAP_NONBLOCK);
	vector_case(fd, 0);
}

TEST(T0_03vr, "T0-03vr a vector of ranges over several vmas; entries that overlap are applied in order")
{
	int fd = tagged_memfd(M);
	u8 *w = map_shared(fd, M, RW);
	struct remap_entry e[4];

	PTERON_ONLY();
	CHECK_OK(mprotect(w + 10 * P, 10 * P, PROT_READ)); /* three vmas */
	e[0] = entry(w + 5 * P, 20, 40, RW);
	e[1] = entry(w + 7 * P, 1, 1, PROT_READ);
	e[2] = entry(w + 7 * P, 2, 50, RW);
	e[3] = entry(w + 24 * P, 1, 24, PROT_NONE);
	CHECK_OK(remap_vector(e, 4, 0));
	for (size_t i = 0; i < M; i++) {
		size_t shown = i >= 7 && i < 9 ? 43 + i : i >= 5 && i < 24 ? 35 + i : i;

		if (i == 24)
			CHECK_ACCERR(try_read(w + i * P), w + i * P);
		else
			CHECK_EQ(tag(w, i), shown);
	}
	CHECK_NOFAULT(try_write64(w + 12 * P, 47));
	CHECK_OK(munmap(w, M * P));
}

/* -- all judged first ------------------------------------------------------------------------------------------------ */

static void expect_refused(u8 *w, struct remap_entry bad, int err)
{
	struct remap_entry e[3] = {entry(w, 1, 9, PROT_NONE), entry(w + 3 * P, 4, 30, PROT_READ), bad};

	CHECK_ERRNO(remap_vector(e, 3, 0), err);
	for (size_t i = 0; i < M; i++) {
		CHECK_EQ(tag(w, i), M - 1 - i);
		CHECK_NOFAULT(try_write64(w + i * P, M - 1 - i));
	}
}

TEST(T0_05v, "T0-05v a vector is judged whole before anything changes")
{
	int fd = tagged_memfd(M), ro;
	u8 *w = map_shared(fd, M, RW), *other = map_shared(tagged_memfd(4), 4, RW), *anon = map_anon(2, RW), *read_only;
	struct remap_entry odd = entry(w, 1, 0, RW);
	char path[64];

	PTERON_ONLY();
	for (size_t i = 0; i < M; i++)
		CHECK_OK(rfp(w + i * P, P, 0, M - 1 - i, 0));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ro = CHECK_OK(open(path, O_RDONLY));
	read_only = map_shared(ro, 4, PROT_READ);
	expect_refused(w, entry(w + 1, 1, 0, RW), EINVAL);
	expect_refused(w, entry(w, 0, 0, RW), EINVAL);
	odd.length = 100;
	expect_refused(w, odd, EINVAL);
	odd.length = ~(u64)0 - 4095;
	expect_refused(w, odd, EINVAL);
	odd = entry(w, 1, 0, 8);
	expect_refused(w, odd, EINVAL);
	odd = entry(w, 1, 0, RW);
	odd.flags = MAP_SHARED;
	expect_refused(w, odd, EINVAL);
	expect_refused(w, entry(w + (M - 1) * P, 2, 0, RW), EINVAL);
	expect_refused(w, entry(anon, 1, 0, RW), EINVAL);
	expect_refused(w, entry(other, 1, 0, RW), EINVAL); /* not the same file */
	expect_refused(w, entry(read_only, 1, 0, RW), EPERM);
	odd = entry(w, 1, 0, RW);
	odd.pgoff = ~(u64)0;
	expect_refused(w, odd, EINVAL);
	odd.pgoff = (u64)1 << 46;
	expect_refused(w, odd, is64 ? EOVERFLOW : EINVAL); /* on i386, no page offset at all */
	CHECK_ERRNO(remap_vector(BAD, 3, 0), EFAULT);
	CHECK_ERRNO(remap_vector(NULL, REMAP_VECTOR_MAX + 1, 0), EINVAL);
	CHECK_ERRNO(remap_vector(&odd, 1, MAP_SHARED), EINVAL);
	CHECK_OK(remap_vector(NULL, 0, 0));
}

/* -- one flush ---------------------------------------------------------------------------------------------------------- */

struct flushes {
	u8 *w;
	bool ready, done;
	long vector, singles;
};

static void looks_on(const struct flushes *f)
{
	while (!LOAD(f->done)) {
		(void)*(volatile u8 *)(f->w + M * P);
		STORE(((struct flushes *)f)->ready, true);
	}
}

static void flush_member(unsigned me, void *arg)
{
	struct flushes *f = arg;

	if (me) {
		looks_on(f);
		return;
	}
	SPIN_UNTIL(LOAD(f->ready));
	f->vector = vmstat("tlb_shootdowns");
	paint_at_once(f->w, M, 0);
	f->vector = vmstat("tlb_shootdowns") - f->vector;
	f->singles = vmstat("tlb_shootdowns");
	paint(f->w, M);
	f->singles = vmstat("tlb_shootdowns") - f->singles;
	STORE(f->done, true);
}

TEST(T0_19v, "T0-19v a vector interrupts other CPUs once")
{
	struct flushes f = {0};

	PTERON_ONLY();
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		SKIP("needs two CPUs");
	f.w = map_shared(tagged_memfd(M + 1), M + 1, RW);
	paint(f.w, M);
	for (size_t i = 0; i < M; i++)
		if (paint_prot(i))
			CHECK_EQ(tag(f.w, i), M - 1 - i);
	crew_run(2, flush_member, &f);
	test_note("%ld for the vector, %ld for single remaps", f.vector, f.singles);
	CHECK_OP(f.vector, <=, 4); /* others' are counted, too */
	CHECK_OP(f.singles, >=, M / 3);
}

/* -- other protections, same offsets ------------------------------------------------------------------------------------ */

static void expect_everywhere(u8 *w, int prot)
{
	for (size_t i = 0; i < M; i++) {
		u8 *p = w + i * P;

		if (prot == PROT_NONE) {
			CHECK_ACCERR(try_read(p), p);
			continue;
		}
		CHECK_EQ(tag(w, i), M - 1 - i);
		if (prot & PROT_WRITE)
			CHECK_NOFAULT(try_write64(p, M - 1 - i));
		else
			CHECK_ACCERR(try_write(p, 1), p);
	}
}

static void keepoff_case(int fd)
{
	static const int prots[] = {PROT_READ, PROT_NONE, RW, PROT_READ, RW, PROT_NONE, PROT_READ};
	u8 *w = map_shared(fd, M, RW);

	for (size_t i = 0; i < M; i++)
		CHECK_OK(rfp(w + i * P, P, 0, M - 1 - i, 0));
	for (size_t k = 0; k < sizeof(prots) / sizeof(*prots); k++) {
		if (k & 1)
			CHECK_OK(madvise(w + 10 * P, 30 * P, MADV_DONTNEED)); /* some entries hold no page */
		CHECK_OK(rfp(w, M * P, prots[k], ~(size_t)0 - k, MAP_CHGPROT | MAP_KEEPOFF));
		expect_everywhere(w, prots[k]);
	}
	CHECK_ERRNO(rfp(w, P, 0, 0, MAP_KEEPOFF), EINVAL);
	CHECK_EQ(vma_count(w, M * P, NULL), 1);
	CHECK_OK(munmap(w, M * P));
}

TEST(T0_08k, "T0-08k KEEPOFF: other protections, same offsets")
{
	PTERON_ONLY();
	keepoff_case(tagged_memfd(M));
}

TEST(T0_08kd, "T0-08kd KEEPOFF, a file on disk, and what was stored reaches it")
{
	int fd = make_file(disk_dir(), "keep", 0);

	PTERON_ONLY();
	tag_file(fd, M);
	CHECK_OK(fsync(fd));
	keepoff_case(fd);
	CHECK_OK(fsync(fd));
	for (size_t i = 0; i < M; i++)
		CHECK_EQ(file_tag(fd, i), i);
}

TEST(T0_08kn, "T0-08kn KEEPOFF on pages that were never touched")
{
	u8 *w = map_shared(tagged_memfd(M), M, PROT_NONE);

	PTERON_ONLY();
	CHECK_OK(rfp(w + 5 * P, 3 * P, RW, 0, MAP_CHGPROT | MAP_KEEPOFF));
	for (size_t i = 4; i < 9; i++) {
		if (i >= 5 && i < 8)
			CHECK_EQ(tag(w, i), i);
		else
			CHECK_ACCERR(try_read(w + i * P), w + i * P);
	}
	struct remap_entry e = entry(w + 5 * P, 2, 77, PROT_READ);

	e.flags = MAP_KEEPOFF;
	CHECK_OK(remap_vector(&e, 1, 0));
	CHECK_EQ(tag(w, 6), 6);
	CHECK_ACCERR(try_write(w + 6 * P, 1), w + 6 * P);
	CHECK_NOFAULT(try_write64(w + 7 * P, 7));
}
