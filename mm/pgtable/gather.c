/*
 * gather.c - batches the release of pages behind one TLB flush.
 *
 * Layer 4 (mm/pgtable).  Interface and theory: gather.h.
 *
 * Why not flush at each entry?  Unmapping a hundred pages would interrupt every other CPU a hundred times.
 * The price: until the flush, a CPU with a stale writable translation can still store into the page, so
 * nobody may clean, write back or reuse the frame before it.
 */
#include "mm/pgtable/gather.h"

#include "kernel/lib/assert.h"
#include "mm/pgtable/table.h"

static void forget_range(struct mmu_gather *g)
{
	g->start = ~0UL;
	g->end = 0;
}

void mmu_gather_begin(struct mmu_gather *g, struct pgtable *pt)
{
	g->pt = pt;
	g->nr = 0;
	g->active = true;
	list_init(&g->tables);
	forget_range(g);
}

void mmu_gather_page(struct mmu_gather *g, vaddr_t va, struct page *page)
{
	mmu_gather_entry(g, va);
	g->pages[g->nr++] = page;
	if (g->nr == GATHER_PAGES)
		mmu_gather_flush(g);
}

void mmu_gather_table(struct mmu_gather *g, struct page *table, vaddr_t va)
{
	mmu_gather_entry(g, va);
	list_add_tail(&table->link, &g->tables);
}

void mmu_gather_flush_tlb(struct mmu_gather *g)
{
	if (g->start < g->end)
		pgtable_flush_range(g->pt, g->start, g->end);
	forget_range(g);
}

void mmu_gather_flush(struct mmu_gather *g)
{
	struct page *table, *next;

	ASSERT(g->active);
	mmu_gather_flush_tlb(g);
	for (unsigned i = 0; i < g->nr; i++)
		page_put(g->pages[i]);
	g->nr = 0;
	list_for_each_entry_safe(table, next, &g->tables, link) {
		list_del(&table->link);
		table_free(table);
	}
}

void mmu_gather_finish(struct mmu_gather *g)
{
	mmu_gather_flush(g);
	g->active = false;
}
