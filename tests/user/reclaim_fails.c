/*
 * reclaim_fails.c - reclaim when something fails or is slow: RECLAIM-03 every allocation and every lock that it tries,
 * RECLAIM-04 the disk that it swaps to, RECLAIM-05 a disk that takes its time.
 */
#define _GNU_SOURCE
#include "swap.h"

#include "disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define ANON 24
#define WINDOW 16

/* What is pushed out and taken back in. */
struct mix {
	int mm;
	u8 *anon;   /* private */
	u8 *mosaic; /* page i shows page WINDOW - 1 - i of a file */
};

static struct mix make_mix(void)
{
	struct mix m = {.mm = mm_need(), .anon = map_anon(ANON, RW)};
	int fd = make_file(disk_dir(), "fails", 0);

	tag_file(fd, WINDOW);
	CHECK_OK(fsync(fd));
	m.mosaic = map_shared(fd, WINDOW, RW);
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_OK(rfp(m.mosaic + i * P, P, 0, WINDOW - 1 - i, 0));
	CHECK_OK(close(fd));
	swap_fill(m.anon, ANON, 1);
	return m;
}

static void check_mix(const struct mix *m)
{
	swap_check(m->anon, ANON, 1);
	for (size_t i = 0; i < WINDOW; i++)
		CHECK_EQ(tag(m->mosaic, i), WINDOW - 1 - i);
}

/* Nothing in here may fail for the program, whatever fails within. */
static void out_and_ahead(const struct mix *m)
{
	CHECK_OK(madvise(m->anon, ANON * P, MADV_PAGEOUT));
	CHECK_OK(madvise(m->mosaic, WINDOW * P, MADV_PAGEOUT));
	CHECK_OK(madvise(m->anon, 8 * P, MADV_WILLNEED));
}

/* Each hit of @point fails once. */
static u64 fail_each(const struct mix *m, const char *point)
{
	struct mm_fail f = {.failed = 1};
	u64 n = 0;

	while (f.failed) {
		check_mix(m); /* everything is in memory again */
		swap_fill(m->anon, ANON, 1);
		mm_fail_arm(m->mm, point, ++n);
		out_and_ahead(m);
		f = mm_fail_arm(m->mm, point, 0);
	}
	check_mix(m);
	return n - 1;
}

TEST_SECONDS(reclaim_fails, "RECLAIM-03 every allocation, slot and lock that reclaim asks for may be refused", 120)
{
	static const char *const points[] = {"swap_slot",     "swap_dup",   "page_trylock",
	                                     "rwsem_trylock", "page_alloc", "slab_alloc"};
	struct mix m;

	swap_begin(256);
	m = make_mix();
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
		u64 places = fail_each(&m, points[i]);

		test_note("%s refused in %llu places", points[i], (unsigned long long)places);
		if (i < 4) /* whether it allocates depends on what caches have */
			CHECK_OP(places, >, 0);
		mm_audit_clean(m.mm, points[i]);
	}
	CHECK_OK(munmap(m.anon, ANON * P));
	CHECK_OK(munmap(m.mosaic, WINDOW * P));
	swap_end();
	close(m.mm);
}

/* -- a disk that fails --------------------------------------------------------------------------------------------------- */

/* Written: it stays, dirty. Read: SIGBUS, and the next attempt gets it. */
TEST(reclaim_errors, "RECLAIM-04 swap: a request that fails loses nothing")
{
	u8 *none = map_anon(1, PROT_NONE), *p;
	int mm = mm_need();

	swap_begin(256);
	p = map_anon(ANON, RW);
	swap_fill(p, ANON, 5);
	mm_fail_arm(mm, "block_write", 1);
	CHECK_OK(madvise(p, ANON * P, MADV_PAGEOUT));
	CHECK_EQ(mm_fail_arm(mm, "block_write", 0).failed, 1);
	swap_check(p, ANON, 5); /* mapped again: only such pages can be sent out */
	CHECK_EQ(swap_out(p, ANON), ANON);
	/* What the check runs is in memory then; else the request that fails may be for a page of the program. */
	CHECK_ACCERR(try_read(none), none);
	mm_fail_arm(mm, "block_read", 1);
	CHECK_BUS(try_read(p + 3 * P), p + 3 * P);
	CHECK_EQ(mm_fail_arm(mm, "block_read", 0).failed, 1);
	swap_check(p, ANON, 5);
	mm_audit_clean(mm, "after failed requests");
	CHECK_OK(munmap(p, ANON * P));
	swap_end();
	close(mm);
}

/* -- a disk that takes its time ------------------------------------------------------------------------------------------ */

#define SLOW_PAGES 512u

struct slow_race {
	u8 *p;
	unsigned readers; /* still reading */
	unsigned others;  /* what was done meanwhile */
};

static void read_back(struct slow_race *r, unsigned me)
{
	for (size_t i = me; i < SLOW_PAGES; i += 2) {
		size_t at = i * 37 % SLOW_PAGES;

		CHECK_NOFAULT(try_read(r->p + at * P));
	}
	ADD(r->readers, -1u);
}

/* Memory of its own, in the same address space. */
static void work_beside(struct slow_race *r)
{
	do {
		u8 *q = map_anon(4, RW);

		q[0] = q[3 * P] = 1;
		CHECK_OK(munmap(q, 4 * P));
		ADD(r->others, 1);
	} while (LOAD(r->readers));
}

static void slow_member(unsigned me, void *arg)
{
	if (me)
		read_back(arg, me - 1);
	else
		work_beside(arg);
}

TEST_SECONDS(reclaim_slow, "RECLAIM-05 swap to a slow disk: who waits for a page holds up nobody else", 60)
{
	struct slow_race r = {.readers = 2};
	const char *dir = slow_mount(), *path;

	if (!dir)
		SKIP("no slow disk");
	swap_end();
	path = swap_file_in(dir, "swap", SLOW_PAGES + 64);
	CHECK_OK(swap_on(path, 0));
	r.p = map_anon(SLOW_PAGES, RW);
	swap_fill(r.p, SLOW_PAGES, 2);
	CHECK_OP(swap_out(r.p, SLOW_PAGES), ==, SLOW_PAGES);
	crew_run(3, slow_member, &r);
	test_note("%u times memory of its own while %u pages were read", r.others, SLOW_PAGES);
	CHECK_OP(r.others, >, 1);
	swap_check(r.p, SLOW_PAGES, 2);
	CHECK_OK(munmap(r.p, SLOW_PAGES * P));
	CHECK_OK(swap_off(path));
	CHECK_OK(unlink(path));
	slow_unmount();
}
