/*
 * test_rmap_walk.c - mm/rmap/walk.c: every entry that maps a page is visited, once; and cleaned.
 *
 * machine: amd64 pae tiny4
 */
#include "tests/unit/sim_space.h"

#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/space/vma.h"

#define PAGES 4
#define HITS 16

static struct sim_file *file;
static vaddr_t a, b, window;

static struct {
	vaddr_t va;
	struct pgtable *pt;
} hits[HITS];
static unsigned nr_hits, stop_after;

static bool note(const struct rmap_hit *hit, void *ctx)
{
	struct page *page = ctx;

	CHECK(pte_has_page(hit->pte) && pte_pfn(hit->pte) == page_to_pfn(page));
	CHECK(pte_same(hit->pte, hw_pte_get_lockless(hit->hw)) && spin_held(&pt_find(hit->pt, hit->va).table->ptl));
	hits[nr_hits].pt = hit->pt;
	hits[nr_hits++].va = hit->va;
	return nr_hits != stop_after;
}

static struct object_maps *maps(void)
{
	return &sim_file_object(file)->maps;
}

static struct page *page_of(pgoff_t index)
{
	struct page *page = pagecache_find(sim_file_object(file), index);

	CHECK(page != NULL);
	return page;
}

static void walk(pgoff_t index)
{
	struct page *page = page_of(index);

	nr_hits = 0;
	page_lock(page);
	rmap_walk_file(maps(), page, RMAP_CHANGES, note, page);
	page_unlock(page);
	page_put(page);
}

static unsigned hits_at(struct mm *mm, vaddr_t va)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nr_hits; i++)
		n += hits[i].pt == &mm->pt && hits[i].va == va;
	return n;
}

/* Mapped at a, at b from page 1 on, and in a window whose first page shows page 2. */
static void make_world(void)
{
	enter_space();
	file = sim_file_create(SIM_FILE_DISK, PAGES * PAGE_SIZE, true);
	a = map_pages(PAGES, MAP_SHARED, file, 0);
	b = map_pages(PAGES - 1, MAP_SHARED, file, 1);
	window = map_pages(2, MAP_SHARED, file, 0);
	CHECK(mm_remap_file_pages(sim_mm(), window, PAGE_SIZE, 0, 2, 0) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		load_word(a + i * PAGE_SIZE);
}

static void end_world(void)
{
	CHECK(sim_file_sync(file) == 0);
	sim_file_put(file);
}

/* Linear or not, in this address space or another, once. */
static void each_mapping_once(void *arg)
{
	struct mm *parent, *child;

	make_world();
	parent = sim_mm();
	mm_get(parent);
	load_word(b + PAGE_SIZE);
	load_word(window);
	walk(2);
	CHECK(nr_hits == 3 && hits_at(parent, a + 2 * PAGE_SIZE) && hits_at(parent, b + PAGE_SIZE) &&
	      hits_at(parent, window));
	child = mm_fork(parent);
	CHECK(!IS_ERR(child));
	sim_use(child);
	load_word(a + 2 * PAGE_SIZE);
	load_word(window);
	walk(2);
	CHECK(nr_hits >= 5 && hits_at(child, a + 2 * PAGE_SIZE) == 1 && hits_at(child, window) == 1);
	CHECK(hits_at(parent, a + 2 * PAGE_SIZE) == 1 && hits_at(parent, window) == 1);
	mm_put(child);
	mm_put(parent);
	walk(2);
	CHECK(hits_at(parent, window) == 0 && hits_at(child, window) == 1);
	end_world();
}

/* A range that could show the page is only a candidate: its entry must say so. */
static void candidates_are_checked(void *arg)
{
	make_world();
	walk(0);
	CHECK(nr_hits == 1); /* the window's linear place of page 0 shows page 2 */
	walk(1);
	CHECK(nr_hits == 1); /* b and the window could, but were not touched */
	CHECK(mm_madvise(sim_mm(), a, PAGES * PAGE_SIZE, MADV_DONTNEED) == 0);
	walk(1);
	CHECK(nr_hits == 0);
	end_world();
}

/* Where there is no table at all, there is nothing to see. */
static void no_table_no_hit(void *arg)
{
	vaddr_t far;

	make_world();
	far = ALIGN_DOWN((vaddr_t)(USER_END / 2), pt_span(PT_LEVELS - 1));
	CHECK(sim_mmap(sim_mm(), far, PAGE_SIZE, RW, MAP_SHARED | MAP_FIXED, file, 3) == (long)far);
	CHECK(!pt_find(&sim_mm()->pt, far).hw);
	walk(3);
	CHECK(nr_hits == 1);
	load_word(far);
	walk(3);
	CHECK(nr_hits == 2 && hits_at(sim_mm(), far) == 1);
	end_world();
}

static void visitor_stops_the_walk(void *arg)
{
	make_world();
	load_word(b + PAGE_SIZE);
	load_word(window);
	for (stop_after = 1; stop_after <= 3; stop_after++) {
		walk(2);
		CHECK(nr_hits == stop_after);
	}
	end_world();
}

/* -- mkclean --------------------------------------------------------------------------------------------------------------- */
static unsigned found; /* entries that map the page */

static bool mkclean(pgoff_t index)
{
	struct page *page = page_of(index);
	bool dirty;

	page_lock(page);
	dirty = rmap_mkclean(maps(), page, &found);
	page_unlock(page);
	page_put(page);
	return dirty;
}

/* No entry is dirty or writable any more, no TLB thinks so, the grants stay; the next store notifies again. */
static void mkclean_cleans_all(void *arg)
{
	make_world();
	CHECK(!mkclean(2));
	store_word(b + PAGE_SIZE, 5);
	store_word(window, 6);
	CHECK(mkclean(2) && found == 3);
	for (unsigned i = 0; i < 3; i++) {
		vaddr_t va = i == 0 ? a + 2 * PAGE_SIZE : i == 1 ? b + PAGE_SIZE : window;
		struct pte_view v = sim_entry(sim_mm(), va);

		CHECK(v.kind == PTE_KIND_PAGE && !v.dirty && !v.write && (v.grant & RW) == RW);
	}
	CHECK(sim_tlb_stale(true) == 0 && !mkclean(2) && found == 3);
	CHECK(load_word(a + 2 * PAGE_SIZE) == 6);
	store_word(b + PAGE_SIZE, 7);
	CHECK(sim_entry(sim_mm(), b + PAGE_SIZE).dirty && mkclean(2));
	end_world();
}

/* Nobody maps it: nothing to do. */
static void mkclean_of_unmapped(void *arg)
{
	make_world();
	CHECK(mm_munmap(sim_mm(), a, PAGES * PAGE_SIZE) == 0);
	CHECK(!mkclean(3));
	end_world();
}

/* Between the clear and the flush the entry is empty, and whoever still has the translation can store. */
static bool seen_at_point, has_at_point;

static void at_point(const char *name)
{
	if (strcmp(name, "clear-before-flush"))
		return;
	seen_at_point = true;
	has_at_point = sim_tlb_has(sim_cpu(), a + 2 * PAGE_SIZE);
	if (!MUTATION(1))
		CHECK(pte_is_none(hw_pte_get_lockless(pt_find(&sim_mm()->pt, a + 2 * PAGE_SIZE).hw)));
}

static void clear_flush_set(void *arg)
{
	make_world();
	store_word(a + 2 * PAGE_SIZE, 1);
	sync_point_hook = at_point;
	sync_points_armed = 1;
	CHECK(mkclean(2) && seen_at_point && has_at_point);
	sync_points_armed = 0;
	end_world();
}

/* Mutation M1 flushes first: then no CPU is told of the clear. */
static void mutation_flushes_first(void *arg)
{
	make_world();
	store_word(a + 2 * PAGE_SIZE, 1);
	sync_point_hook = at_point;
	sync_points_armed = 1;
	mutation_active = 1;
	CHECK(mkclean(2) && seen_at_point && !has_at_point);
	mutation_active = 0;
	sync_points_armed = 0;
	end_world();
}

static void walk_of_unlocked_page(void *arg)
{
	make_world();
	rmap_walk_file(maps(), page_of(0), RMAP_CHANGES, note, NULL);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(each_mapping_once);
	CASE_CALM(candidates_are_checked);
	CASE_CALM(no_table_no_hit);
	CASE_CALM(visitor_stops_the_walk);
	CASE_CALM(mkclean_cleans_all);
	CASE_CALM(mkclean_of_unmapped);
	CASE_CALM(clear_flush_set);
	CASE_CALM(mutation_flushes_first);
	CASE_PANICS(walk_of_unlocked_page);
	return sim_end();
}
