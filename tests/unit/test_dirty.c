/*
 * test_dirty.c - mm/object/dirty.c: how much may be dirty, who is woken and who has to wait; and what is counted for it.
 *
 * machine: amd64 i386
 */
#include "mm/object/dirty.h"

#include <arch/irq.h>

#include "mm/object/pagecache.h"
#include "mm/service/pin.h"
#include "tests/unit/sim_laws.h"

#define MS 1000000ull
#define PAGES 64

static struct sim_file *f;
static struct vm_object *obj;

/* -- a dirtier and a flusher, step by step ------------------------------------------------------------------------------- */
static bool went_on, woke_up;

static void dirtier(void *arg)
{
	dirty_throttle();
	went_on = true;
}

static struct sim_thread *dirtier_begins(void)
{
	struct sim_thread *t;

	went_on = false;
	t = sim_spawn(NULL, 1, dirtier, NULL);
	sim_sleep(MS);
	return t;
}

static void flusher(void *arg)
{
	flusher_wait();
	woke_up = true;
}

/* It sleeps until it is wanted. */
static struct sim_thread *flusher_sleeps(void)
{
	struct sim_thread *t;

	dirty_limits.writeback_cs = 0;
	woke_up = false;
	t = sim_spawn(NULL, 2, flusher, NULL);
	sim_sleep(MS);
	return t;
}

static void one_round(void)
{
	dirty_round_begins();
	dirty_round_ends();
	sim_sleep(MS);
}

/* A dirtier is held back when so many pages are dirty. */
static bool held_at(long pages)
{
	struct sim_thread *t;
	bool held;

	dirty_stat.dirty = pages;
	t = dirtier_begins();
	held = !went_on;
	dirty_stat.dirty = 0;
	one_round();
	CHECK(went_on);
	sim_join(t);
	return held;
}

static void set_limits(unsigned long bytes, unsigned long background_bytes)
{
	dirty_limits.bytes = bytes;
	dirty_limits.background_bytes = background_bytes;
	dirty_limits_changed();
}

/* -- limits ---------------------------------------------------------------------------------------------------------------- */
static long percent_of_all(unsigned long percent)
{
	struct phys_stat st;

	phys_stat(&st);
	return (long)(st.total * percent / 100);
}

/* The hard limit in force. */
static bool hard_is(long pages)
{
	return !held_at(pages) && held_at(pages + 1);
}

static void percent(void *arg)
{
	dirty_limits.ratio = 30;
	dirty_limits.background_ratio = 5;
	dirty_limits_changed();
	CHECK((long)dirty_background_pages == percent_of_all(5) && hard_is(percent_of_all(30)));
	dirty_limits.ratio = 100;
	dirty_limits_changed();
	CHECK(hard_is(percent_of_all(100)));
}

/* Bytes count instead, in whole pages. */
static void bytes(void *arg)
{
	dirty_limits.ratio = dirty_limits.background_ratio = 50;
	set_limits(P(10) + 1, P(4) + PAGE_SIZE - 1);
	CHECK(dirty_background_pages == 4 && hard_is(10));
	set_limits(P(20), 0);
	CHECK(dirty_background_pages == 20 && hard_is(20)); /* 50 % would be above the hard limit */
}

/* Nothing given: what the kernel starts with. */
static void neither(void *arg)
{
	dirty_limits.ratio = dirty_limits.background_ratio = 0;
	dirty_limits_changed();
	CHECK((long)dirty_background_pages == percent_of_all(10) && hard_is(percent_of_all(20)));
}

/* The background limit is never above the hard one; there is always one page. */
static void odd_limits(void *arg)
{
	set_limits(P(8), P(100));
	CHECK(dirty_background_pages == 8);
	set_limits(1, 1);
	CHECK(dirty_background_pages == 1 && hard_is(1));
	set_limits(P(8), 100);
	CHECK(dirty_background_pages == 1 && hard_is(8));
}

/* Before there are any, nobody waits. */
static void no_limits_yet(void *arg)
{
	dirty_stat.dirty = 1 << 30;
	CHECK(!dirty_over_background());
	dirty_throttle();
	dirty_throttle_slow();
	CHECK(dirty_stat.throttled == 0);
	dirty_stat.dirty = 0;
}

/* -- the background limit ----------------------------------------------------------------------------------------------------- */

/* What is on its way to the disk counts as well; a glimpse of less than nothing is nothing. */
static void over_background(void *arg)
{
	set_limits(P(20), P(5));
	dirty_stat.dirty = 5;
	CHECK(!dirty_over_background());
	dirty_stat.writeback = 1;
	CHECK(dirty_over_background());
	dirty_stat.dirty = 0;
	dirty_stat.writeback = 6;
	CHECK(dirty_over_background());
	dirty_stat.dirty = -7;
	CHECK(!dirty_over_background());
	dirty_stat.dirty = dirty_stat.writeback = 0;
}

/* Up to the limit nobody is disturbed; above it the flusher is woken, and the dirtier goes on. */
static void wakes_the_flusher(void *arg)
{
	struct sim_thread *t = flusher_sleeps();

	set_limits(P(20), P(5));
	dirty_stat.dirty = 5;
	dirty_throttle();
	sim_sleep(MS);
	CHECK(!woke_up);
	dirty_stat.dirty = 6;
	dirty_throttle();
	sim_sleep(MS);
	CHECK(woke_up && dirty_stat.throttled == 0);
	sim_join(t);
	dirty_stat.dirty = 0;
}

/* A wish is not forgotten before a round begins, and fulfilled by one. */
static void wish(void *arg)
{
	struct sim_thread *t;

	dirty_throttle_slow();
	dirty_throttle_slow();
	t = flusher_sleeps();
	CHECK(woke_up);
	sim_join(t);
	one_round();
	t = flusher_sleeps();
	CHECK(!woke_up);
	dirty_throttle_slow();
	sim_join(t);
}

/* The flusher looks from time to time without being asked. */
static void period(void *arg)
{
	u64 before = arch_clock_ns(), passed;

	dirty_limits.writeback_cs = 3;
	flusher_wait();
	passed = arch_clock_ns() - before;
	CHECK(passed >= 30 * MS && passed < 60 * MS);
	dirty_throttle_slow();
	before = arch_clock_ns();
	flusher_wait();
	CHECK(arch_clock_ns() - before < 10 * MS);
}

/* -- the hard limit ------------------------------------------------------------------------------------------------------------- */

/* Who waits is let go when a round has brought the number down. */
static void until_below(void *arg)
{
	struct sim_thread *t;

	set_limits(P(10), P(5));
	dirty_stat.dirty = 8;
	dirty_stat.writeback = 3;
	t = dirtier_begins();
	CHECK(!went_on && dirty_stat.throttled == 1);
	dirty_stat.writeback = 2;
	one_round();
	CHECK(went_on && dirty_stat.throttled == 1);
	sim_join(t);
	dirty_stat.dirty = dirty_stat.writeback = 0;
}

/* The end of a round that had begun before proves nothing; with the end of the next all was done that can be. */
static void two_rounds(void *arg)
{
	struct sim_thread *t;

	set_limits(P(10), P(5));
	dirty_stat.dirty = 11;
	one_round(); /* those before do not count */
	dirty_round_begins();
	t = dirtier_begins();
	dirty_round_ends();
	sim_sleep(MS);
	CHECK(!went_on);
	one_round();
	CHECK(went_on);
	sim_join(t);
	dirty_stat.dirty = 0;
}

/* While somebody waits the flusher has work, whatever its period: or the second round would never come. */
static void a_waiter_is_work(void *arg)
{
	struct sim_thread *waiter, *t = flusher_sleeps();

	set_limits(P(10), P(5));
	dirty_stat.dirty = 11;
	waiter = dirtier_begins();
	CHECK(woke_up);
	sim_join(t);
	one_round();
	CHECK(!went_on);
	t = flusher_sleeps();
	CHECK(woke_up);
	sim_join(t);
	one_round();
	sim_join(waiter);
	t = flusher_sleeps();
	CHECK(!woke_up);
	dirty_stat.dirty = 0;
	dirty_throttle_slow();
	sim_join(t);
}

/* A thread that is being killed does not wait, and leaves nothing behind. */
static void killed(void *arg)
{
	struct sim_thread *t;

	set_limits(P(10), P(5));
	dirty_stat.dirty = 11;
	t = dirtier_begins();
	CHECK(!went_on);
	sim_kill(t);
	sim_join(t);
	CHECK(went_on);
	one_round();
	t = flusher_sleeps();
	CHECK(!woke_up);
	dirty_stat.dirty = 0;
	dirty_throttle_slow();
	sim_join(t);
}

/* -- what is counted ---------------------------------------------------------------------------------------------------------- */
static void file(void)
{
	f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	obj = sim_file_object(f);
}

static bool counts(long cached, long dirty, long dirtied, long written)
{
	return dirty_stat.cached == cached && dirty_stat.dirty == dirty && dirty_stat.writeback == 0 &&
	       dirty_stat.dirtied == dirtied && dirty_stat.written == written;
}

static void store(pgoff_t index)
{
	u64 word = 1;

	CHECK(sim_file_write(f, P(index), &word, 8) == 8);
}

/* Each page once, as long as it is in that state, however it leaves it. */
static void counted(void *arg)
{
	file();
	store(0);
	store(0);
	store(1);
	CHECK(counts(2, 2, 2, 0));
	CHECK(sim_file_sync(f) == 0 && counts(2, 0, 2, 2));
	store(1);
	CHECK(counts(2, 1, 3, 2));
	sim_file_truncate(f, P(1));
	CHECK(counts(1, 0, 3, 2));
	store(0);
	CHECK(counts(1, 1, 4, 2));
	sim_file_put(f);
	CHECK(counts(0, 0, 4, 2));
}

/* A page that could not be written is dirty as before, and both who has it open and its file system hear of it. */
static void failure_counted(void *arg)
{
	errseq_t fs = 0, mine = 0, theirs = 0;

	file();
	obj->fs_err = &fs;
	store(0);
	sim_disk_fail_writes(f, 1, -ENOSPC);
	CHECK(sim_file_sync(f) == -ENOSPC && counts(1, 1, 2, 0) && obj->wb_failures == 1);
	CHECK(errseq_advance(&obj->wb_err, &mine) == -ENOSPC && errseq_advance(&fs, &theirs) == -ENOSPC);
	CHECK(sim_file_sync(f) == 0 && counts(1, 0, 2, 1) && errseq_advance(&fs, &theirs) == 0);
	sim_file_put(f);
}

static void sync_slowly(void *arg)
{
	CHECK(sim_file_sync(f) == 0);
}

/* On its way it is not dirty, unless it is stored into again. */
static void on_its_way(void *arg)
{
	struct sim_thread *t;

	file();
	store(0);
	sim_disk_delay(f, MS);
	t = sim_spawn(NULL, 1, sync_slowly, NULL);
	sim_sleep(MS / 2);
	CHECK(dirty_stat.dirty == 0 && dirty_stat.writeback == 1 && dirty_stat.written == 0);
	sim_join(t);
	CHECK(counts(1, 0, 1, 1));
	sim_file_put(f);
}

/* -- all of it together --------------------------------------------------------------------------------------------------------- */
static bool stop;

static void flusher_thread(void *arg)
{
	while (!READ_ONCE(stop)) {
		flusher_wait();
		flusher_round();
	}
}

static void flusher_ends(struct sim_thread *t)
{
	set_limits(P(PAGES), P(PAGES));
	WRITE_ONCE(stop, true);
	dirty_throttle_slow();
	sim_join(t);
}

/* A mapping is filled faster than the disk can take it: never is more dirty than the limit and the page just stored. */
static void held_back(void *arg)
{
	struct sim_thread *t;
	vaddr_t a;

	file();
	enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	set_limits(P(8), P(4));
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == FILLED(i)); /* reading holds nobody back below */
	sim_disk_delay(f, MS);
	t = sim_spawn(NULL, 1, flusher_thread, NULL);
	for (unsigned i = 0; i < PAGES; i++) {
		store_word(a + P(i), i + 1);
		CHECK(dirty_stat.dirty + dirty_stat.writeback <= 8);
	}
	CHECK(dirty_stat.throttled > 0 && dirty_stat.throttled < PAGES);
	flusher_ends(t);
	CHECK(sim_file_sync(f) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(disk_word(f, i) == i + 1);
	sim_file_put(f);
}

/* The same by write pins: a page that is pinned stays dirty, but nobody pins one after another without end. */
static void pins_held_back(void *arg)
{
	struct sim_thread *t;
	struct page *page;
	struct mm *mm;
	vaddr_t a;

	file();
	mm = enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	set_limits(P(8), P(4));
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == FILLED(i));
	sim_disk_delay(f, MS);
	t = sim_spawn(NULL, 1, flusher_thread, NULL);
	for (unsigned i = 0; i < PAGES; i++) {
		CHECK(pin_user_pages(mm, a + P(i), 1, FOLL_WRITE, &page) == 1);
		CHECK(dirty_stat.dirty + dirty_stat.writeback <= 8 + 1);
		unpin_user_pages(&page, 1, FOLL_WRITE, true);
	}
	CHECK(dirty_stat.throttled > 0);
	flusher_ends(t);
	CHECK(sim_file_sync(f) == 0);
	sim_file_put(f);
}

/* A disk that takes nothing does not stop the writers for good, nor the flusher: it fails at once, so that all of a
 * round and more happens at one moment of the clock. */
static void broken_disk(void *arg)
{
	struct sim_thread *t;

	file();
	set_limits(P(2), P(1));
	sim_disk_fail_writes(f, ~0u, -EIO);
	t = sim_spawn(NULL, 1, flusher_thread, NULL);
	for (pgoff_t i = 0; i < 6; i++)
		store(i);
	CHECK(dirty_stat.dirty + dirty_stat.writeback == 6 && dirty_stat.throttled == 4 && dirty_stat.written == 0);
	flusher_ends(t);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(percent);
	CASE_CALM(bytes);
	CASE_CALM(neither);
	CASE_CALM(odd_limits);
	CASE_CALM(no_limits_yet);
	CASE_CALM(over_background);
	CASE_CALM(wakes_the_flusher);
	CASE_CALM(wish);
	CASE_CALM(period);
	CASE_CALM(until_below);
	CASE_CALM(two_rounds);
	CASE_CALM(a_waiter_is_work);
	CASE_CALM(killed);
	CASE(counted);
	CASE(failure_counted);
	CASE_CALM(on_its_way);
	CASE(held_back);
	CASE_CALM(held_back);
	CASE_CALM(pins_held_back);
	CASE_CALM(broken_disk);
	return sim_end();
}
