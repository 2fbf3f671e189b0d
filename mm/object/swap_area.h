/*
 * swap_area.h - what the files of swapping tell each other.  Layer 5b, private to mm/object/swap*.c.
 */
#ifndef MM_OBJECT_SWAP_AREA_H
#define MM_OBJECT_SWAP_AREA_H

#include "kernel/lib/radix.h"
#include "kernel/sync/spinlock.h"
#include "mm/object/swap.h"

/*
 * A slot is one number: how many entries refer to it, and whether its page is in the cache.  So it is free iff that is
 * zero.  (A count that does not fit is refused: swap_dup().)
 */
#define SLOT_CACHED 0x8000u
#define SLOT_COUNT 0x7fffu
#define SLOT_BAD 0x7fffu /* header, bad blocks: never given away */
#define SLOT_COUNT_MAX 0x7ffeu

#define CHUNK_SLOTS (PAGE_SIZE / sizeof(u16))

/* So many slots' numbers, one page of them. */
struct swap_chunk {
	u16 *slot;
	unsigned free;
};

struct swap_area {
	spinlock_t lock; /* rank LOCK_SWAP, irqsave: all of this */
	bool active;     /* in use: else there are no chunks and no pages */
	bool open;       /* gives slots away */
	int prio;
	unsigned long pages; /* slots, header included */
	unsigned long usable, free;
	unsigned long hint; /* where to look for a free slot first */
	struct swap_chunk *chunks;
	struct radix_tree cache; /* slot -> page, each with a reference */
	unsigned long nr_cached;
	const struct swap_ops *ops;
	void *host;
};

/* Never freed, so that an entry read long ago may be asked for: it finds the area not active, or its slot empty. */
extern struct swap_area swap_areas[SWAP_AREAS];
extern unsigned long swap_pages_in, swap_pages_out; /* atomic */

static inline struct swap_area *swap_area_of(swap_entry_t entry)
{
	return &swap_areas[swap_word_type(entry.v)];
}

static inline unsigned long swap_slot_of(swap_entry_t entry)
{
	return swap_word_slot(entry.v);
}

static inline swap_entry_t swap_entry(const struct swap_area *area, unsigned long slot)
{
	return (swap_entry_t){swap_word((unsigned)(area - swap_areas), slot)};
}

/* => area->lock, slot < area->pages */
static inline u16 *swap_slot(struct swap_area *area, unsigned long slot)
{
	return &area->chunks[slot / CHUNK_SLOTS].slot[slot % CHUNK_SLOTS];
}

/* Does the slot exist and hold something? => area->lock */
static inline bool swap_slot_used(struct swap_area *area, unsigned long slot)
{
	u16 *s = area->active && slot < area->pages ? swap_slot(area, slot) : NULL;

	return s && *s && *s != SLOT_BAD;
}

/* A free slot of any area becomes SLOT_CACHED; {0}: none. => may be called with a page lock */
swap_entry_t swap_slot_alloc(void);
/* It is none's any more. => area->lock; the slot is 0 already */
void swap_slot_freed(struct swap_area *area, unsigned long slot);

/* Enter the locked @page for a slot that nobody's page is cached for. 0, -EEXIST, -ENOENT (no entry refers to it: @fresh
 * says that it was just allocated), -ENOMEM. => page locked (perhaps without the validator's knowledge) */
int swap_cache_insert(struct page *page, swap_entry_t entry, bool fresh);
/* Take it out, whatever it is. => page locked, in the cache, not under writeback; the cache's reference is the caller's */
void swap_cache_remove(struct page *page);

#endif
