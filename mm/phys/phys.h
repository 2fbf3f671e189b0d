/*
 * phys.h - inside mm/phys: zones, the boot allocator, the allocator's parts.  Layer 3.
 */
#ifndef MM_PHYS_PHYS_H
#define MM_PHYS_PHYS_H

#include <arch/phys.h>
#include "mm/phys/page.h"

/* LOW: direct-mapped and below 4 GiB.  MID: below 4 GiB, but not direct-mapped (i386).  HIGH: from 4 GiB on. */
enum zone_id { ZONE_LOW, ZONE_MID, ZONE_HIGH, ZONE_COUNT };

struct zone {
	spinlock_t lock; /* LOCK_BUDDY, irqsave */
	struct list free[PAGE_MAX_ORDER + 1];
	unsigned long nr_free; /* pages */
	unsigned long present; /* pages ever given to it */
	pfn_t start, end;
};
extern struct zone zones[ZONE_COUNT];

/* -- buddy.c ------------------------------------------------------------------------------------------------ */
void buddy_init(pfn_t low_end, pfn_t high_start); /* LOW below the one, HIGH from the other on */
void buddy_add_range(pfn_t start, pfn_t end);     /* memory that was nobody's so far */
/* A block off the free lists, its struct pages all zero (refs too); NULL if @keep pages would not remain. */
struct page *buddy_alloc(struct zone *zone, unsigned order, unsigned long keep);
unsigned buddy_alloc_bulk(struct zone *zone, unsigned long keep, struct page **pages, unsigned n); /* order 0 */
void buddy_free(struct page *page, unsigned order); /* struct pages all zero */
void buddy_free_bulk(struct page **pages, unsigned n);
/* What is free within the aligned block at @first leaves the free lists; a bit of @taken for each frame. How many. */
unsigned buddy_take_inside(struct page *first, unsigned order, unsigned long *taken);

static inline struct zone *page_zone(const struct page *page)
{
	pfn_t pfn = page_to_pfn(page);

	return &zones[(pfn >= zones[ZONE_MID].start) + (pfn >= zones[ZONE_HIGH].start)];
}

/* -- boot_alloc.c -------------------------------------------------------------------------------------------- */
void boot_alloc_init(void); /* takes over boot_info.ram, cut to what an entry can name */
paddr_t boot_ram_end(void);
void boot_ram_limit(paddr_t end); /* forget RAM from @end on */
/* @size bytes of zeroed, direct-mapped memory for ever, page aligned; panics if there is none. */
void *boot_alloc(size_t size);
extern unsigned long boot_alloc_used; /* pages that it gave */
unsigned long boot_low_pages(void);   /* still free and direct-mapped */
/* Ends boot_alloc(). Calls @fn for each range of RAM left, ascending. */
void boot_alloc_finish(void (*fn)(pfn_t start, pfn_t end));

/* -- page_alloc.c ---------------------------------------------------------------------------------------------- */
void page_alloc_init(void);
/* Its last reference is the caller's: it becomes as free memory is, but on no list. */
void page_retire(struct page *page);
/* Every CPU's stacks and free objects back to the zones. => may sleep, interrupts on (boot code: only its own). It interrupts
 * every CPU, so with memory short for long it is for who gets nothing otherwise */
void page_drain_all(void);
unsigned long page_alloc_cached(bool high); /* free pages on the CPUs' stacks: from LOW, or from the others */

/* -- slab.c: this CPU's free objects back to their slabs, and slabs that are then empty back to the zones. => any
 * context */
void slab_drain(void);

/* -- page.c --------------------------------------------------------------------------------------------------- */
void page_init_queues(void);

#endif
