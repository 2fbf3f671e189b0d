/*
 * vma.h - ranges: making, splitting and merging them.  Layer 6, private to mm/space.
 * Everything here: => mm->lock held for writing, unless said otherwise.
 */
#ifndef MM_SPACE_VMA_H
#define MM_SPACE_VMA_H

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "mm/space/mm.h"

/* What PROT_* bits mean on a machine where write or execute implies read. VM_READ.. have the same values. */
static inline unsigned prot_to_grant(unsigned prot)
{
	unsigned grant = prot & GRANT_MASK;

	return grant ? grant | GRANT_R : GRANT_NONE;
}

static inline unsigned vma_grant(const struct vma *vma)
{
	return prot_to_grant(vma->flags & VM_ACCESS);
}

static inline unsigned long vma_pages(const struct vma *vma)
{
	return (vma->end - vma->start) >> PAGE_SHIFT;
}

static inline pgoff_t vma_pgoff(const struct vma *vma, vaddr_t va)
{
	return vma->pgoff + ((va - vma->start) >> PAGE_SHIFT);
}

static inline bool vma_private(const struct vma *vma)
{
	return !(vma->flags & VM_SHARED);
}

/* Shared pages of an object that tracks dirtiness start without hardware RW: the first store notifies. */
static inline bool vma_notifies_writes(const struct vma *vma)
{
	return vma->object && vma->object->tracks_dirty && !vma_private(vma);
}

/* What an entry with a page becomes in @vma with other grants; hardware RW where a store needs no notice. => PTL held */
pte_t vma_regrant(const struct vma *vma, pte_t pte, unsigned grant);

/* A vma that is not yet in the tree; takes a reference on @file. NULL: no memory. */
struct vma *vma_alloc(struct mm *mm, vaddr_t start, vaddr_t end, unsigned flags);
void vma_free(struct vma *vma); /* drops file and nonlinear index; not in the tree */
void vma_set_object(struct vma *vma, struct vm_object *object, struct file *file, pgoff_t pgoff);
void vma_attach(struct vma *vma); /* into the tree and the object's reverse links */
void vma_detach(struct vma *vma);

/* Change the flags of a vma in the tree; its reverse links follow. */
void vma_set_flags(struct vma *vma, unsigned flags);
/* See to it that vma->anon.own is there: before an anonymous page is made. 0 or -ENOMEM.
 * => mm->lock held for reading is enough, no page lock; may sleep */
int vma_anon_prepare(struct vma *vma);

/* Make @addr a boundary between vmas if it lies inside one. 0 or -ENOMEM. */
int vma_split_at(struct mm *mm, vaddr_t addr);
/* Join equal neighbours in and around [start, end). */
void vma_merge_range(struct mm *mm, vaddr_t start, vaddr_t end);
/* Is every page of [start, end) in some vma? => mm->lock held */
bool vma_covers(struct mm *mm, vaddr_t start, vaddr_t end);
/* Highest hole of @length below USER_MMAP_BASE, else the lowest above; 0: none. */
vaddr_t vma_find_gap(struct mm *mm, size_t length);

#define for_each_vma_in(vma, mm, start_, end_) \
	for ((vma) = vma_find((mm), (start_)); (vma) && (vma)->start < (end_); (vma) = vma_next(vma))

void vma_init_subsystem(void);

#endif
