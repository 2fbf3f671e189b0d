/*
 * test_pageout.c - mm/service/pageout.c: COLD, PAGEOUT, FREE, and WILLNEED of what is swapped out.
 *
 * machine: all
 */
#include "tests/unit/sim_swap.h"

static struct sim_swap *swap;
static vaddr_t a;

static long advise(unsigned long pages, int advice)
{
	return mm_madvise(sim_mm(), a, P(pages), advice);
}

static void cold(void *arg)
{
	a = enter_filled(3);
	CHECK(sim_entry(sim_mm(), a).accessed && !advise(3, MADV_COLD));
	for (unsigned i = 0; i < 3; i++)
		CHECK(!sim_entry(sim_mm(), a + P(i)).accessed);
	CHECK(load_word(a) == 1 && sim_entry(sim_mm(), a).accessed);
}

/* Pages that others map, too, stay; holes and the zero page are no trouble. */
static void pageout(void *arg)
{
	struct mm *child;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(6);
	CHECK(!mm_munmap(sim_mm(), a + P(3), P(1)) && !mm_madvise(sim_mm(), a + P(4), P(1), MADV_DONTNEED));
	CHECK(load_word(a + P(4)) == 0);
	child = mm_fork(sim_mm());
	CHECK(advise(6, MADV_PAGEOUT) == -ENOMEM && sim_mm()->pt.nr_swap == 0);
	mm_put(child);
	CHECK(advise(6, MADV_PAGEOUT) == -ENOMEM && sim_mm()->pt.nr_swap == 4);
	CHECK(load_word(a) == 1 && load_word(a + P(5)) == 6 && load_word(a + P(4)) == 0);
	CHECK(!sim_swap_off(swap));
}

static void pageout_file(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(2), true);

	enter_space();
	a = map_pages(2, MAP_SHARED, f, 0);
	CHECK(load_word(a) == FILLED(0) && load_word(a + P(1)) == FILLED(1));
	store_word(a, 5);
	CHECK(!advise(2, MADV_PAGEOUT) && kind_at(a) == PTE_KIND_NONE && kind_at(a + P(1)) == PTE_KIND_NONE);
	CHECK(sim_file_object(f)->nr_pages == 0); /* the dirty one, too: it was written first */
	CHECK(load_word(a) == 5 && load_word(a + P(1)) == FILLED(1));
	sim_file_put(f);
}

static void lazily_freed(void *arg)
{
	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(4);
	CHECK(!advise(4, MADV_FREE) && !page_test(frame_at(a), PG_SWAPBACKED) && !sim_entry(sim_mm(), a).dirty);
	store_word(a + P(1), 9);
	CHECK(!advise(4, MADV_PAGEOUT) && load_word(a) == 0 && load_word(a + P(1)) == 9 && load_word(a + P(2)) == 0);
	store_word(a, 1);
	page_out(a, 1);
	CHECK(!advise(1, MADV_FREE) && load_word(a) == 0 && sim_mm()->pt.nr_swap == 0);
	CHECK(!sim_swap_off(swap));
}

/* A page that is shared after a fork cannot be given up by one. */
static void free_shared(void *arg)
{
	struct mm *child;
	u64 word = 0;

	a = enter_filled(1);
	child = mm_fork(sim_mm());
	CHECK(!advise(1, MADV_FREE) && page_test(frame_at(a), PG_SWAPBACKED));
	CHECK(mm_access(child, a, &word, 8, false) == 8 && word == 1);
	mm_put(child);
}

static void refused(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(1), false);

	enter_space();
	a = map_pages(1, MAP_PRIVATE, f, 0);
	CHECK(advise(1, MADV_FREE) == -EINVAL && advise(1, MADV_PAGEOUT) == 0);
	CHECK(!mm_mlock(sim_mm(), a, P(1), true));
	CHECK(advise(1, MADV_PAGEOUT) == -EINVAL && advise(1, MADV_COLD) == -EINVAL);
	CHECK(!mm_mlock(sim_mm(), a, P(1), false));
	sim_file_put(f);
}

static void willneed(void *arg)
{
	swap = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	a = enter_filled(40);
	page_out(a, 40);
	CHECK(!advise(40, MADV_WILLNEED) && sim_mm()->pt.nr_swap == 40);
	for (unsigned i = 0; i < 40; i++)
		CHECK(slot_cached(slot_at(a + P(i))));
	CHECK(load_word(a) == 1 && !sim_swap_off(swap));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(cold);
	CASE(pageout);
	CASE(pageout_file);
	CASE(lazily_freed);
	CASE(free_shared);
	CASE(refused);
	CASE(willneed);
	return sim_end();
}
