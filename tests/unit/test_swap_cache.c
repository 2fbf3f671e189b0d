/*
 * test_swap_cache.c - mm/object/swap_cache.c: pages that are in memory and have a slot.
 *
 * machine: all
 */
#include "tests/unit/sim_swap.h"

static struct sim_swap *swap;
static vaddr_t a;

static struct page *borrowed(void)
{
	struct page *page = frame_at(a);

	page_get(page);
	page_lock(page);
	return page;
}

static void give_back(struct page *page)
{
	page_unlock(page);
	page_put(page);
}

static void add_and_free(void *arg)
{
	struct page *page;

	swap = sim_swap_on(8, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page = borrowed();
	page_clear(page, PG_DIRTY);
	CHECK(swap_add(page) && page_test(page, PG_SWAPCACHE) && page_test(page, PG_DIRTY) && page->refs == 3);
	CHECK(swap_page_is(page, swap_page_entry(page)) && slots_used(swap) == 1 &&
	      swap_find(swap_page_entry(page)) == page);
	page_put(page);
	CHECK(!swap_evict(page)); /* mapped */
	CHECK(swap_try_free(page) && !page_test(page, PG_SWAPCACHE) && page->refs == 2 && slots_used(swap) == 0);
	CHECK(swap_try_free(page) && !swap_evict(page));
	give_back(page);
	CHECK(!sim_swap_off(swap));
}

/* Count first, dirty second: each alone keeps the page. */
static void evict(void *arg)
{
	struct page *page;
	swap_entry_t e;

	swap = sim_swap_on(8, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page_out(a, 1);
	e = slot_at(a);
	page = swap_read(e);
	CHECK(!IS_ERR_OR_NULL(page));
	page_lock(page);
	page_get(page);
	CHECK(!swap_evict(page));
	page_put(page);
	page_set(page, PG_DIRTY);
	CHECK(!swap_evict(page));
	page_clear(page, PG_DIRTY);
	CHECK(!swap_try_free(page)); /* the entry wants the slot */
	CHECK(swap_evict(page) && page->refs == 1 && !slot_cached(e) && slot_count(e) == 1);
	give_back(page);
	CHECK(load_word(a) == 1 && !sim_swap_off(swap));
}

/* The last entry goes while the page is cached: neither stays behind. */
static void last_entry(void *arg)
{
	struct page *page;

	swap = sim_swap_on(8, SWAP_PRIO_DEFAULT);
	a = enter_filled(3);
	page_out(a, 3);
	page = swap_read(slot_at(a));
	CHECK(!IS_ERR_OR_NULL(page) && slot_cached(slot_at(a)));
	page_put(page);
	CHECK(!mm_munmap(sim_mm(), a, P(3)) && slots_used(swap) == 0);
	CHECK(!sim_swap_off(swap));
}

/* The last mapping goes: the same. */
static void last_mapping(void *arg)
{
	swap = sim_swap_on(8, SWAP_PRIO_DEFAULT);
	a = enter_filled(3);
	page_out(a, 3);
	for (unsigned i = 0; i < 3; i++)
		CHECK(load_word(a + P(i)) == i + 1);
	CHECK(slots_used(swap) == 3 && !mm_munmap(sim_mm(), a, P(3)) && slots_used(swap) == 0);
	CHECK(!sim_swap_off(swap));
}

static void full(void *arg)
{
	swap = sim_swap_on(5, SWAP_PRIO_DEFAULT);
	a = enter_filled(8);
	page_out(a, 4);
	mm_page_out(sim_mm(), a + P(4), a + P(8));
	CHECK(!swap_has_room());
	CHECK(kind_at(a + P(4)) == PTE_KIND_PAGE && load_word(a) == 1 && load_word(a + P(1)) == 2);
	CHECK(swap_has_room());
	page_out(a + P(4), 2); /* in the slots of the two that came back */
	for (unsigned i = 0; i < 8; i++)
		CHECK(load_word(a + P(i)) == i + 1);
	CHECK(!sim_swap_off(swap));
}

static void no_memory(void *arg)
{
	struct page *page;

	swap = sim_swap_on(8, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page = borrowed();
	sim_failpoint("slab_alloc", 1);
	CHECK(!swap_add(page) && sim_failpoint_end("slab_alloc") && slots_used(swap) == 0);
	sim_failpoint("swap_slot", 1);
	CHECK(!swap_add(page) && sim_failpoint_end("swap_slot") && slots_used(swap) == 0);
	CHECK(page->refs == 2 && !page_test(page, PG_SWAPCACHE));
	give_back(page);
	CHECK(!sim_swap_off(swap));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(add_and_free);
	CASE(evict);
	CASE(last_entry);
	CASE(last_mapping);
	CASE(full);
	CASE(no_memory);
	return sim_end();
}
