/*
 * block.h - where a large free block could be had, if the pages in it were elsewhere.  Layer 3 (mm/phys).
 *
 * For compaction (mm/service/compact.c), which moves them.  What it has of a block it holds: frames whose records are all zero,
 * as those of free memory, that are on no list, so nobody can be given them.
 */
#ifndef MM_PHYS_BLOCK_H
#define MM_PHYS_BLOCK_H

#include "kernel/lib/bitops.h"
#include "mm/phys/page.h"

struct page_block {
	struct page *first;
	unsigned order;
	unsigned long held[BITMAP_LONGS(1u << PAGE_MAX_ORDER)]; /* which frames the caller has */
};

/*
 * The place where the fewest pages must be moved, after the one that ranks @after-th: false if there is none, or if the memory
 * that is free is not enough anyhow.  A hint, made without locks.  Blocks with a page that cannot be moved are left out.
 */
bool page_block_find(struct page_block *b, unsigned order, enum gfp gfp, unsigned after);
/* Hold what is free in it; how many frames that were. */
unsigned page_block_take_free(struct page_block *b);
/* Hold a frame in it, whose only reference is the caller's. */
void page_block_take(struct page_block *b, struct page *page);
/* What other CPUs keep of free memory may lie in it. => may sleep */
void page_block_drain(void);
/* Give what is held back to the free lists. */
void page_block_give_up(struct page_block *b);

static inline bool page_block_has(const struct page_block *b, const struct page *page)
{
	return page >= b->first && page < b->first + (1UL << b->order);
}

#endif
