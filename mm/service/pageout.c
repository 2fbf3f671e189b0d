/*
 * pageout.c - madvise(2)'s MADV_COLD and MADV_PAGEOUT: what a program knows it will not need soon.
 *
 * Layer 7 (mm/service).  Interface: mm.h, reclaim.h.
 * Lock order: mm->lock (read), PTL, the lists' locks.  Pages are written and freed with no lock held.
 *
 *   MADV_COLD      not used lately, and first in the line; nothing is written or freed now
 *   MADV_PAGEOUT   out now: file pages are written back first, anonymous ones go to swap
 *
 * Pages that others map, too, go out only if nobody used them lately: no program can take another one's memory.
 */
#include "mm/service/pageout.h"

#include "kernel/sync/hooks.h"
#include "mm/service/reclaim.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

#define BATCH 32

/* A part of one vma being walked. */
struct harvest {
	struct list pages; /* isolated */
	unsigned nr;
	vaddr_t at; /* where the walk stopped */
};

static struct page *page_of(pte_t pte)
{
	return pte_has_page(pte) && !pte_special(pte) ? pfn_to_page(pte_pfn(pte)) : NULL;
}

/* -- MADV_COLD --------------------------------------------------------------------------------------------------------- */

static int cool_extent(struct pt_extent *x, void *ctx)
{
	for (; x->va < x->end; pt_extent_next(x)) {
		struct page *page = page_of(hw_pte_get(x->hw));

		if (!page)
			continue;
		hw_pte_test_and_clear_young(x->hw);
		if (!page_test(page, PG_UNEVICTABLE))
			lru_deactivate(page);
	}
	return 0;
}

/* -- MADV_PAGEOUT -------------------------------------------------------------------------------------------------------- */

static int harvest_extent(struct pt_extent *x, void *ctx)
{
	struct harvest *h = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		struct page *page = page_of(hw_pte_get(x->hw));

		if (!page)
			continue;
		if (h->nr == BATCH) {
			h->at = x->va;
			return 1;
		}
		if (!lru_isolate(page))
			continue;
		list_add_tail(&page->link, &h->pages);
		h->nr++;
	}
	h->at = x->end;
	return 0;
}

/* Up to a batch of the pages mapped in [@start, @end). Returns where to go on. */
static vaddr_t harvest(struct mm *mm, vaddr_t start, vaddr_t end, struct harvest *h)
{
	struct vma *vma;

	list_init(&h->pages);
	h->nr = 0;
	rwsem_read_lock(&mm->lock);
	for_each_vma_in(vma, mm, start, end) {
		if (vma->flags & VM_LOCKED)
			continue;
		if (pt_walk(&mm->pt, max(start, vma->start), min(end, vma->end), harvest_extent, h)) {
			rwsem_read_unlock(&mm->lock);
			return h->at;
		}
	}
	rwsem_read_unlock(&mm->lock);
	return end;
}

static void push_out(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct evict e = {.background = true, .wait = true, .force = true};

	swap_io_init(&e.swap);
	while (start < end && !sync_fatal_pending()) {
		struct harvest h;

		start = harvest(mm, start, end, &h);
		evict_pages(&e, &h.pages);
	}
}

/* -- interface -------------------------------------------------------------------------------------------------------------- */

/* Linux refuses both for locked ranges. => mm->lock held */
static int check_range(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end)
		if (vma->flags & VM_LOCKED)
			return -EINVAL;
	return vma_covers(mm, start, end) ? 0 : -ENOMEM;
}

int madvise_cold(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma;
	int err;

	rwsem_read_lock(&mm->lock);
	err = check_range(mm, start, end);
	if (err != -EINVAL)
		for_each_vma_in(vma, mm, start, end)
			pt_walk(&mm->pt, max(start, vma->start), min(end, vma->end), cool_extent, NULL);
	rwsem_read_unlock(&mm->lock);
	return err;
}

int madvise_pageout(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err;

	rwsem_read_lock(&mm->lock);
	err = check_range(mm, start, end);
	rwsem_read_unlock(&mm->lock);
	if (err != -EINVAL)
		push_out(mm, start, end);
	return err;
}
