/*
 * reap.h - take private memory away without sleeping.  Layer 7.
 */
#ifndef MM_SERVICE_REAP_H
#define MM_SERVICE_REAP_H

#include "mm/space/mm.h"

/* Drop the pages of private, unlocked memory in [start, end): their content is gone.  0, or -EAGAIN: some were left, because a
 * lock or a secondary MMU would have had to be waited for; nothing of a part that was left has changed.
 * => page-aligned; a user of @mm; no lock that a fault takes; does not sleep for memory or for locks */
int mm_reap(struct mm *mm, vaddr_t start, vaddr_t end);

#endif
