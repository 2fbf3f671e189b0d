/*
 * huge.h - huge pages of anonymous memory: which ranges may have them, their frames.  Layer 6, private to mm/.
 *
 * A huge page is an aligned block of frames with a frame record each, that one entry maps (mm/pgtable/huge.h); nothing else
 * holds them together.
 */
#ifndef MM_SPACE_HUGE_H
#define MM_SPACE_HUGE_H

#include "mm/pgtable/huge.h"
#include "mm/space/vma.h"

/* Could all of the span at @base be a huge page of @vma? */
static inline bool vma_holds_huge(const struct vma *vma, vaddr_t base)
{
	return base >= vma->start && vma->end - base >= PT_HUGE_SIZE && base < vma->end;
}

/* Is @vma memory of the kind that may get huge pages at all?  Where a program answers faults (userfaultfd) it answers for
 * base pages; huge ones that were there before stay until one is asked about. */
static inline bool vma_may_be_huge(const struct vma *vma)
{
	return !vma->object && !vma->uffd && vma_private(vma) &&
	       !(vma->flags & (VM_NONLINEAR | VM_MANYPROTS | VM_NOHUGEPAGE));
}

/* Frames for the span at @base of @vma, each the mapping's own anonymous page, not on any list yet; zeroed if @zero.
 * NULL: there are none. => vma_anon_prepare(), may sleep */
struct page *huge_alloc(const struct vma *vma, vaddr_t base, bool zero);
/* They were not needed. */
void huge_discard(struct page *pages);
/* They are mapped now, by a new entry of @pt. => the entry's lock held */
void huge_mapped(struct pgtable *pt, struct page *pages);

/* Is every page of the block this mapping's own? */
bool huge_exclusive(pte_t huge);

/* The huge zero page, which @mm may map from now until its end; NULL: no memory. => may sleep */
struct page *huge_zero_get(struct mm *mm);
void huge_zero_put(struct mm *mm); /* => @mm maps nothing any more */

#endif
