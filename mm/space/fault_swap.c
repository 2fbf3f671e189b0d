/*
 * fault_swap.c - case E: the page is in a swap slot.
 *
 * Layer 6 (mm/space).  Lock order: mm->lock, page lock (only tried), PTL, swap slots.
 *
 *   in the cache, uptodate, lockable      mapped at once: a minor fault
 *   anything else                         FAULT_RETRY: fault_wait() reads it, or waits for the lock, without mm->lock
 *
 *   the entry says       the page                     is mapped
 *   exclusive            idle                         exclusive; for a store: writable, and the slot is given back
 *   exclusive            on its way to the device     read-only, shared: a store copies, the device's data stay as they are
 *   shared               -                            read-only, shared
 *
 * The exclusive bit went from the page into the entry when it was unmapped, and only fork takes it away there: as long as it
 * is set no other entry refers to the slot.
 */
#include "mm/space/fault.h"

#include "kernel/lib/assert.h"
#include "mm/object/swap.h"

static bool may_be_exclusive(const struct page *page, pte_t seen)
{
	return pte_swap_exclusive(seen) && !page_test(page, PG_WRITEBACK);
}

/* Whose page it is from now on, if nobody maps it: only ours, or anybody's whom a fork may have given the entry.
 * => page locked */
static void adopt(const struct fault *f, struct page *page, bool exclusive)
{
	if (__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST))
		return;
	page->family = exclusive ? f->vma->anon.own : anon_range_root(&f->vma->anon);
	page->index = vma_pgoff(f->vma, f->va);
}

static pte_t make_entry(const struct fault *f, const struct page *page, pte_t seen, bool exclusive)
{
	unsigned grant = f->vma->flags & VM_MANYPROTS ? pte_grant(seen) : vma_grant(f->vma);
	pte_t pte = pte_mk_page(page_to_pfn(page), grant);

	if (exclusive && f->access == FAULT_WRITE && (grant & GRANT_W))
		pte = pte_mkdirty(pte_mkwrite(pte));
	return fault_keep_wp(f, pte);
}

/* => page locked, in the cache for this entry */
static void map_page(struct fault *f, pte_t seen, struct page *page)
{
	bool exclusive = may_be_exclusive(page, seen);
	struct pt_slot slot;
	pte_t pte;

	adopt(f, page, exclusive);
	slot = fault_lock_same(f, seen);
	if (!slot.hw)
		return;
	pte = make_entry(f, page, seen, exclusive);
	if (exclusive)
		page_set(page, PG_ANON_EXCLUSIVE);
	page_get(page);
	__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	pgtable_account(f->pt, 1);
	pgtable_account_swap(f->pt, -1);
	hw_pte_set(slot.hw, pte);
	TRACE(TRACE_SET, f->pt, f->va, pte_pfn(pte), pte_trace(seen), pte_trace(pte));
	pt_unlock(slot);
	swap_put(pte_swap_entry(seen));
	if (pte_hw_write(pte))
		(void)swap_try_free(page); /* what the slot has is about to be old */
}

enum fault_result fault_swap(struct fault *f, pte_t seen)
{
	swap_entry_t entry = pte_swap_entry(seen);
	struct page *page;
	bool locked;

	if (vma_anon_prepare(f->vma))
		return FAULT_OOM;
	page = swap_find(entry);
	SYNC_POINT("swap-found");
	locked = page && page_test(page, PG_UPTODATE) && page_try_lock(page);
	if (locked) {
		if (swap_page_is(page, entry))
			map_page(f, seen, page);
		page_unlock(page);
		swap_drop_unused(page);
	} else {
		*f->io = (struct fault_io){.swap = entry.v};
	}
	if (page)
		page_put(page);
	return locked ? FAULT_OK : FAULT_RETRY;
}

enum fault_result fault_wait_swap(const struct fault_io *io)
{
	struct page *page = swap_read((swap_entry_t){io->swap});

	if (!page)
		return FAULT_OK; /* the entry is another one by now */
	if (!IS_ERR(page)) {
		page_put(page);
		return FAULT_OK;
	}
	return fault_error(PTR_ERR(page));
}

/* -- swapoff: every page comes back ------------------------------------------------------------------------------- */

/* The entry of @va if it refers to @type; none otherwise. => mm->lock held */
static pte_t entry_of_area(struct pgtable *pt, vaddr_t va, unsigned type)
{
	struct pt_slot slot = pt_lock(pt, va);
	pte_t pte = pte_none();

	if (slot.hw) {
		pte = hw_pte_get(slot.hw);
		pt_unlock(slot);
	}
	return pte_is_swap(pte) && swap_word_type(pte_swap_word(pte)) == type ? pte : pte_none();
}

enum fault_result vma_unswap(struct vma *vma, vaddr_t va, unsigned type, struct fault_io *io)
{
	struct pgtable *pt = &vma->mm->pt;
	struct fault f = {.vma = vma, .pt = pt, .va = va, .slot = pt_find(pt, va), .access = FAULT_READ, .io = io};
	pte_t pte = entry_of_area(pt, va, type);

	ASSERT(rwsem_held(&vma->mm->lock));
	f.wp = fault_is_wp(vma, pte);
	return pte_is_none(pte) ? FAULT_OK : fault_swap(&f, pte);
}

void vma_poison(struct vma *vma, vaddr_t va, unsigned type)
{
	struct fault f = {.vma = vma, .pt = &vma->mm->pt, .va = va, .slot = pt_find(&vma->mm->pt, va)};
	pte_t pte = entry_of_area(f.pt, va, type);
	struct pt_slot slot;

	if (pte_is_none(pte) || !f.slot.hw)
		return;
	slot = fault_lock_same(&f, pte);
	if (!slot.hw)
		return;
	hw_pte_set(slot.hw, pte_mk_poison(pte_grant(pte)));
	pgtable_account_swap(f.pt, -1);
	pt_unlock(slot);
	swap_put(pte_swap_entry(pte));
}
