/*
 * object_swap.h - pages of objects that have no file, in swap.  Layer 5b, private to mm/object (and those who ask whether a page
 * exists).
 *
 * Page @index of such an object is in one of three places: cached (obj->pages), in a slot (obj->slots), or nowhere, and then it
 * reads as zeros.  It goes from one to another under pages_lock, so whoever holds that sees it in one.  The object refers to
 * the slot as an entry of a page table would (swap.h).
 */
#ifndef MM_OBJECT_OBJECT_SWAP_H
#define MM_OBJECT_OBJECT_SWAP_H

#include "mm/object/object.h"
#include "mm/object/swap.h"

/* Where page @index is in swap; {0}: it is not. => pages_lock held */
static inline swap_entry_t object_slot_locked(const struct vm_object *obj, pgoff_t index)
{
	return (swap_entry_t){obj->nr_slots ? (unsigned long)radix_lookup(&obj->slots, index) : 0};
}
swap_entry_t object_slot_slow(struct vm_object *obj, pgoff_t index);
/* The same for who does not hold it: as of now. */
static inline swap_entry_t object_slot(struct vm_object *obj, pgoff_t index)
{
	return likely(!READ_ONCE(obj->nr_slots)) ? (swap_entry_t){0} : object_slot_slow(obj, index);
}
/* Does page @index read as zeros: in no slot, and not cached, or only preallocated? */
bool object_blank(struct vm_object *obj, pgoff_t index);

/*
 * A cached page of an object without a file leaves it for a slot: from now on it is an anonymous page of the swap cache,
 * dirty, mapped nowhere, and goes the way of those.  False: somebody holds or maps it, no slot, no memory; nothing has changed.
 * => page locked, uptodate, not under writeback; may sleep
 */
bool object_swap_out(struct page *page);
/* Page @index back in the cache, if it was in swap: locked (not known to the validator), referenced, uptodate, dirty.
 * NULL: it is not in swap. ERR_PTR(-ENOMEM, -EIO, -EINTR): it stays there. => sleeps, no page lock held */
struct page *object_swap_in(struct vm_object *obj, pgoff_t index);
/* Forget the slots of pages [first, last]. => nobody brings one back meanwhile; may sleep */
void object_swap_drop(struct vm_object *obj, pgoff_t first, pgoff_t last);
/* The object dies, its slots are dropped. */
void object_swap_leave(struct vm_object *obj);

/* Every page of an object that is in a slot of area @type comes back: 0, or what object_swap_in() says. => sleeps */
int object_unswap(unsigned type);
/* For the auditor: every slot that an object refers to. => sleeps; @visit under a spinlock */
void object_swap_each(void (*visit)(void *ctx, swap_entry_t entry), void *ctx);

#endif
