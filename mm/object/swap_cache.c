/*
 * swap_cache.c - anonymous pages that are in memory and have a slot.
 *
 * Layer 5b (mm/object).  Interface: swap.h, swap_area.h.  Lock order: page lock, (PTL,) area->lock.
 *
 * A cached page has PG_SWAPCACHE and its slot in page->private; the cache holds one reference.  Both change under the page
 * lock only, so whoever found a page without it must ask swap_page_is() after locking it.  References are taken under
 * area->lock, so with it held the count of a page that nothing maps can only fall.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "mm/object/swap_area.h"

#define TRIES 64 /* pages looked at for a slot to take back */

struct page *swap_find(swap_entry_t entry)
{
	struct swap_area *area = swap_area_of(entry);
	unsigned long flags = spin_lock_irqsave(&area->lock);
	struct page *page = area->active ? radix_lookup(&area->cache, swap_slot_of(entry)) : NULL;

	if (page)
		page_get(page);
	spin_unlock_irqrestore(&area->lock, flags);
	return page;
}

/* => area->lock */
static int insert_locked(struct swap_area *area, struct page *page, unsigned long slot, bool fresh)
{
	int err;

	if (!swap_slot_used(area, slot))
		return -ENOENT;
	if (!fresh && (*swap_slot(area, slot) & SLOT_CACHED))
		return -EEXIST;
	err = radix_insert(&area->cache, slot, page);
	if (err)
		return err;
	*swap_slot(area, slot) |= SLOT_CACHED;
	area->nr_cached++;
	page_get(page);
	page->private = swap_entry(area, slot).v;
	page_set(page, PG_SWAPCACHE);
	return 0;
}

int swap_cache_insert(struct page *page, swap_entry_t entry, bool fresh)
{
	struct swap_area *area = swap_area_of(entry);
	int err = radix_preload();
	unsigned long flags;

	if (err)
		return err;
	flags = spin_lock_irqsave(&area->lock);
	err = insert_locked(area, page, swap_slot_of(entry), fresh);
	spin_unlock_irqrestore(&area->lock, flags);
	return err;
}

/* => area->lock, page locked; the cache's reference becomes the caller's */
static void remove_locked(struct swap_area *area, struct page *page)
{
	unsigned long slot = swap_slot_of(swap_page_entry(page));
	u16 *s = swap_slot(area, slot);

	ASSERT(*s & SLOT_CACHED);
	*s &= (u16)~SLOT_CACHED;
	radix_remove(&area->cache, slot);
	area->nr_cached--;
	page_clear(page, PG_SWAPCACHE);
	page->private = 0;
	if (*s == 0)
		swap_slot_freed(area, slot);
}

void swap_cache_remove(struct page *page)
{
	struct swap_area *area = swap_area_of(swap_page_entry(page));
	unsigned long flags = spin_lock_irqsave(&area->lock);

	ASSERT(page_test(page, PG_SWAPCACHE) && !page_test(page, PG_WRITEBACK));
	remove_locked(area, page);
	spin_unlock_irqrestore(&area->lock, flags);
}

/* -- leaving the cache ------------------------------------------------------------------------------------------------ */

bool swap_evict(struct page *page)
{
	struct swap_area *area;
	unsigned long flags;
	bool idle;

	ASSERT(page_test(page, PG_LOCKED));
	if (!page_test(page, PG_SWAPCACHE))
		return false;
	area = swap_area_of(swap_page_entry(page));
	flags = spin_lock_irqsave(&area->lock);
	idle =
		__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 0 && __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == 2;
	/* Only now: whoever had a reference and stored through it has marked the page dirty before he gave it back. */
	idle = idle && !page_test(page, PG_DIRTY) && !page_test(page, PG_WRITEBACK);
	if (idle)
		remove_locked(area, page);
	spin_unlock_irqrestore(&area->lock, flags);
	if (idle)
		page_put(page);
	return idle;
}

bool swap_try_free(struct page *page)
{
	struct swap_area *area;
	unsigned long flags;
	bool unused;

	ASSERT(page_test(page, PG_LOCKED));
	if (!page_test(page, PG_SWAPCACHE))
		return true;
	area = swap_area_of(swap_page_entry(page));
	flags = spin_lock_irqsave(&area->lock);
	unused = *swap_slot(area, swap_slot_of(swap_page_entry(page))) == SLOT_CACHED && !page_test(page, PG_WRITEBACK);
	if (unused) {
		remove_locked(area, page);
		page_set(page, PG_DIRTY);
	}
	spin_unlock_irqrestore(&area->lock, flags);
	if (unused)
		page_put(page);
	return unused;
}

void swap_drop_unused(struct page *page)
{
	if (!page_test(page, PG_SWAPCACHE) || page_test(page, PG_WRITEBACK) ||
	    __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) || !page_try_lock(page))
		return; /* under way somewhere: who has it locked, or the end of the writing, looks again */
	if (__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 0)
		(void)swap_try_free(page);
	page_unlock(page);
}

bool swap_replace(struct page *page, struct page *new)
{
	struct swap_area *area = swap_area_of(swap_page_entry(page));
	unsigned long flags = spin_lock_irqsave(&area->lock);
	bool alone = page_unreferenced(page, 2);

	ASSERT(page_test(page, PG_LOCKED) && page_test(new, PG_LOCKED) && !page_test(page, PG_WRITEBACK));
	if (alone) {
		page_inherit(new, page);
		page_get(new);
		page_set(new, PG_SWAPCACHE);
		radix_replace(&area->cache, swap_slot_of(swap_page_entry(page)), new);
		page_clear(page, PG_SWAPCACHE);
		page->private = 0;
	}
	spin_unlock_irqrestore(&area->lock, flags);
	if (alone)
		page_put(page);
	return alone;
}

/* -- entering it --------------------------------------------------------------------------------------------------------- */

/* The next cached page of @area at or after *@slot, referenced. */
static struct page *next_cached(struct swap_area *area, unsigned long *slot)
{
	unsigned long flags = spin_lock_irqsave(&area->lock);
	struct page *page = area->open ? radix_next(&area->cache, slot) : NULL;

	if (page)
		page_get(page);
	spin_unlock_irqrestore(&area->lock, flags);
	return page;
}

/* Every slot is taken: take one back from a page that is in memory again. */
static bool reclaim_slot(struct swap_area *area)
{
	unsigned long slot = 0;
	struct page *page;
	bool freed = false;

	for (unsigned i = 0; !freed && i < TRIES && (page = next_cached(area, &slot)); i++, slot++) {
		if (!page_test(page, PG_WRITEBACK) && page_try_lock(page)) {
			freed = page_test(page, PG_SWAPCACHE) && swap_try_free(page);
			page_unlock(page);
		}
		page_put(page);
	}
	return freed;
}

static swap_entry_t slot_for_page(void)
{
	swap_entry_t entry = swap_slot_alloc();

	for (unsigned type = 0; !entry.v && type < SWAP_AREAS; type++)
		if (reclaim_slot(&swap_areas[type]))
			entry = swap_slot_alloc();
	return entry;
}

/* A slot that was given and is not going to be used. */
static void give_back(swap_entry_t entry)
{
	struct swap_area *area = swap_area_of(entry);
	unsigned long flags = spin_lock_irqsave(&area->lock);

	*swap_slot(area, swap_slot_of(entry)) = 0;
	swap_slot_freed(area, swap_slot_of(entry));
	spin_unlock_irqrestore(&area->lock, flags);
}

bool swap_add(struct page *page)
{
	swap_entry_t entry;

	ASSERT(page_test(page, PG_LOCKED) && !page_test(page, PG_SWAPCACHE));
	entry = slot_for_page();
	if (!entry.v)
		return false;
	if (swap_cache_insert(page, entry, true)) {
		give_back(entry);
		return false;
	}
	page_set(page, PG_DIRTY); /* the slot has nothing yet */
	return true;
}
