/*
 * pageout.c - madvise(2) about pages that are not needed soon (COLD, PAGEOUT) or not at all (FREE).
 *
 * Layer 7 (mm/service).  Interface: pageout.h.  Lock order: mm->lock (read), page lock, the reverse map's, PTL.
 *
 *   COLD      the accessed bits are cleared: whoever ages pages finds these unused
 *   PAGEOUT   the pages leave memory now: to swap, or (clean ones of a file) out of the cache.  Only pages that nobody else
 *             maps; the call returns when they are gone, or when it is clear that they will not go
 *   FREE      the content may be thrown away, until somebody stores again: the dirty bit will tell.  A page in a slot goes
 *             at once
 */
#include "mm/service/pageout.h"

#include "kernel/sync/hooks.h"
#include "mm/object/pagecache.h"
#include "mm/object/swap.h"
#include "mm/object/unmap.h"
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
	if (alone) {
		page_clear(page, PG_DIRTY);
		page_clear(page, PG_SWAPBACKED);
	}
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

/* Pages of one batch that were in memory, each with a reference. */
struct batch {
	unsigned nr;
	struct page *pages[SWAP_BATCH];
};

/* The page mapped at @va if nobody else maps it, referenced. => mm->lock held */
static struct page *page_at(struct pgtable *pt, vaddr_t va)
{
	struct pt_slot slot = pt_lock(pt, va);
	struct page *page = NULL;
	pte_t pte;

	if (!slot.hw)
		return NULL;
	pte = hw_pte_get(slot.hw);
	if (pte_has_page(pte) && !pte_special(pte)) {
		page = pfn_to_page(pte_pfn(pte));
		if (__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 1)
			page_get(page);
		else
			page = NULL;
	}
	pt_unlock(slot);
	return page;
}

/* => page locked; unlocks it */
static void anon_out(struct swap_io *io, struct page *page)
{
	bool write = false;

	if (page_test(page, PG_SWAPCACHE) || !page_test(page, PG_SWAPBACKED) || swap_add(page)) {
		if (page_unmap(page) == UNMAP_DONE)
			write = page_test(page, PG_SWAPCACHE) && page_test(page, PG_DIRTY);
		else
			(void)swap_try_free(page);
	}
	if (write)
		swap_write(io, page);
	else
		page_unlock(page);
}

/* => page locked, @obj's; unlocks it and gives the reference back */
static void cached_out(struct vm_object *obj, struct page *page)
{
	pgoff_t index = page->index;
	bool gone = page_unmap(page) == UNMAP_DONE;

	page_unlock(page);
	page_put(page);
	if (gone)
		(void)pagecache_shed(obj, index, index);
}

/* => mm->lock held */
static void page_out(struct vma *vma, struct batch *b, struct swap_io *io, struct page *page)
{
	if (page_test(page, PG_WRITEBACK) || !page_try_lock(page)) {
		page_put(page);
	} else if (page_test(page, PG_ANON)) {
		b->pages[b->nr++] = page;
		anon_out(io, page);
	} else if (page->object && page->object == vma->object) {
		cached_out(vma->object, page);
	} else {
		page_unlock(page);
		page_put(page);
	}
}

/* What was written goes. => no locks held */
static void finish_batch(struct batch *b)
{
	for (unsigned i = 0; i < b->nr; i++) {
		struct page *page = b->pages[i];

		page_lock(page);
		page_wait_writeback(page);
		(void)swap_evict(page);
		page_unlock(page);
		page_put(page);
	}
	b->nr = 0;
}

/* One batch from *@va on, which moves on; false at the end of the range. */
static bool out_batch(struct mm *mm, vaddr_t *va, vaddr_t end, struct batch *b)
{
	struct swap_io io;
	struct vma *vma;

	swap_io_init(&io);
	rwsem_read_lock(&mm->lock);
	for (; *va < end && b->nr < SWAP_BATCH; *va += PAGE_SIZE) {
		struct page *page;

		vma = vma_find(mm, *va);
		if (!vma || vma->start >= end) {
			*va = end;
			break;
		}
		*va = max(*va, vma->start);
		page = vma->flags & VM_LOCKED ? NULL : page_at(&mm->pt, *va);
		if (page)
			page_out(vma, b, &io, page);
	}
	swap_submit(&io);
	rwsem_read_unlock(&mm->lock);
	return *va < end;
}

void mm_page_out(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct batch b = {.nr = 0};
	bool more;

	do {
		more = out_batch(mm, &start, end, &b);
		finish_batch(&b);
	} while (more && !sync_fatal_pending());
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
