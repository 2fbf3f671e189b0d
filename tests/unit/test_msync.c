/*
 * test_msync.c - mm/service/msync.c: what was stored through shared mappings is on the disk when MS_SYNC returns.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

#define PAGES 4

static struct sim_file *f;
static struct mm *mm;
static vaddr_t a;

static void dirty_pages(void)
{
	f = sim_file_create(SIM_FILE_DISK, P(16), true);
	mm = enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), i + 1);
}

static unsigned long writes(void)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < 16; i++)
		n += sim_disk_writes(f, i);
	return n;
}

static void refuses(void *arg)
{
	dirty_pages();
	CHECK(mm_msync(mm, a, P(1), 8) == -EINVAL && mm_msync(mm, a + 1, P(1), MS_SYNC) == -EINVAL);
	CHECK(mm_msync(mm, a, P(1), MS_SYNC | MS_ASYNC) == -EINVAL);
	CHECK(mm_msync(mm, a, ~0ul, MS_SYNC) == 0 /* it wraps to nothing */ &&
	      mm_msync(mm, P(20), P(1), MS_SYNC) == -ENOMEM);
	CHECK(mm_msync(mm, a, (size_t)0 - a + P(1), MS_SYNC) == -ENOMEM);
	CHECK(mm_msync(mm, P(20), 0, MS_SYNC) == 0 && writes() == 0);
	sim_file_put(f);
}

/* The range and no more of the file; again only after another store. */
static void writes_the_range(void *arg)
{
	dirty_pages();
	CHECK(mm_msync(mm, a + P(1), P(1) + 1, MS_SYNC) == 0 && disk_word(f, 1) == 2 && disk_word(f, 2) == 3 &&
	      writes() == 2);
	CHECK(mm_msync(mm, a, P(PAGES), MS_SYNC) == 0 && writes() == 4 && mm_msync(mm, a, P(PAGES), MS_SYNC) == 0 &&
	      writes() == 4);
	store_word(a, 9);
	CHECK(mm_msync(mm, a, P(PAGES), MS_SYNC) == 0 && writes() == 5 && disk_word(f, 0) == 9);
	sim_file_put(f);
}

/* MS_ASYNC leaves it to the flusher; so does no flag at all. */
static void async(void *arg)
{
	dirty_pages();
	CHECK(mm_msync(mm, a, P(PAGES), MS_ASYNC) == 0 && mm_msync(mm, a, P(PAGES), 0) == 0 && writes() == 0);
	CHECK(mm_msync(mm, a, P(PAGES + 1), MS_ASYNC) == -ENOMEM && mm_msync(mm, a, P(PAGES + 1), 0) == -ENOMEM);
	sim_file_put(f);
}

/* Holes are told of at the end: what is mapped has been written. */
static void holes(void *arg)
{
	dirty_pages();
	CHECK(mm_munmap(mm, a + P(1), P(1)) == 0);
	CHECK(mm_msync(mm, a, P(PAGES), MS_SYNC) == -ENOMEM && disk_word(f, 0) == 1 && disk_word(f, 3) == 4);
	CHECK(mm_msync(mm, a - P(1), P(2), MS_SYNC) == -ENOMEM && mm_msync(mm, a + P(3), P(2), MS_SYNC) == -ENOMEM);
	CHECK(mm_msync(mm, a + P(2), P(2), MS_SYNC) == 0);
	sim_file_put(f);
}

/* Private memory has nothing to write. */
static void others_are_skipped(void *arg)
{
	dirty_pages();
	CHECK(sim_mmap(mm, a + P(1), P(1), RW, MAP_PRIVATE | MAP_FIXED, f, 1) > 0);
	CHECK(sim_mmap(mm, a + P(2), P(1), RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) > 0);
	CHECK(mm_msync(mm, a + P(1), P(2), MS_SYNC) == 0 && writes() == 0);
	CHECK(mm_msync(mm, a, P(PAGES), MS_SYNC) == 0 && writes() == 2);
	sim_file_put(f);
}

/* In a nonlinear mapping an address range says nothing about offsets: all of the file. */
static void nonlinear(void *arg)
{
	dirty_pages();
	CHECK(mm_remap_file_pages(mm, a, P(1), 0, 9, 0) == 0);
	store_word(a, 99);
	CHECK(mm_msync(mm, a + P(3), P(1), MS_SYNC) == 0 && disk_word(f, 9) == 99 && disk_word(f, 0) == 1 && writes() == 5);
	sim_file_put(f);
}

/* The first error ends it, and a page that failed is written by the next one. */
static void errors(void *arg)
{
	dirty_pages();
	sim_disk_fail_writes(f, 1, -EIO);
	CHECK(mm_msync(mm, a, P(1), MS_SYNC) == -EIO && mm_msync(mm, a, P(1), MS_SYNC) == 0 && disk_word(f, 0) == 1);
	sim_file_put(f);
}

static void invalidate(void *arg)
{
	dirty_pages();
	CHECK(mm_msync(mm, a, P(PAGES), MS_SYNC | MS_INVALIDATE) == 0 && writes() == 4);
	store_word(a, 5);
	CHECK(mm_mlock(mm, a + P(3), P(1), true) == 0);
	CHECK(mm_msync(mm, a, P(PAGES), MS_SYNC | MS_INVALIDATE) == -EBUSY &&
	      writes() == 4); /* before anything is written */
	CHECK(mm_msync(mm, a, P(3), MS_SYNC | MS_INVALIDATE) == 0 && writes() == 5);
	sim_file_put(f);
}

static void sync_slowly(void *arg)
{
	CHECK(mm_msync(sim_mm(), a, P(PAGES), MS_SYNC) == 0);
}

/* The disk is waited for without the lock: the mapping may go meanwhile. */
static void slow_disk(void *arg)
{
	struct sim_thread *t;

	dirty_pages();
	sim_disk_delay(f, 1000000);
	t = sim_spawn(mm, 1, sync_slowly, NULL);
	sim_sleep(500000);
	CHECK(mm_munmap(mm, a, P(PAGES)) == 0 && writes() < PAGES);
	sim_join(t);
	CHECK(writes() == PAGES);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(refuses);
	CASE(writes_the_range);
	CASE(async);
	CASE(holes);
	CASE(others_are_skipped);
	CASE(nonlinear);
	CASE(errors);
	CASE(invalidate);
	CASE_CALM(slow_disk);
	return sim_end();
}
