/*
 * fault.h - what the files of the fault handler tell each other.  Layer 6, private to mm/space/fault*.c.
 */
#ifndef MM_SPACE_FAULT_H
#define MM_SPACE_FAULT_H

#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/pgtable/pte_uffd.h"
#include "mm/phys/lru.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* One access being resolved. => mm->lock held for reading throughout */
struct fault {
	struct vma *vma;
	struct pgtable *pt;
	vaddr_t va;          /* page-aligned */
	struct pt_slot slot; /* its entry; the table stays as long as mm->lock is held */
	enum fault_access access;
	struct fault_io *io; /* filled in with FAULT_RETRY */
	bool unshare;        /* a pin wants the page for itself, but only to read it */
	bool forced;         /* whatever the permissions (vma_fault_forced()) */
	bool user;           /* ring 3 made the access itself */
	bool wp;             /* the entry is write-protected by userfaultfd, and so is what replaces it */
	vaddr_t address;     /* all of it */
};

/* Each of these resolves one case; FAULT_OK also when the entry changed meanwhile: the access is tried again. */
enum fault_result fault_anon(struct fault *f, pte_t seen);
enum fault_result fault_file(struct fault *f, pte_t seen, pgoff_t pgoff, unsigned grant);
enum fault_result fault_cow(struct fault *f, pte_t seen);
enum fault_result fault_mkwrite(struct fault *f, pte_t seen);
enum fault_result fault_swap(struct fault *f, pte_t seen);
/* There is no leaf table, in anonymous memory.  True: resolved with a huge page, *@result says how; false: it is a matter
 * of base pages. */
bool fault_huge(struct fault *f, bool allowed, enum fault_result *result);
/* Ask the program that answers for the range: FAULT_RETRY, or FAULT_SIGBUS. @reason: 0 (missing), UFFDX_FAULT_MINOR or _WP */
enum fault_result fault_uffd(struct fault *f, pte_t seen, unsigned reason);
/* A store to a page with the uffd-wp bit. */
enum fault_result fault_protected(struct fault *f, pte_t seen);
/* FAULT_RETRY's other half, for a slot. => no locks held, may sleep */
enum fault_result fault_wait_swap(const struct fault_io *io);

/* What an errno means to a fault: 0, -ENOMEM, -EINTR, or an error of the device. */
static inline enum fault_result fault_error(long err)
{
	switch (err) {
	case 0:
		return FAULT_OK;
	case -ENOMEM:
		return FAULT_OOM;
	case -EINTR:
		return FAULT_KILLED;
	default:
		return FAULT_SIGBUS;
	}
}

/* Is the entry protected, and does anybody care? */
static inline bool fault_is_wp(const struct vma *vma, pte_t pte)
{
	return unlikely(vma->flags & VM_UFFD_WP) && !pte_is_none(pte) && pte_uffd_wp(pte);
}

/* What is going to be set in place of an entry with the uffd-wp bit. */
static inline pte_t fault_keep_wp(const struct fault *f, pte_t pte)
{
	return unlikely(f->wp) ? pte_set_uffd_wp(pte, true) : pte;
}

/* Lock the entry if it still is @seen; else returns a slot without entry. */
static inline struct pt_slot fault_lock_same(const struct fault *f, pte_t seen)
{
	struct pt_slot slot = f->slot;

	SYNC_POINT("fault-mapped");
	pt_lock_found(slot);
	if (!pte_same(hw_pte_get(slot.hw), seen) && !MUTATION(4)) { /* M4: no second look */
		pt_unlock(slot);
		slot.hw = NULL;
	}
	return slot;
}

/*
 * Lock the entry if it still is @seen, in order to put a private copy there.
 * In a nonlinear vma the index has to know: maps.lock comes first.
 */
static inline struct pt_slot fault_lock_to_copy(const struct fault *f, pte_t seen)
{
	struct pt_slot slot;

	if (likely(!f->vma->link.nonlinear))
		return fault_lock_same(f, seen);
	rwsem_write_lock(&f->vma->object->maps.lock);
	slot = fault_lock_same(f, seen);
	if (!slot.hw)
		rwsem_write_unlock(&f->vma->object->maps.lock);
	return slot;
}

/* @from: the page of the file that was copied, if it was one. => the copy is set */
static inline void fault_unlock_copied(const struct fault *f, struct pt_slot slot, const struct page *from)
{
	pt_unlock(slot);
	if (likely(!f->vma->link.nonlinear))
		return;
	if (from && !page_test(from, PG_ANON) && from->index != vma_pgoff(f->vma, f->va))
		nonlinear_index_to_copy(f->vma->link.nonlinear, from->index, f->va);
	rwsem_write_unlock(&f->vma->object->maps.lock);
}

/* Make a fresh page this mapping's own anonymous page. => not yet visible to anybody; vma_anon_prepare() */
static inline void fault_adopt(const struct fault *f, struct page *page)
{
	page->flags |= BIT(PG_ANON) | BIT(PG_ANON_EXCLUSIVE) | BIT(PG_SWAPBACKED) | BIT(PG_UPTODATE);
	page->family = f->vma->anon.own;
	page->index = vma_pgoff(f->vma, f->va);
	page->mapcount = 1;
}

#endif
