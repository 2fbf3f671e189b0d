/*
 * nonlinear.h - the half of remap_file_pages(2) that exchanges entries.  Layer 6, private to mm/space.
 */
#ifndef MM_SPACE_NONLINEAR_H
#define MM_SPACE_NONLINEAR_H

#include "mm/space/vma.h"

struct exchange_result {
	unsigned nr;     /* entries exchanged, from the first on; 0: no memory, nothing was changed */
	unsigned absent; /* of them left without a page */
};

/*
 * Make the entries from @va on show the pages from @pgoff on, with @grant: as many of [va, end) as one table holds
 * and one batch takes, at least one.  Cached pages are mapped at once, the others become file entries.
 * => mm->lock held; @end within the vma, which is VM_NONLINEAR; may sleep.  Old translations are gone on every CPU
 *    when it returns.
 */
struct exchange_result nonlinear_exchange(struct vma *vma, vaddr_t va, vaddr_t end, pgoff_t pgoff, unsigned grant);

#endif
