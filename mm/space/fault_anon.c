/*
 * fault_anon.c - case A: anonymous memory that was never touched.
 *
 * Layer 6 (mm/space).  A read maps the shared zero page, a write a fresh page that belongs to this mapping
 * alone.
 */
#include "mm/space/fault.h"

static enum fault_result map_zero(struct fault *f, pte_t seen)
{
	struct pt_slot slot = fault_lock_same(f, seen);

	if (slot.hw) {
		hw_pte_set(slot.hw, fault_keep_wp(f, pte_mk_special(page_to_pfn(zero_page), vma_grant(f->vma))));
		pt_unlock(slot);
	}
	return FAULT_OK;
}

enum fault_result fault_anon(struct fault *f, pte_t seen)
{
	struct page *page;
	struct pt_slot slot;

	if (unlikely(f->vma->flags & VM_UFFD_MISSING))
		return fault_uffd(f, seen, 0);
	if (f->access != FAULT_WRITE && !f->unshare)
		return map_zero(f, seen);
	if (vma_anon_prepare(f->vma))
		return FAULT_OOM;
	page = page_alloc(0, GFP_USER | GFP_ZERO);
	if (!page)
		return FAULT_OOM;
	fault_adopt(f, page);
	slot = fault_lock_same(f, seen);
	if (!slot.hw) {
		page->mapcount = 0;
		page_put(page);
		return FAULT_OK;
	}
	pte_t pte = pte_mk_page(page_to_pfn(page), vma_grant(f->vma));

	if (f->access == FAULT_WRITE)
		pte = pte_mkdirty(pte_mkwrite(pte));
	pte = fault_keep_wp(f, pte);
	hw_pte_set(slot.hw, pte);
	lru_add(page);
	TRACE(TRACE_SET, f->pt, f->va, pte_pfn(pte), 0, pte_trace(pte));
	pgtable_account(f->pt, 1);
	pt_unlock(slot);
	return FAULT_OK;
}
