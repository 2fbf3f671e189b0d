/*
 * gather.h - clear, flush every TLB, then free: the object that owns this order.
 *
 * Layer 4 (mm/pgtable).  Usage:
 *
 *	mmu_gather_begin(&g, pt, start, end, MMU_CLEAR);     // subscribers hear of the range (notifier.h)
 *	... under page-table locks: clear entries, mmu_gather_page(&g, va, page) for each page they held ...
 *	mmu_gather_finish(&g);        // flushes CPUs and subscribers, only then drops the references
 *
 * A gather that is full flushes and frees by itself in mmu_gather_page(), which is legal under a PTL.
 * Finishing twice, or never, is an assert.
 */
#ifndef MM_PGTABLE_GATHER_H
#define MM_PGTABLE_GATHER_H

#include "kernel/lib/assert.h"
#include "mm/pgtable/notifier.h"

#define GATHER_PAGES 48

struct mmu_gather {
	struct pgtable *pt;
	vaddr_t from, to;   /* what may be cleared */
	vaddr_t start, end; /* cleared and not yet flushed; start >= end: nothing */
	unsigned nr;
	bool active;
	bool reload;                      /* the root table was changed, and CPUs have copies of it */
	struct mmu_range range;           /* of addresses that may be cleared: what subscribers know of */
	struct list tables;               /* unlinked table pages */
	struct page *pages[GATHER_PAGES]; /* each with the reference its entry held */
};

/* Entries of [start, end) are going to be cleared. => may sleep, no PTL held */
void mmu_gather_begin(struct mmu_gather *g, struct pgtable *pt, vaddr_t start, vaddr_t end, enum mmu_event event);
/* The same for who must not sleep: 0, or -EAGAIN (there is no gather then, and nothing may be cleared). */
int __must_check mmu_gather_try_begin(struct mmu_gather *g, struct pgtable *pt, vaddr_t start, vaddr_t end,
                                      enum mmu_event event);
/* What to flush is widened by the page at @va. */
static inline void mmu_gather_widen(struct mmu_gather *g, vaddr_t va)
{
	if (va < g->start)
		g->start = va;
	if (va + PAGE_SIZE > g->end)
		g->end = va + PAGE_SIZE;
}
/* The entry of @va was cleared; no page to free (the zero page, a page that stays referenced). */
static inline void mmu_gather_entry(struct mmu_gather *g, vaddr_t va)
{
	ASSERT(va >= g->from && va < g->to);
	mmu_gather_widen(g, va);
}
/* The entry of @va was cleared; the reference it held on @page passes to the gather. */
void mmu_gather_page(struct mmu_gather *g, vaddr_t va, struct page *page);
/* An unlinked table page that covered addresses from @va on; the entry that pointed to it was at @level. */
void mmu_gather_table(struct mmu_gather *g, struct page *table, vaddr_t va, unsigned level);
/* Flush now, free later. => any lock */
void mmu_gather_flush_tlb(struct mmu_gather *g);
/* Flush now and free what was collected; the gather stays usable. => any lock that allows freeing pages */
void mmu_gather_flush(struct mmu_gather *g);
void mmu_gather_finish(struct mmu_gather *g);

#endif
