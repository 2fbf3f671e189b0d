/*
 * nonlinear_exchange.c - put other pages, with other protections, behind some entries: all of them or none.
 *
 * Layer 6 (mm/space).  Interface: nonlinear.h.
 * Lock order: mm->lock (caller), invalidate_lock (read), maps.lock (write), PTL.
 *
 *   1. tables     made where there are none: may fail
 *   2. nodes      for the entries that come to be off position, made before the locks are taken: may fail
 *   3. exchange   under maps.lock, entry by entry: cannot fail
 *   4. flush      once for all of them (or for each DISPLACED_MAX), still under maps.lock
 *   5. release    the pages that were mapped before
 *
 * Only under maps.lock for writing does an entry come or cease to be off position, and an entry that was off position
 * brings its own node: a window in use needs no memory at all.
 *
 * Between 3 and 4 a CPU may still store through what its TLB remembers, into a page that is already displaced.  That
 * page has its reference and is known to be dirty, and who would clean it (writeback) or take it out of the file
 * (truncate) has to look through maps.lock first.  invalidate_lock keeps the pages that are found in the file until their
 * entries are set.
 */
#include "kernel/lib/syncpoint.h"
#include "mm/phys/slab.h"
#include "mm/pgtable/notifier.h"
#include "mm/space/nonlinear.h"
#include "mm/space/nonlinear_entry.h"
#include "mm/space/space.h"

#define BATCH 16u /* pages looked up at a time, and displaced without asking for memory */
#define DISPLACED_MAX (8 * PAGE_SIZE / sizeof(struct page *)) /* that wait for one flush */

/* Its entries are going to be off position, all of them. */
static inline bool off_position(const struct remap_run *run)
{
	return run->pgoff != run->linear;
}

/* -- 1. tables ---------------------------------------------------------------------------------------------------------- */

struct exchange {
	struct remap_run *runs;
	unsigned nr;
	unsigned long pages; /* of all runs */
	struct pgtable *pt;
	struct vm_object *object;
	struct nonlinear_index *idx;
	struct page **displaced; /* with the references that their entries held */
	unsigned nr_displaced, max_displaced;
	vaddr_t stale_start, stale_end; /* translations to be forgotten */
	long absent;                    /* entries left without a page */
	long mapped;                    /* entries with a page now, less those with one before */
};

#define for_each_run(run, x) for ((run) = (x)->runs; (run) < (x)->runs + (x)->nr; (run)++)

/* @near: the entry of @near_va, perhaps in the same table. */
static inline bool prepare_tables(struct remap_run *run, struct pt_slot near, vaddr_t near_va)
{
	struct pgtable *pt = &run->vma->mm->pt;

	run->first = pt_find_near(pt, run->start, near, near_va);
	if (likely(run->first.hw) && one_page(run))
		return true;
	if (pt_populate(pt, run->start, run->end))
		return false;
	run->first = pt_find(pt, run->start);
	return true;
}

static bool all_tables(struct exchange *x)
{
	struct pt_slot near = {NULL, NULL};
	vaddr_t near_va = 0;
	struct remap_run *run;

	for_each_run(run, x)
	{
		if (unlikely(!prepare_tables(run, near, near_va)))
			return false;
		near = run->first;
		near_va = run->start;
		x->pages += (run->end - run->start) >> PAGE_SHIFT;
	}
	return true;
}

/* A part of a run: up to BATCH entries of one table, from the i-th on. */
struct span {
	struct pt_slot entries;
	pgoff_t i;
	unsigned nr;
};

static inline void span_at(struct span *s, const struct remap_run *run, pgoff_t i)
{
	vaddr_t va = run->start + (i << PAGE_SHIFT), table_end = (va & ~(pt_span(1) - 1)) + pt_span(1);

	s->i = i;
	s->nr = (unsigned)min(min(run->end - va, table_end - va) >> PAGE_SHIFT, (vaddr_t)BATCH);
	s->entries = i && s->nr ? pt_find(&run->vma->mm->pt, va) : run->first;
}

#define for_each_span(s, run) for (span_at((s), (run), 0); (s)->nr; span_at((s), (run), (s)->i + (s)->nr))

/* -- 2. nodes ------------------------------------------------------------------------------------------------------- */

/* How many entries of the run come to be off position. => maps.lock held for writing */
static unsigned long nodes_for(const struct remap_run *run)
{
	const struct nonlinear_index *idx = run->vma->link.nonlinear;
	unsigned long n = 0;
	struct span s;

	if (!off_position(run))
		return 0;
	for_each_span(&s, run)
	{
		struct hw_pte *hw = s.entries.hw;

		for (pgoff_t i = s.i; i < s.i + s.nr; i++, hw = hw_pte_next(hw)) {
			struct was w = was(hw_pte_get_lockless(hw));

			n += stood_for(&w, idx, run->start + (i << PAGE_SHIFT), run->linear + i) == run->linear + i;
		}
	}
	return n;
}

/* Of a few, all may need one: the index keeps that many.  Of many it is worth counting which do; and if there is no
 * memory for all.  => maps.lock held for writing */
static unsigned long nodes_needed(const struct exchange *x, bool exact)
{
	const struct remap_run *run;
	unsigned long n = 0;

	if (x->pages <= NONLINEAR_SPARE && !exact)
		return x->pages;
	for_each_run(run, x) n += nodes_for(run);
	return n;
}

/* Both locks, and nodes enough for what is to be done under them. False: no memory, nothing is locked. */
static bool lock_with_nodes(struct exchange *x)
{
	unsigned long needed, not_to_be_had = ~0UL;

	for (;;) {
		rwsem_read_lock(&x->object->invalidate_lock);
		rwsem_write_lock(&x->object->maps.lock);
		needed = nodes_needed(x, not_to_be_had != ~0UL);
		if (likely(needed <= x->idx->nr_spare))
			return true;
		rwsem_write_unlock(&x->object->maps.lock);
		rwsem_read_unlock(&x->object->invalidate_lock);
		if (needed >= not_to_be_had)
			return false;
		if (nonlinear_index_stock(x->idx, needed))
			not_to_be_had = needed;
	}
}

/* -- 4., 5. flush and release ---------------------------------------------------------------------------------------- */

static void flush_and_release(struct exchange *x)
{
	if (x->stale_start < x->stale_end) {
		SYNC_POINT("clear-before-flush");
		if (!MUTATION(1))
			pgtable_flush_range(x->pt, x->stale_start, x->stale_end);
		x->stale_start = ~0UL;
		x->stale_end = 0;
	}
	pgtable_settle(x->pt);
	SYNC_POINT("flush-before-free");
	while (x->nr_displaced)
		page_put(x->displaced[--x->nr_displaced]);
}

static inline void forget_translation(struct exchange *x, vaddr_t va)
{
	x->stale_start = min(x->stale_start, va);
	x->stale_end = max(x->stale_end, va + PAGE_SIZE);
}

static inline void displace(struct exchange *x, const struct was *w, vaddr_t va)
{
	if (!w->page)
		return;
	x->displaced[x->nr_displaced++] = w->page;
	x->mapped--;
	if (pte_accessible(w->pte))
		forget_translation(x, va);
}

/* -- 3. exchange ------------------------------------------------------------------------------------------------------ */

static void exchange_span(struct exchange *x, const struct remap_run *run, const struct span *s)
{
	struct hw_pte *hw = s->entries.hw;
	struct page *pages[BATCH];

	for (unsigned n = 0; n < s->nr; n++)
		pages[n] = pagecache_find_mappable(x->object, run->pgoff + s->i + n);
	pt_lock_found(s->entries);
	for (unsigned n = 0; n < s->nr; n++, hw = hw_pte_next(hw)) {
		pgoff_t i = s->i + n;
		vaddr_t va = run->start + (i << PAGE_SHIFT);
		struct was w = exchange_entry(run->vma, x->idx, hw, va, run->linear + i, run->pgoff + i, run->grant, pages[n]);

		x->mapped += pages[n] != NULL;
		x->absent += pages[n] == NULL;
		displace(x, &w, va);
	}
	pt_unlock(s->entries);
}

/* The same offset, another grant. */
static inline void regrant_entry(struct exchange *x, const struct remap_run *run, struct hw_pte *hw, pgoff_t i)
{
	vaddr_t va = run->start + (i << PAGE_SHIFT);
	pte_t pte = hw_pte_get(hw), new;

	if (!pte_has_page(pte)) {
		new = pte_is_none(pte) ? pte_mk_file(run->linear + i, run->grant) : pte_regrant_soft(pte, run->grant);
		hw_pte_set(hw, new);
		return;
	}
	if (MUTATION(1))
		pgtable_flush_early(x->pt, va);
	pte = hw_pte_get_and_clear(hw);
	new = vma_regrant(run->vma, pte, run->grant);
	hw_pte_set(hw, new);
	TRACE(TRACE_PROTECT, x->pt, va, pte_pfn(pte), pte_trace(pte), pte_trace(new));
	if (pte_accessible(pte))
		forget_translation(x, va);
}

static void regrant_span(struct exchange *x, const struct remap_run *run, const struct span *s)
{
	struct hw_pte *hw = s->entries.hw;

	pt_lock_found(s->entries);
	for (unsigned n = 0; n < s->nr; n++, hw = hw_pte_next(hw))
		regrant_entry(x, run, hw, s->i + n);
	pt_unlock(s->entries);
}

static void exchange_spans(struct exchange *x, const struct remap_run *run)
{
	struct span s;

	for_each_span(&s, run)
	{
		if (unlikely(x->nr_displaced + s.nr > x->max_displaced))
			flush_and_release(x);
		if (run->keep_offset)
			regrant_span(x, run, &s);
		else
			exchange_span(x, run, &s);
	}
}

static void exchange_all(struct exchange *x)
{
	const struct remap_run *run;

	for_each_run(run, x) exchange_spans(x, run);
	flush_and_release(x);
	rwsem_write_unlock(&x->object->maps.lock);
	rwsem_read_unlock(&x->object->invalidate_lock);
	if (x->mapped)
		pgtable_account(x->pt, x->mapped);
}

/* -- all of it ------------------------------------------------------------------------------------------------------- */

/* Room for as many displaced pages as there are, if it is to be had: then there is one flush. */
static void displaced_room(struct exchange *x)
{
	unsigned long pages = min(x->pages, (unsigned long)DISPLACED_MAX);
	struct page **many = pages > BATCH ? kmalloc(pages * sizeof(*many), GFP_KERNEL | GFP_NOWARN) : NULL;

	if (many) {
		x->displaced = many;
		x->max_displaced = (unsigned)pages;
	}
}

/* Subscribers hear of one range that holds all runs. */
static void announce(const struct exchange *x, struct mmu_range *range)
{
	vaddr_t start = ~0UL, end = 0;
	const struct remap_run *run;

	for_each_run(run, x)
	{
		start = min(start, run->start);
		end = max(end, run->end);
	}
	mmu_notify_start(range, x->pt, start, end, MMU_CLEAR);
}

long nonlinear_exchange(struct remap_run *runs, unsigned nr)
{
	struct page *few[BATCH];
	struct exchange x = {.runs = runs,
	                     .nr = nr,
	                     .pt = &runs->vma->mm->pt,
	                     .object = runs->vma->object,
	                     .idx = runs->vma->link.nonlinear,
	                     .displaced = few,
	                     .max_displaced = BATCH,
	                     .stale_start = ~0UL};

	struct mmu_range range;

	if (!all_tables(&x))
		return -ENOMEM;
	displaced_room(&x);
	announce(&x, &range);
	if (lock_with_nodes(&x))
		exchange_all(&x);
	else
		x.absent = -ENOMEM;
	mmu_notify_end(&range);
	nonlinear_index_trim(x.idx);
	if (x.displaced != few)
		kfree(x.displaced);
	return x.absent;
}
