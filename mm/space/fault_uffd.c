/*
 * fault_uffd.c - a fault that a program is to answer.
 *
 * Layer 6 (mm/space).  Lock order: mm->lock (read), PTL; uffd->lock.
 *
 *   reason      entry                                       answered by
 *   missing     none, a note, a page of the file that is    COPY, ZEROPAGE, MOVE, POISON
 *               not there
 *   minor       the same, and the file's page is there      CONTINUE, POISON
 *   protected   a page with the uffd-wp bit, and a store    WRITEPROTECT
 */
#include "mm/space/fault.h"

#include "mm/pgtable/huge.h"
#include "mm/pgtable/pte_uffd.h"
#include "mm/space/uffd.h"

/* Is it still as it was when we decided to ask? What hardware sets meanwhile does not count. */
static bool unchanged(const struct fault *f, pte_t seen)
{
	struct pt_reading r;
	bool same;

	if (!pt_read_lock(f->pt, f->va, &r))
		return pte_is_none(seen);
	same = pte_has_page(seen) ? pte_has_page(r.pte) && pte_uffd_wp(r.pte) : pte_same(r.pte, seen);
	pt_read_unlock(&r);
	return same;
}

/* An access that the kernel makes: is nobody asked?  A kernel thread, which works for a device, never waits: nobody could kill
 * it, and the end of its device would wait for it. */
static bool refuses_kernel(const struct uffd *u)
{
	return (u->flags & UFFDX_USER_MODE_ONLY) || sync_thread_id() < 0;
}

enum fault_result fault_uffd(struct fault *f, pte_t seen, unsigned reason)
{
	struct uffd *u = f->vma->uffd;
	struct uffd_waiter *w = &f->io->uffd;

	if (u->features & UFFDX_SIGBUS || (!f->user && refuses_kernel(u)))
		return FAULT_SIGBUS;
	if (READ_ONCE(u->released))
		return FAULT_OK; /* uffd_release() waits for mm->lock: the range is an ordinary one in a moment */
	*f->io = (struct fault_io){.uffd = {.uffd = u, .va = f->va, .user = f->user}};
	w->address = u->features & UFFDX_EXACT_ADDRESS ? f->address : f->va;
	w->flags = reason | (f->access == FAULT_WRITE ? UFFDX_FAULT_WRITE : 0u);
	uffd_queue(w);
	SYNC_POINT("uffd-queued");
	if (!MUTATION(160) && !unchanged(f, seen)) { /* M160: queued, and not looked again */
		uffd_unqueue(w);
		return FAULT_OK;
	}
	wake_up_all(&u->readers);
	return FAULT_RETRY;
}

/* The range is protected no more, or whoever watches only wants to see the bit gone. */
static enum fault_result release_entry(struct fault *f, pte_t seen)
{
	struct pt_slot slot = fault_lock_same(f, seen);

	if (!slot.hw)
		return FAULT_OK;
	pte_t pte = pte_set_uffd_wp(hw_pte_get_and_clear(slot.hw), false);

	hw_pte_set(slot.hw, vma_regrant(f->vma, pte, pte_grant(pte)));
	pgtable_forget_weaker(f->va);
	pt_unlock(slot);
	return FAULT_OK;
}

enum fault_result fault_protected(struct fault *f, pte_t seen)
{
	if (!f->wp || uffd_wants(f->vma->uffd, UFFDX_WP_ASYNC))
		return release_entry(f, seen);
	return fault_uffd(f, seen, UFFDX_FAULT_WP);
}
