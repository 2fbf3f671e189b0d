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
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/table.h"

static void forget_range(struct mmu_gather *g)
{
	g->start = ~0UL;
	g->end = 0;
}

static void begin(struct mmu_gather *g, struct pgtable *pt, vaddr_t start, vaddr_t end)
{
	g->pt = pt;
	g->from = start;
	g->to = end;
	g->nr = 0;
	g->active = true;
	g->reload = false;
	__atomic_fetch_add(&pt->gathers, 1, __ATOMIC_SEQ_CST);
	list_init(&g->tables);
	forget_range(g);
}

void mmu_gather_begin(struct mmu_gather *g, struct pgtable *pt, vaddr_t start, vaddr_t end, enum mmu_event event)
{
	begin(g, pt, start, end);
	mmu_notify_start(&g->range, pt, start, end, event);
}

int mmu_gather_try_begin(struct mmu_gather *g, struct pgtable *pt, vaddr_t start, vaddr_t end, enum mmu_event event)
{
	int err = mmu_notify_try_start(&g->range, pt, start, end, event);

	if (!err)
		begin(g, pt, start, end);
	return err;
}

void mmu_gather_page(struct mmu_gather *g, vaddr_t va, struct page *page)
{
	mmu_gather_entry(g, va);
	g->pages[g->nr++] = page;
	if (g->nr == GATHER_PAGES)
		mmu_gather_flush(g);
}

void mmu_gather_table(struct mmu_gather *g, struct page *table, vaddr_t va, unsigned level)
{
	mmu_gather_widen(g, va); /* what the table translates beyond the range, nobody used */
	if (PT_ROOT_COPIED && level == PT_LEVELS - 1)
		g->reload = true;
	list_add_tail(&table->link, &g->tables);
}

static void release_pages(struct mmu_gather *g)
{
	page_put_all(g->pages, g->nr);
	g->nr = 0;
}

static void release_tables(struct mmu_gather *g)
{
	struct page *table, *next;

	list_for_each_entry_safe(table, next, &g->tables, link) {
		list_del(&table->link);
		table_free(table);
	}
}

static void flush_cleared(struct mmu_gather *g)
{
	vaddr_t start = max(g->start, g->from), end = min(g->end, g->to);

	if (g->reload)
		pgtable_reload(g->pt);
	else
		pgtable_flush_cpus(g->pt, g->start, g->end);
	g->reload = false;
	if (MUTATION(3)) { /* M3: free before the secondary MMUs are flushed */
		release_pages(g);
		SYNC_POINT("flush-before-free");
	}
	if (start < end) {
		ASSERT(mmu_notify_covered(g->pt, start, end));
		mmu_notify_flush(g->pt, start, end);
	}
}

void mmu_gather_flush_tlb(struct mmu_gather *g)
{
	if (g->start < g->end) {
		SYNC_POINT("clear-before-flush");
		if (!MUTATION(1)) /* M1: flushed before the clear (mm/object/zap.c) */
			flush_cleared(g);
	}
	forget_range(g);
}

static void release(struct mmu_gather *g)
{
	if (g->nr)
		SYNC_POINT("flush-before-free");
	release_pages(g);
	release_tables(g);
}

static void flush_before_release(struct mmu_gather *g)
{
	ASSERT(g->active);
	if (MUTATION(2)) /* M2: free before flush */
		release_pages(g);
	mmu_gather_flush_tlb(g);
}

void mmu_gather_flush(struct mmu_gather *g)
{
	flush_before_release(g);
	release(g);
}

/*
 * Two gathers at once on one tree: A has cleared an entry and not flushed yet, B finds it clear and has nothing to
 * flush.  B's caller must not go on as if nobody could reach the page any more, so B flushes for A, whose range it
 * does not know.
 */
void mmu_gather_finish(struct mmu_gather *g)
{
	flush_before_release(g);
	if (__atomic_load_n(&g->pt->gathers, __ATOMIC_SEQ_CST) > 1)
		pgtable_flush_all(g->pt);
	else
		pgtable_settle(g->pt);
	__atomic_fetch_sub(&g->pt->gathers, 1, __ATOMIC_SEQ_CST);
	mmu_notify_end(&g->range);
	release(g);
	g->active = false;
}
