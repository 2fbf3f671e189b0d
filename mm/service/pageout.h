/*
 * pageout.h - what madvise(2) passes on about pages that will not be needed soon.  Layer 7, private to mm/service.
 */
#ifndef MM_SERVICE_PAGEOUT_H
#define MM_SERVICE_PAGEOUT_H

#include "mm/space/mm.h"

/* 0, -EINVAL (a locked range is touched: nothing is done), -ENOMEM (there are holes; the rest is done).
 * => no locks held, may sleep */
int madvise_cold(struct mm *mm, vaddr_t start, vaddr_t end);
int madvise_pageout(struct mm *mm, vaddr_t start, vaddr_t end);

#endif
