/*
 * test_evict.c - mm/service/evict.c: what becomes of a page on its way out, whoever uses it, holds it or has it locked.
 *
 * machine: amd64 pae tiny2
 */
#include "mm/object/pagecache.h"
#include "mm/service/pin.h"
#include "mm/service/reclaim.h"

#include "tests/unit/sim_laws.h"

#define PAGES 4

static struct mm *mm;
static struct sim_file *f;
static vaddr_t va;

/* A file's pages, mapped and read. */
static void make_world(enum sim_file_kind kind)
{
	mm = enter_space();
	f = sim_file_create(kind, P(PAGES), kind == SIM_FILE_DISK);
	va = map_pages(PAGES, MAP_SHARED, f, 0);
	for (unsigned i = 0; i < PAGES; i++)
		load_word(va + P(i));
}

static struct page *page_of(unsigned i)
{
	struct page *page = pagecache_find(sim_file_object(f), i);

	if (page)
		page_put(page);
	return page;
}

/* One page through the mill; true if it was freed. */
static bool evict(unsigned i, struct evict how)
{
	struct page *page = page_of(i);
	struct list pages = LIST_INIT(pages);

	CHECK(page && lru_isolate(page));
	list_add(&page->link, &pages);
	evict_pages(&how, &pages);
	CHECK(list_empty(&pages) && how.freed + how.kept == 1);
	CHECK((how.freed == 1) == !page_of(i));
	return how.freed;
}

#define GENTLY ((struct evict){.freed = 0})
#define NOW ((struct evict){.background = true, .wait = true, .force = true})

/* Clean and unused: it goes, and comes back from the disk. */
static void clean_page_goes(void *arg)
{
	make_world(SIM_FILE_DISK);
	CHECK(evict(1, NOW) && kind_at(va + P(1)) == PTE_KIND_NONE && !sim_tlb_has(sim_cpu(), va + P(1)));
	CHECK(load_word(va + P(1)) == FILLED(1) && sim_disk_reads(f, 1) == 2);
	sim_file_put(f);
}

/* Used once: another round. Used again: active. Not used: gone. */
static void second_chance(void *arg)
{
	make_world(SIM_FILE_DISK);
	CHECK(!evict(0, GENTLY) && page_test(page_of(0), PG_REFERENCED) && !page_test(page_of(0), PG_ACTIVE));
	load_word(va);
	sim_tlb_deaf(false);
	pgtable_flush_all(&mm->pt);
	load_word(va);
	CHECK(!evict(0, GENTLY) && page_test(page_of(0), PG_ACTIVE));
	lru_deactivate(page_of(0));
	CHECK(evict(0, GENTLY));
	sim_file_put(f);
}

/* What is dirty is written first, by who may write. */
static void dirty_page_is_written(void *arg)
{
	make_world(SIM_FILE_DISK);
	store_word(va + P(2), 77);
	CHECK(!evict(2, GENTLY));
	CHECK(!evict(2, (struct evict){.force = true}) && page_test(page_of(2), PG_DIRTY));
	CHECK(evict(2, NOW));
	CHECK(load_word(va + P(2)) == 77);
	sim_file_put(f);
}

/* A device has it. */
static void pinned_page_stays(void *arg)
{
	struct page *page;

	make_world(SIM_FILE_DISK);
	CHECK(pin_user_pages(mm, va, 1, FOLL_WRITE, &page) == 1);
	CHECK(!evict(0, NOW) && page_test(page, PG_ACTIVE) && kind_at(va) == PTE_KIND_PAGE);
	unpin_user_pages(&page, 1, FOLL_WRITE, true);
	CHECK(evict(0, NOW));
	sim_file_put(f);
}

/* Locked in memory: aside; unlocked or unmapped: back. */
static void locked_page_is_put_aside(void *arg)
{
	make_world(SIM_FILE_DISK);
	CHECK(mm_mlock(mm, va, P(2), MM_LOCK_NOW) == 0);
	for (unsigned i = 0; i < 2; i++)
		CHECK(!evict(i, NOW) && page_test(page_of(i), PG_UNEVICTABLE));
	CHECK(lru_count(LRU_UNEVICTABLE) == 2);
	CHECK(mm_mlock(mm, va, P(1), MM_LOCK_NOT) == 0 && !page_test(page_of(0), PG_UNEVICTABLE));
	CHECK(evict(0, NOW));
	CHECK(mm_munmap(mm, va + P(1), P(1)) == 0 && !page_test(page_of(1), PG_UNEVICTABLE));
	CHECK(evict(1, NOW) && lru_count(LRU_UNEVICTABLE) == 0);
	sim_file_put(f);
}

/* Off position, with a grant of its own: a file entry stays. */
static void mosaic_keeps_its_entries(void *arg)
{
	make_world(SIM_FILE_DISK);
	CHECK(mm_remap_file_pages(mm, va, P(1), PROT_READ, 3, MAP_CHGPROT) == 0);
	load_word(va);
	CHECK(!evict(3, NOW)); /* mapped twice, and used: only who forces his own pages out has his way */
	CHECK(evict(3, NOW) && kind_at(va) == PTE_KIND_FILE);
	CHECK(sim_touch(va, FAULT_WRITE) == FAULT_ACCERR && load_word(va) == FILLED(3));
	sim_file_put(f);
}

/* Of tmpfs: it stays as it is while there is no swap (test_object_swap.c: when there is). */
static void tmpfs_page_stays(void *arg)
{
	make_world(SIM_FILE_TMPFS);
	store_word(va, 5);
	CHECK(!evict(0, NOW) && kind_at(va) == PTE_KIND_PAGE && load_word(va) == 5);
	sim_file_put(f);
}

/* Somebody has a reference: neither looked at twice nor lost. */
static void held_page_stays(void *arg)
{
	struct page *page;

	make_world(SIM_FILE_DISK);
	page = page_of(0);
	page_get(page);
	CHECK(!evict(0, NOW) && page_of(0) == page);
	page_lock(page);
	CHECK(!evict(0, NOW));
	page_unlock(page);
	page_put(page);
	CHECK(evict(0, NOW));
	sim_file_put(f);
}

/* Active pages that nobody used lately become inactive; the others with them if need be. */
static void from_active_to_inactive(void *arg)
{
	struct list pages = LIST_INIT(pages);

	make_world(SIM_FILE_DISK);
	for (unsigned round = 0; round < 2; round++) {
		struct page *page = page_of(0);

		if (!page_test(page, PG_ACTIVE))
			lru_activate(page);
		CHECK(lru_isolate(page));
		list_add(&page->link, &pages);
		deactivate_pages(&pages, false);
		CHECK(page_test(page, PG_ACTIVE) == (round == 0)); /* its accessed bit was set the first time */
	}
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(clean_page_goes);
	CASE_CALM(second_chance);
	CASE_CALM(dirty_page_is_written);
	CASE_CALM(pinned_page_stays);
	CASE_CALM(locked_page_is_put_aside);
	CASE_CALM(mosaic_keeps_its_entries);
	CASE_CALM(tmpfs_page_stays);
	CASE_CALM(held_page_stays);
	CASE_CALM(from_active_to_inactive);
	return sim_end();
}
