/*
 * test_unmap.c - mm/object/unmap.c: a page leaves every address space, and each entry keeps what it must.
 *
 * machine: all
 */
#include "mm/object/pagecache.h"
#include "mm/phys/lru.h"
#include "mm/service/pin.h"
#include "tests/unit/sim_swap.h"

static vaddr_t a;

/* As reclaim does it: off its list first. */
static enum unmap_result unmap(struct page *page)
{
	enum unmap_result r;

	CHECK(lru_isolate(page));
	page_lock(page);
	r = page_unmap(page, NULL);
	page_unlock(page);
	lru_putback(page);
	return r;
}

/* A linear entry of a file becomes none; its dirty bit goes to the page. */
static void linear_file(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(2), true);
	struct page *page;

	enter_space();
	a = map_pages(2, MAP_SHARED, f, 0);
	store_word(a, 3);
	page = frame_at(a);
	CHECK(unmap(page) == UNMAP_DONE && page->mapcount == 0 && page_test(page, PG_DIRTY));
	CHECK(kind_at(a) == PTE_KIND_NONE && sim_mm()->pt.nr_pages == 0);
	CHECK(load_word(a) == 3 && frame_at(a) == page);
	sim_file_put(f);
}

/* An entry of its own offset and grants becomes a file entry (RF.36). */
static void nonlinear_file(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(4), false);
	struct page *page;

	enter_space();
	a = map_pages(4, MAP_SHARED, f, 0);
	store_word(a + P(3), 9);
	CHECK(!mm_remap_file_pages(sim_mm(), a, PAGE_SIZE, PROT_READ, 3, MAP_CHGPROT));
	CHECK(load_word(a) == 9);
	page = frame_at(a);
	CHECK(page->mapcount == 2 && unmap(page) == UNMAP_DONE && page->mapcount == 0);
	CHECK(kind_at(a) == PTE_KIND_FILE && sim_entry(sim_mm(), a).payload == 3);
	CHECK(sim_entry(sim_mm(), a).grant == pte_grant_normal(GRANT_R));
	CHECK(load_word(a) == 9 && !sim_audit(false));
	sim_file_put(f);
}

static void mlocked(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(4), false);
	struct page *page;
	bool locked;
	vaddr_t b;

	a = enter_filled(2);
	CHECK(!mm_mlock(sim_mm(), a, P(2), true));
	page = frame_at(a);
	page_lock(page);
	CHECK(swap_add(page) && page_unmap(page, NULL) == UNMAP_LOCKED && page->mapcount == 1);
	page_referenced(page, &locked);
	CHECK(locked && swap_try_free(page));
	page_unlock(page);
	b = map_pages(4, MAP_SHARED, f, 0);
	CHECK(!mm_remap_file_pages(sim_mm(), b, PAGE_SIZE, 0, 2, 0) && load_word(b) == 0);
	CHECK(!mm_mlock(sim_mm(), b, P(4), true) && unmap(frame_at(b)) == UNMAP_LOCKED);
	CHECK(!mm_mlock(sim_mm(), b, P(4), false) && unmap(frame_at(b)) == UNMAP_DONE);
	sim_file_put(f);
	CHECK(!sim_swap_off(swap));
}

/* A device has it: the entry is put back as it was. */
static void pinned(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);
	struct page *page;

	a = enter_filled(1);
	CHECK(pin_user_pages(sim_mm(), a, 1, FOLL_WRITE, &page) == 1);
	page_lock(page);
	CHECK(swap_add(page) && page_unmap(page, NULL) == UNMAP_MAPPED && swap_try_free(page));
	page_unlock(page);
	CHECK(frame_at(a) == page && page_test(page, PG_ANON_EXCLUSIVE) && sim_entry(sim_mm(), a).write);
	unpin_user_pages(&page, 1, FOLL_WRITE, true);
	CHECK(!sim_swap_off(swap));
}

static void pin_it(void *arg)
{
	struct page **page = arg;

	CHECK(pin_user_pages(sim_mm(), a, 1, FOLL_WRITE, page) == 1);
}

/* The pin comes while the entry is empty: it waits for the table's lock, and brings the page back. */
static void pin_against_unmap(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);
	struct page *pinned_page = NULL;
	struct sim_thread *t;

	a = enter_filled(1);
	t = sim_spawn(sim_mm(), 1, pin_it, &pinned_page);
	mm_page_out(sim_mm(), a, a + P(1));
	sim_join(t);
	mm_page_out(sim_mm(), a, a + P(1));
	CHECK(frame_at(a) == pinned_page && load_word(a) == 1);
	unpin_user_pages(&pinned_page, 1, FOLL_WRITE, true);
	CHECK(!sim_swap_off(swap));
}

/* Without a slot, and wanted: it stays. Given up and clean: it goes. Stored into again: it is wanted again. */
static void anonymous(void *arg)
{
	struct page *page;

	a = enter_filled(2);
	CHECK(unmap(frame_at(a)) == UNMAP_MAPPED);
	CHECK(!mm_madvise(sim_mm(), a, P(2), MADV_FREE));
	store_word(a + P(1), 5);
	page = frame_at(a + P(1));
	CHECK(unmap(page) == UNMAP_MAPPED && page_test(page, PG_SWAPBACKED) && load_word(a + P(1)) == 5);
	CHECK(lru_count(LRU_INACTIVE_ANON) == 1 && lru_count(LRU_INACTIVE_FILE) == 1);
	CHECK(unmap(frame_at(a)) == UNMAP_DONE && kind_at(a) == PTE_KIND_NONE && load_word(a) == 0);
}

/* Somebody looks at a page that was given up: it cannot go now. */
static void given_up_and_borrowed(void *arg)
{
	struct page *page;

	a = enter_filled(1);
	CHECK(!mm_madvise(sim_mm(), a, P(1), MADV_FREE));
	page = frame_at(a);
	page_get(page);
	CHECK(unmap(page) == UNMAP_MAPPED && load_word(a) == 1);
	page_put(page);
}

static void keep_storing(void *arg)
{
	for (u64 i = 1; i <= 200; i++) {
		store_word(a, i);
		CHECK(load_word(a) == i);
	}
}

/* Other CPUs store through what they remember, until they are told. */
static void no_store_is_lost(void *arg)
{
	struct sim_swap *swap = sim_swap_on(16, SWAP_PRIO_DEFAULT);
	struct sim_thread *t;

	a = enter_filled(1);
	t = sim_spawn(sim_mm(), 1, keep_storing, NULL);
	for (unsigned i = 0; i < 50; i++)
		mm_page_out(sim_mm(), a, a + P(1));
	sim_join(t);
	CHECK(load_word(a) == 200);
	CHECK(!sim_swap_off(swap));
}

static void referenced(void *arg)
{
	struct mm *child;
	struct page *page;
	bool locked;
	u64 word;

	a = enter_filled(1);
	page = frame_at(a);
	child = mm_fork(sim_mm());
	page_lock(page);
	page_referenced(page, &locked);
	CHECK(page_referenced(page, &locked) == 0 && !locked);
	page_unlock(page);
	CHECK(mm_access(child, a, &word, 8, false) == 8);
	pgtable_flush_all(&sim_mm()->pt);
	load_word(a);
	page_lock(page);
	CHECK(page_referenced(page, &locked) == 1);
	rwsem_write_lock(&page->family->root->lock);
	CHECK(page_referenced(page, &locked) == 1); /* nobody can tell */
	rwsem_write_unlock(&page->family->root->lock);
	page_unlock(page);
	mm_put(child);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(linear_file);
	CASE(nonlinear_file);
	CASE(mlocked);
	CASE(pinned);
	CASE(pin_against_unmap);
	CASE(anonymous);
	CASE(given_up_and_borrowed);
	CASE(no_store_is_lost);
	CASE_CALM(referenced);
	return sim_end();
}
