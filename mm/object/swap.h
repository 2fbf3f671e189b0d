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
 *
 * A slot lives as long as an entry refers to it or its page is in the cache.  docs/swap.md has the whole life.
 */
#ifndef MM_OBJECT_SWAP_H
#define MM_OBJECT_SWAP_H

#include "mm/pgtable/pte_swap.h"
#include "mm/phys/page.h"

/* Which slot of which area: swap_word(). Never 0: slot 0 is the header. */
typedef struct {
	unsigned long v;
} swap_entry_t;

static inline swap_entry_t pte_swap_entry(pte_t pte)
{
	return (swap_entry_t){pte_swap_word(pte)};
}

/* -- out ------------------------------------------------------------------------------------------------------- */

/* Room for @page: gives it a slot and puts it into the swap cache, dirty. False: no slot, no memory.
 * => page locked, anonymous (or about to be: object_swap_out()), not in the cache; may sleep */
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
 * the cache (any more). => page locked, not under writeback; any lock above LOCK_SWAP */
bool swap_try_free(struct page *page);
/* The same if also nothing maps the page and its lock is to be had at once: what whoever takes the last entry away does,
 * so that neither slot nor page stay behind. => page referenced; any context */
void swap_drop_unused(struct page *page);

/* @new takes the place of @page, if only cache and caller refer to that: as pagecache_replace(). => both locked, @page mapped
 * nowhere */
bool swap_replace(struct page *page, struct page *new);

/* -- entries ----------------------------------------------------------------------------------------------------- */

/* The slot of a page in the swap cache. => page locked */
static inline swap_entry_t swap_page_entry(const struct page *page)
{
	return (swap_entry_t){page->private};
}
/* One more entry refers to the slot; false: no more can be counted. => one does already, or its page is in the cache
 * and locked; any lock above LOCK_SWAP */
bool swap_dup(swap_entry_t entry);
/* One fewer; the last one's slot and unused page go. => any lock above LOCK_SWAP */
void swap_put(swap_entry_t entry);

/* -- in ------------------------------------------------------------------------------------------------------------ */

/* The page of @entry if it is in the cache, referenced; NULL. After locking it ask swap_page_is(). */
struct page *swap_find(swap_entry_t entry);
/* Is it in the cache, for @entry? => page locked */
static inline bool swap_page_is(const struct page *page, swap_entry_t entry)
{
	return page_test(page, PG_SWAPCACHE) && page->private == entry.v;
}
/*
 * Bring the page into the cache, with its neighbours, and wait for it: referenced and uptodate when it was last seen.
 * NULL: no entry refers to the slot any more. ERR_PTR(-ENOMEM, -EIO, -EINTR): after -EIO the cache has no page, so the
 * next attempt asks the device again. => may sleep, no locks held
 */
struct page *swap_read(swap_entry_t entry);
/* Begin to do that, and do not wait. => may sleep */
void swap_prefetch(swap_entry_t entry);

/* -- areas --------------------------------------------------------------------------------------------------------- */

/* What moves pages between slots and a device. */
struct swap_ops {
	/* Start moving @n pages to or from consecutive slots from @slot on.  Every one ends in swap_read_done() or
	 * swap_write_done(), now or later, in any context. => may sleep */
	void (*read)(void *host, unsigned long slot, struct page **pages, unsigned n);
	void (*write)(void *host, unsigned long slot, struct page **pages, unsigned n);
};
void swap_read_done(struct page *page, int error); /* -ENOMEM: the device was not even asked */
void swap_write_done(struct page *page, int error);

#define SWAP_AREAS (PTE_SWAP_TYPE_MAX + 1)
#define SWAP_PRIO_DEFAULT (-1) /* below all that were given one, and below those that came before */

struct swap_setup {
	const struct swap_ops *ops;
	void *host;
	unsigned long pages; /* header included */
	int prio;            /* 0 .. 32767, or SWAP_PRIO_DEFAULT */
	const u32 *bad;      /* slots not to be used */
	unsigned nr_bad;
};
/* A new area is in use: its number, or -ENOMEM, -EPERM (there are SWAP_AREAS already), -EINVAL (no usable slot, or a bad
 * one that does not exist). => may sleep */
int swap_area_start(const struct swap_setup *setup);
/* Give no more slots of it to pages, or do so again. => it is in use */
void swap_area_close(unsigned type);
void swap_area_reopen(unsigned type);
/* Take a closed area out of use if no entry refers to it and no page of it is cached; false: some do. */
bool swap_area_stop(unsigned type);
/* The first slot at or after *@slot that an entry refers to or whose page is cached; false: none. => area in use */
bool swap_area_next_used(unsigned type, unsigned long *slot);

struct swap_area_stat {
	unsigned long slots;       /* all of them, header included */
	unsigned long pages, used; /* usable ones, and how many of these are taken */
	int prio;
};
bool swap_area_stat(unsigned type, struct swap_area_stat *st); /* false: not in use */

/* All areas, in pages. */
struct swap_stat {
	unsigned long total, free, cached; /* cached: pages in the swap cache */
	unsigned long in, out;             /* pages read and written since boot */
};
void swap_stat(struct swap_stat *st);
/* Is there any room to swap to: a free slot, or one that a page in memory keeps and can go to or give up? A hint. */
bool swap_has_room(void);

/* For the auditor: how many entries the slot counts, and the cached page (not referenced; NULL). False: no such slot, or a
 * bad one. */
bool swap_slot_look(swap_entry_t entry, unsigned *count, struct page **page);

#endif
