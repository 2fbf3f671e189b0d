/*
 * pageout.h - what madvise(2) says of pages that are not needed soon, not at all, or soon.  Layer 7, private to mm/service.
 */
#ifndef MM_SERVICE_PAGEOUT_H
#define MM_SERVICE_PAGEOUT_H

#include "mm/space/mm.h"

/* [start, end) lies in the vma. => mm->lock held for reading */
void vma_cool(struct vma *vma, vaddr_t start, vaddr_t end);        /* MADV_COLD */
void vma_free_lazily(struct vma *vma, vaddr_t start, vaddr_t end); /* MADV_FREE; private anonymous memory */
void vma_prefetch(struct vma *vma, vaddr_t start, vaddr_t end);    /* MADV_WILLNEED of what is swapped out */
/* MADV_PAGEOUT. => no locks held, sleeps */
void mm_page_out(struct mm *mm, vaddr_t start, vaddr_t end);

#endif
