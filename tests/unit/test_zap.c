/*
 * test_zap.c - mm/object/zap.c: what each kind of entry leaves behind, when the range goes (munmap) and when only its pages
 * do (madvise).
 *
 * machine: all
 */
#include "tests/unit/sim_laws.h"

#define PAGES 8

enum { ANON = 2, CACHED, OFF_POSITION, FILE_ENTRY, HOME };

static struct sim_file *f;
static struct mm *mm;
static vaddr_t private, linear, window;

/* One entry of each kind. */
static void all_kinds(void)
{
	f = sim_file_create(SIM_FILE_DISK, P(2 * PAGES), true);
	mm = enter_space();
	private = map_pages(PAGES, MAP_PRIVATE, f, 0);
	linear = map_pages(PAGES, MAP_SHARED, f, 0);
	window = map_pages(PAGES, MAP_SHARED, f, 0);
	(void)load_word(private + P(CACHED));
	store_word(private + P(ANON), 3);
	store_word(linear + P(CACHED), 4);
	CHECK(mm_remap_file_pages(mm, window + P(OFF_POSITION), P(1), 0, 12, 0) == 0);
	CHECK(mm_remap_file_pages(mm, window + P(FILE_ENTRY), P(1), 0, 13, MAP_NONBLOCK) == 0);
	(void)load_word(window + P(HOME));
}

static void put_all(void)
{
	CHECK(!sim_tlb_stale(true));
	sim_file_put(f);
}

static int drop(vaddr_t a)
{
	return mm_madvise(mm, a, P(PAGES), MADV_DONTNEED);
}

static bool empty(vaddr_t a)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (kind_at(a + P(i)) != PTE_KIND_NONE)
			return false;
	return true;
}

/* The pages go; in a linear mapping nothing is left to know. */
static void drop_linear(void *arg)
{
	all_kinds();
	CHECK(drop(private) == 0 && empty(private) && drop(linear) == 0 && empty(linear));
	CHECK(load_word(private + P(ANON)) == FILLED(ANON) && load_word(linear + P(CACHED)) == 4);
	put_all();
}

/* What stands off its position leaves its place; what stands in position does not need to. */
static void drop_nonlinear(void *arg)
{
	all_kinds();
	CHECK(drop(window) == 0 && kind_at(window + P(HOME)) == PTE_KIND_NONE);
	CHECK(kind_at(window + P(OFF_POSITION)) == PTE_KIND_FILE && sim_entry(mm, window + P(OFF_POSITION)).payload == 12);
	CHECK(kind_at(window + P(FILE_ENTRY)) == PTE_KIND_FILE && sim_entry(mm, window + P(FILE_ENTRY)).payload == 13);
	CHECK(vma_of(window)->link.nonlinear->count == 2);
	CHECK(load_word(window + P(OFF_POSITION)) == FILLED(12) && load_word(window + P(HOME)) == FILLED(HOME));
	put_all();
}

/* An entry with rights of its own leaves them even where it stands in position. */
static void drop_own_rights(void *arg)
{
	all_kinds();
	CHECK(mm_remap_file_pages(mm, window + P(HOME), P(1), PROT_READ, HOME, MAP_CHGPROT) == 0);
	CHECK(drop(window) == 0 && kind_at(window + P(HOME)) == PTE_KIND_FILE);
	CHECK(mm_fault(mm, window + P(HOME), FAULT_WRITE) == FAULT_ACCERR && load_word(window + P(HOME)) == FILLED(HOME));
	put_all();
}

/* The zero page is nobody's: no count changes. */
static void drop_zero_page(void *arg)
{
	vaddr_t a;

	mm = enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == 0);
	CHECK(drop(a) == 0 && empty(a) && zero_page->refs == 1 && zero_page->mapcount == 0);
}

/* Everything goes, and the index of places with it. */
static void unmap(void *arg)
{
	struct vm_object *obj;

	all_kinds();
	obj = sim_file_object(f);
	CHECK(!list_empty(&obj->maps.nonlinear) && mm_munmap(mm, window + P(FILE_ENTRY), P(1)) == 0);
	CHECK(vma_of(window)->link.nonlinear->count == 1);
	CHECK(mm_munmap(mm, window, P(PAGES)) == 0 && list_empty(&obj->maps.nonlinear));
	CHECK(mm_munmap(mm, private, P(PAGES)) == 0 && mm_munmap(mm, linear, P(PAGES)) == 0 && obj->maps.nr_links == 0);
	put_all();
}

/* Hardware's dirty bit goes to the page: the store is not lost with the entry. */
static void dirty_bit(void *arg)
{
	struct page *page;

	all_kinds();
	page = pagecache_find(sim_file_object(f), CACHED);
	CHECK(sim_file_sync(f) == 0 && !page_test(page, PG_DIRTY));
	store_word(linear + P(CACHED), 5);
	CHECK(drop(linear) == 0 && page_test(page, PG_DIRTY) && page->mapcount == 1); /* the private mapping's */
	page_put(page);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, CACHED) == 5);
	put_all();
}

static void drop_two(void *arg)
{
	CHECK(mm_madvise(mm, linear, P(2), MADV_DONTNEED) == 0);
}

static unsigned
	step; /* 1: both pages are in the storer's TLB; 2: their entries are empty, and flushed where they must be */

static void store_late(void *arg)
{
	u64 two = 2;

	store_word(linear, 1);
	store_word(linear + P(1), 1);
	WRITE_ONCE(step, 1);
	while (READ_ONCE(step) < 2)
		sim_yield();
	CHECK(sim_try(linear + P(1), FAULT_WRITE, &two, sizeof(two)));
	CHECK(!sim_try(linear, FAULT_WRITE, &two, sizeof(two)));
}

/*
 * Many entries are emptied, then flushed together: until then a CPU may go on storing into anonymous memory, which goes
 * with the store.  But not into a page of a file: writeback may have cleaned it, and the store would be lost (RF.12).
 */
static void late_store(void *arg)
{
	const char *const place = "clear-before-flush";
	struct sim_thread *dropper, *storer;

	f = sim_file_create(SIM_FILE_DISK, P(1), true);
	mm = enter_space();
	linear = map_pages(2, MAP_PRIVATE, NULL, 0);
	CHECK(sim_mmap(mm, linear, P(1), RW, MAP_SHARED | MAP_FIXED, f, 0) == (long)linear);
	storer = sim_spawn(mm, 2, store_late, NULL);
	while (READ_ONCE(step) < 1)
		sim_yield();
	dropper = race_begin_after(place, 1, drop_two, NULL); /* the first flush is that of the file page */
	WRITE_ONCE(step, 2);
	sim_join(storer);
	race_end(place, dropper);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 1 && load_word(linear + P(1)) == 0);
	put_all();
}

static void keep_storing(void *arg)
{
	for (u64 i = 1; i <= 200; i++)
		store_word(linear, i);
}

static void keep_cleaning(void *arg)
{
	for (unsigned i = 0; i < 40; i++)
		CHECK(sim_file_sync(f) == 0);
}

/* Dropped again and again, cleaned again and again: no store through what a CPU remembers comes too late. */
static void against_stores_and_writeback(void *arg)
{
	struct sim_thread *storer, *cleaner;

	f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	mm = enter_space();
	linear = map_pages(PAGES, MAP_SHARED, f, 0);
	storer = sim_spawn(mm, 1, keep_storing, NULL);
	cleaner = sim_spawn(NULL, 2, keep_cleaning, NULL);
	for (unsigned i = 0; i < 60; i++)
		CHECK(drop(linear) == 0);
	sim_join(storer);
	sim_join(cleaner);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 200);
	put_all();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(drop_linear);
	CASE(drop_nonlinear);
	CASE(drop_own_rights);
	CASE(drop_zero_page);
	CASE(unmap);
	CASE(dirty_bit);
	CASE_WITH((&(struct sim_config){.prefetch_one_in = SIM_NEVER, .evict_one_in = SIM_NEVER}), late_store);
	CASE(against_stores_and_writeback);
	return sim_end();
}
