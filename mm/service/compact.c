/*
 * compact.c - compaction: a large block is made free by moving the pages in it elsewhere.
 *
 * Layer 7 (mm/service).  Interface: migrate.h.  No locks of its own but "one at a time".
 *
 *   1. the block with the fewest pages to move (mm/phys/block.c): if there is memory enough, and only the place is missing
 *   2. what is free in it is held, so that no page is moved from the block into the block
 *   3. every other frame: its page is isolated and moved; the frame is held, not freed, so that nobody gets it meanwhile
 *   4. all are held: the block is the caller's.  One is not (pinned, in use, gone to a CPU's stock): once more, then the
 *      next best block; what is held goes back
 */
#include "kernel/lib/atomic.h"
#include "kernel/lib/errno.h"
#include "mm/phys/block.h"
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/service/migrate.h"

#define BLOCKS 4    /* that are tried */
#define PASSES 3    /* over each */
#define DEFER_MAX 6 /* after many failures, 1 of 2^6 attempts is made */

static int busy;                 /* somebody compacts; atomic */
static unsigned shift, deferred; /* of who is busy: how often it failed of late; attempts to be left out */

/* A frame outside of @b for @page; one inside is held instead. */
static struct page *target(struct page_block *b, const struct page *page)
{
	struct page *new;

	while ((new = migrate_target(page)) && page_block_has(b, new))
		page_block_take(b, new);
	return new;
}

/* Is the frame held now? */
static bool empty_frame(struct page_block *b, struct page *page)
{
	vm_count(VM_COMPACT_MIGRATE_SCANNED, 1);
	if (!lru_isolate(page))
		return false;
	vm_count(VM_COMPACT_ISOLATED, 1);
	if (migrate_counted(page, target(b, page), MIGRATE_TRY)) {
		lru_putback(page);
		return false;
	}
	page_block_take(b, page);
	return true;
}

static bool empty_block(struct page_block *b)
{
	bool all = false;

	for (unsigned pass = 0; !all && pass < PASSES; pass++) {
		if (pass)
			page_block_drain();
		vm_count(VM_COMPACT_FREE_SCANNED, page_block_take_free(b));
		all = true;
		for (unsigned i = 0; i < 1u << b->order; i++)
			if (!bitmap_test(b->held, i) && !empty_frame(b, b->first + i))
				all = false;
	}
	return all;
}

/* => busy */
static struct page *compact_any(unsigned order, enum gfp gfp)
{
	struct page_block b;

	for (unsigned i = 0; i < BLOCKS && page_block_find(&b, order, gfp, i); i++) {
		if (empty_block(&b))
			return b.first;
		page_block_give_up(&b);
	}
	return NULL;
}

static void learn(bool success)
{
	shift = success ? 0 : min(shift + 1, (unsigned)DEFER_MAX);
	deferred = success ? 0 : 1u << shift;
}

static struct page *compact_once(unsigned order, enum gfp gfp)
{
	struct page *page;

	vm_count(VM_COMPACT_STALL, 1);
	page = compact_any(order, gfp);
	vm_count(page ? VM_COMPACT_SUCCESS : VM_COMPACT_FAIL, 1);
	learn(page);
	return page;
}

static struct page *compact_for(unsigned order, enum gfp gfp)
{
	struct page *page = NULL;

	if (atomic_xchg(&busy, true))
		return NULL;
	if (deferred)
		deferred--;
	else
		page = compact_once(order, gfp);
	atomic_xchg(&busy, false);
	return page;
}

int compact_memory(unsigned order)
{
	struct page *page;

	if (!order || order > PAGE_MAX_ORDER)
		return -EINVAL;
	page_block_drain();
	WRITE_ONCE(deferred, 0);
	page = compact_for(order, GFP_USER);
	if (!page)
		return -ENOMEM;
	page_free(page, order);
	return 0;
}

void compact_init(void)
{
	WRITE_ONCE(page_compact, compact_for);
}
