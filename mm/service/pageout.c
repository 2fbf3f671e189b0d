/*
 * pageout.c - madvise(2) about pages that are not needed soon (COLD, PAGEOUT) or not at all (FREE).
 *
 * Layer 7 (mm/service).  Interface: pageout.h.  Lock order: mm->lock (read), page lock, the reverse map's, PTL.
 *
 *   COLD      the accessed bits are cleared, and the pages are the next that reclaim looks at
 *   PAGEOUT   the pages leave memory now: to swap, or written back and out of the cache.  Those that others map, too,
 *             only if nobody used them lately: no program can take another one's memory.  The call returns when they are
 *             gone, or when it is clear that they will not go
 *   FREE      the content may be thrown away, until somebody stores again: the dirty bit will tell.  A page in a slot goes
 *             at once
 */
#include "mm/service/pageout.h"

#include "kernel/sync/hooks.h"
#include "mm/object/pagecache.h"
#include "mm/object/swap.h"
#include "mm/service/reclaim.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* -- COLD ---------------------------------------------------------------------------------------------------------- */

static int cool_extent(struct pt_extent *x, void *ctx)
{
	bool *any = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (!pte_has_page(pte) || pte_special(pte))
			continue;
		*any |= hw_pte_test_and_clear_young(x->hw);
		(void)mmu_notify_clear_young(x->pt, x->va, x->va + PAGE_SIZE, true);
		if (!page_test(pfn_to_page(pte_pfn(pte)), PG_UNEVICTABLE))
			lru_deactivate(pfn_to_page(pte_pfn(pte)));
	}
	return 0;
}

void vma_cool(struct vma *vma, vaddr_t start, vaddr_t end)
{
	bool any = false;

	pt_walk(&vma->mm->pt, start, end, cool_extent, &any);
	if (any)
		pgtable_flush_cpus(&vma->mm->pt, start, end);
}

/* -- FREE ----------------------------------------------------------------------------------------------------------- */

/* Is the page this mapping's alone, and without a slot? Then its content is the entries' affair. => PTL held */
static bool sole(struct page *page)
{
	bool alone;

	if (__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) != 1 || !page_test(page, PG_ANON) || !page_try_lock(page))
		return false;
	alone = !page_test(page, PG_WRITEBACK) && swap_try_free(page) &&
	        __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 1;
	/* Who has isolated it is about to decide what becomes of it: then it stays as it is. */
	alone = alone && lru_change(page, 0, BIT(PG_SWAPBACKED) | BIT(PG_ACTIVE));
	if (alone)
		page_clear(page, PG_DIRTY);
	page_unlock(page);
	return alone;
}

static int free_extent(struct pt_extent *x, void *ctx)
{
	struct mmu_gather *g = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (pte_is_swap(pte)) {
			hw_pte_set(x->hw, pte_none());
			pgtable_account_swap(x->pt, -1);
			swap_put(pte_swap_entry(pte));
		} else if (pte_has_page(pte) && !pte_special(pte) && sole(pfn_to_page(pte_pfn(pte)))) {
			pte = hw_pte_get_and_clear(x->hw);
			hw_pte_set(x->hw, pte_mkold(pte_mkclean(pte)));
			mmu_gather_entry(g, x->va);
		}
	}
	return 0;
}

void vma_free_lazily(struct vma *vma, vaddr_t start, vaddr_t end)
{
	struct mmu_gather g;

	mmu_gather_begin(&g, &vma->mm->pt, start, end, MMU_CLEAR);
	pt_walk(&vma->mm->pt, start, end, free_extent, &g);
	mmu_gather_finish(&g);
}

/* -- PAGEOUT ---------------------------------------------------------------------------------------------------------- */

#define BATCH 32

/* Pages of one batch, isolated. */
struct harvest {
	struct list pages;
	unsigned nr;
	vaddr_t at; /* where the walk stopped */
};

static int harvest_extent(struct pt_extent *x, void *ctx)
{
	struct harvest *h = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (!pte_has_page(pte) || pte_special(pte))
			continue;
		if (h->nr == BATCH) {
			h->at = x->va;
			return 1;
		}
		if (lru_isolate(pfn_to_page(pte_pfn(pte)))) {
			list_add_tail(&pfn_to_page(pte_pfn(pte))->link, &h->pages);
			h->nr++;
		}
	}
	return 0;
}

/* Up to a batch of the pages mapped in [@start, @end). Returns where to go on. */
static vaddr_t harvest(struct mm *mm, vaddr_t start, vaddr_t end, struct harvest *h)
{
	struct vma *vma;

	list_init(&h->pages);
	h->nr = 0;
	h->at = end;
	rwsem_read_lock(&mm->lock);
	for_each_vma_in(vma, mm, start, end)
		if (!(vma->flags & VM_LOCKED) &&
		    pt_walk(&mm->pt, max(start, vma->start), min(end, vma->end), harvest_extent, h))
			break;
	rwsem_read_unlock(&mm->lock);
	return h->at;
}

void mm_page_out(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct evict e = {.background = true, .wait = true, .force = true};

	while (start < end && !sync_fatal_pending()) {
		struct harvest h;

		start = harvest(mm, start, end, &h);
		evict_pages(&e, &h.pages);
	}
}

/* -- WILLNEED ------------------------------------------------------------------------------------------------------------ */

struct prefetch {
	swap_entry_t entry[SWAP_BATCH];
	unsigned nr;
	vaddr_t at; /* where to go on */
};

static int collect_extent(struct pt_extent *x, void *ctx)
{
	struct prefetch *p = ctx;

	for (; x->va < x->end && p->nr < SWAP_BATCH; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (pte_is_swap(pte))
			p->entry[p->nr++] = pte_swap_entry(pte);
		p->at = x->va + PAGE_SIZE;
	}
	return p->nr == SWAP_BATCH;
}

void vma_prefetch(struct vma *vma, vaddr_t start, vaddr_t end)
{
	struct prefetch p = {.at = start};

	do {
		p.nr = 0;
		pt_walk(&vma->mm->pt, p.at, end, collect_extent, &p);
		for (unsigned i = 0; i < p.nr; i++)
			swap_prefetch(p.entry[i]);
	} while (p.nr == SWAP_BATCH && p.at < end);
}
