/*
 * space.h - what the files of mm/space (and the services above) share.  Layer 6, private to mm/.
 */
#ifndef MM_SPACE_SPACE_H
#define MM_SPACE_SPACE_H

#include "mm/object/zap.h"
#include "mm/space/mm.h"
#include "mm/space/uffd.h"

extern struct page *zero_page; /* mapped special, read-only, by read faults on anonymous memory */

/* Is [addr, addr + *length) a range of user addresses?  Rounds *length up to pages. 0 or @err. */
static inline int user_range_check(vaddr_t addr, size_t *length, int err)
{
	size_t n = ALIGN_UP(*length, PAGE_SIZE);

	if (n < *length || addr > USER_END || n > USER_END - addr)
		return err;
	*length = n;
	return 0;
}

/* A free place for @length bytes: at @hint if that is free, else anywhere; -ENOMEM. => mm->lock held */
long mm_choose(struct mm *mm, vaddr_t hint, size_t length);
/* => mm->lock held for writing.  munmap cannot fail once the boundaries are split (0 or -ENOMEM, nothing done). */
int munmap_locked(struct mm *mm, vaddr_t start, vaddr_t end);
/* Its second half. => both ends are boundaries, uffd_prepare_unmap() was done */
void munmap_commit(struct mm *mm, vaddr_t start, vaddr_t end);
/* What is left of that when no entry says anything: ranges and tables go. There is a vma at @start. Finishes @g. */
void munmap_emptied(struct mm *mm, vaddr_t start, vaddr_t end, struct mmu_gather *g);
/* Drop the pages of the vma's part [start, end), keeping what nonlinear entries know. => mm->lock held */
void vma_zap(struct vma *vma, vaddr_t start, vaddr_t end, enum zap_mode mode, struct mmu_gather *g);
/* Map every page of [start, end) as an access of kind @access would; stops at the first failure and returns
 * its errno (-EFAULT, -ENOMEM, -EINTR). => mm->lock not held */
int mm_populate(struct mm *mm, vaddr_t start, vaddr_t end, enum fault_access access);
/* The same for what mmap, mlock and remap promise: anonymous memory that may be written gets its pages, a file's pages
 * are mapped as they are cached (a private mapping shares them until it stores). */
int mm_populate_promised(struct mm *mm, vaddr_t start, vaddr_t end); /* stops at the first failure */
void mm_populate_quietly(struct mm *mm, vaddr_t start, vaddr_t end);
void mm_populate_locked(struct mm *mm, vaddr_t start, vaddr_t end); /* that, for private vmas that are VM_LOCKED */
void mm_populate_mapped(struct mm *mm);                             /* that, for every vma */
/* A page that a fault must wait for. */
struct fault_io {
	struct file *file; /* referenced */
	struct vm_object *object;
	pgoff_t pgoff;
	unsigned vm_flags;       /* of the vma: how it is going to be read */
	unsigned long swap;      /* not 0: instead of a file's page, that of this slot (swap_entry_t) */
	struct page *migrating;  /* not NULL: the end of its migration; no reference */
	struct uffd_waiter uffd; /* its uffd not NULL: queued, for a program's answer */
};
/*
 * Resolve one access in @vma. => mm->lock held for reading, stays held
 * A page that is not in memory is not waited for under that lock, or one slow device would stop every thread that
 * maps something (R0.9): the result is FAULT_RETRY, and the caller gives the lock back, calls fault_wait(), and
 * starts again, from finding the vma on.
 */
enum fault_result vma_fault(struct vma *vma, vaddr_t addr, enum fault_access access, bool unshare, struct fault_io *io);
/* The kernel itself wants the page, whatever vma and entry permit: to read it, or (@own) to have it as the mapping's own
 * anonymous page.  The entry's grants stay as they are. => the same; the vma is private */
enum fault_result vma_fault_forced(struct vma *vma, vaddr_t addr, bool own, struct fault_io *io);
/* May it be had by force there (vma_fault_forced()), to be read or written? */
bool vma_may_force(const struct vma *vma, bool write);
/* Instead of fault_wait(): nobody is going to wait. => any context */
void fault_abandon(struct fault_io *io);
/* Read the page in. FAULT_OK: try the access again. => no locks held, may sleep */
enum fault_result fault_wait(struct fault_io *io);
/* For swapoff: map the page again that @va's entry has in swap area @type, whatever the vma allows; nothing to do if it has
 * none. FAULT_OK, _OOM, or _RETRY (fault_wait()). => mm->lock held for reading */
enum fault_result vma_unswap(struct vma *vma, vaddr_t va, unsigned type, struct fault_io *io);
/* The page is lost: touching @va will be SIGBUS. => the same */
void vma_poison(struct vma *vma, vaddr_t va, unsigned type);
/* -- secondary MMUs (mm/pgtable/notifier.h) -- */
struct mmu_subscription;
/* mmu_subscribe(), and when it returns no operation is under way that does not know of it.  0, -ENOMEM, -EOVERFLOW, -EINTR.
 * => a user of @mm for the call; may sleep, no lock held */
int mm_subscribe(struct mm *mm, struct mmu_subscription *sub, vaddr_t start, size_t length);
/* The address space, with a user more, unless it is at its end: NULL. */
struct mm *mm_get_subscribed(struct mmu_subscription *sub);

int fault_errno(enum fault_result result); /* 0, -EFAULT, -ENOMEM, -EINTR */

#endif
