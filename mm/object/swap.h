/*
 * swap.h - anonymous pages that are not in memory: slots, the swap cache, areas.  Layer 5b (mm/object).
 *
 * A page's way out, all under its page lock, by whoever reclaims:
 *
 *	swap_add(page)             a slot; the page is in the swap cache and dirty
 *	page_unmap(page)           its entries become swap entries, each counted in the slot
 *	swap_write(&io, page)      writeback begins; unlocks the page
 *	swap_submit(&io)           what was collected goes to the device, in large requests
 *	... later, when it is clean and idle ...
 *	swap_evict(page)           out of the cache; the caller holds the last reference
 *
 * and in: a fault finds the page in the cache, or swap_read() puts it there (mm/space/fault_swap.c).
 */
#ifndef MM_OBJECT_SWAP_H
#define MM_OBJECT_SWAP_H

#include <arch/pte.h>
#include "mm/phys/page.h"

/* Which slot of which area. Never 0: slot 0 is the header. */
typedef struct {
	unsigned long v;
} swap_entry_t;

struct swap_io;

/* Room for @page: gives it a slot and puts it into the swap cache, dirty. False: no slot, no memory.
 * => page locked, anonymous, not in the cache; may sleep */
bool swap_add(struct page *page);

#define SWAP_BATCH 32
/* Pages on their way to the device, in consecutive slots. */
struct swap_io {
	unsigned nr;
	struct page *pages[SWAP_BATCH];
};
static inline void swap_io_init(struct swap_io *io)
{
	io->nr = 0;
}
/* Write the page back: starts writeback, clears PG_DIRTY and unlocks it. When a batch is full or the next page is not
 * its neighbour it is submitted. => page locked, in the swap cache, mapped nowhere, not under writeback; may sleep */
void swap_write(struct swap_io *io, struct page *page);
void swap_submit(struct swap_io *io); /* => may sleep */

/*
 * Take a page that nobody needs out of the swap cache: mapped nowhere, clean, not under writeback, and referenced by
 * cache and caller only.  The count is looked at first and the dirty bit second (RF.35).  True: the caller's reference
 * is the last one.  => page locked
 */
bool swap_evict(struct page *page);
/* Give the slot back if no entry refers to it: the page becomes an ordinary anonymous one, dirty. True: it is not in
 * the cache (any more). => page locked, not under writeback */
bool swap_try_free(struct page *page);

/* All areas, in pages. */
struct swap_stat {
	unsigned long total, free, cached; /* cached: pages in the swap cache */
	unsigned long in, out;             /* pages read and written since boot */
};
void swap_stat(struct swap_stat *st);
/* Is there any room to swap to? A hint. */
bool swap_has_room(void);

#endif
