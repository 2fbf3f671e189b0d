/*
 * pin_internal.h - what pin.c and pin_fast.c share.  Layer 7.
 */
#ifndef MM_SERVICE_PIN_INTERNAL_H
#define MM_SERVICE_PIN_INTERNAL_H

#include "mm/object/pin_witness.h"
#include "mm/service/pin.h"
#include "mm/space/space.h"

/* The zero page is everybody's and never changes: neither counted nor referenced. */
static inline bool pin_counts(const struct page *page)
{
	return page != zero_page;
}

/* Count a pin (a full barrier); FOLL_GET: nothing. => the caller's reference becomes the pin's */
static inline void pin_count(struct page *page, unsigned flags)
{
	if (flags & FOLL_PIN) {
		pin_witness_pinned(page);
		__atomic_fetch_add(flags & FOLL_WRITE ? &page->pins_w : &page->pins_r, 1, __ATOMIC_SEQ_CST);
	}
}

/* How many were left? */
static inline int pin_uncount(struct page *page, unsigned flags)
{
	return __atomic_sub_fetch(flags & FOLL_WRITE ? &page->pins_w : &page->pins_r, 1, __ATOMIC_SEQ_CST);
}

/*
 * Pin pages from @start on without a lock, until one cannot be had that way; how many.  The page of zeros is never had.
 * => @flags: FOLL_PIN or FOLL_GET; any context in which user memory may be touched
 */
unsigned long pin_lockless(struct mm *mm, vaddr_t start, unsigned long nr, unsigned flags, struct page **pages);

#endif
