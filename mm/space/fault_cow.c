/*
 * fault_cow.c - case D: a store to a private page that hardware may not write.
 *
 * Layer 6 (mm/space).
 *
 *   the page                                   what happens
 *   anonymous, exclusive                       reuse: RW in place
 *   anonymous, ours is the only reference      becomes exclusive, reuse
 *   the same, but for its slot                 the slot is given back first, under the page lock
 *   anonymous, shared after fork, or merged    copy
 *   zero page, cached file page                copy
 *
 * An unshare fault (a pin that only reads, R1.6) does the same but leaves the entry read-only.
 */
#include "mm/space/fault.h"

#include "mm/object/swap.h"
#include "mm/pgtable/notifier.h"
#include "mm/phys/vmstat.h"

/* @ours: references that the caller holds. */
static bool may_reuse(const struct page *page, int ours)
{
	if (!page_test(page, PG_ANON) || page_test(page, PG_MERGED))
		return false;
	return page_test(page, PG_ANON_EXCLUSIVE) || (__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 1 &&
	                                              __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == 1 + ours);
}

/* => PTL held */
static void reuse(struct fault *f, struct pt_slot slot, pte_t seen, struct page *page)
{
	page_set(page, PG_ANON_EXCLUSIVE);
	if (f->access == FAULT_WRITE) {
		hw_pte_get_and_clear(slot.hw);
		hw_pte_set(slot.hw, pte_mkdirty(pte_mkyoung(pte_mkwrite(seen))));
		pgtable_forget_weaker(f->va);
	}
}

/* Replace @seen by the copy: clear, flush, set; only then may the old page go. => PTL held */
static void replace(struct fault *f, struct pt_slot slot, pte_t seen, struct page *copy)
{
	pte_t pte = pte_mk_page(page_to_pfn(copy), pte_grant(seen));

	if (f->access == FAULT_WRITE)
		pte = pte_mkdirty(pte_mkwrite(pte));
	pte = fault_keep_wp(f, pte);
	if (MUTATION(1)) /* M1: flush before clear */
		pgtable_flush_early(f->pt, f->va);
	hw_pte_get_and_clear(slot.hw);
	TRACE(TRACE_CLEAR, f->pt, f->va, pte_pfn(seen), pte_trace(seen), 0);
	SYNC_POINT("clear-before-flush");
	if (!MUTATION(1))
		pgtable_flush_page(f->pt, f->va);
	hw_pte_set(slot.hw, pte);
	lru_add(copy);
	TRACE(TRACE_SET, f->pt, f->va, pte_pfn(pte), pte_trace(seen), pte_trace(pte));
	if (pte_special(seen)) {
		pgtable_account(f->pt, 1);
		return;
	}
	struct page *old = pfn_to_page(pte_pfn(seen));

	vm_count(VM_COW_KSM, page_test(old, PG_MERGED));
	__atomic_fetch_sub(&old->mapcount, 1, __ATOMIC_SEQ_CST);
	if (page_test(old, PG_SWAPCACHE))
		swap_drop_unused(old);
	page_put(old);
}

/* A fresh page with the content of @old, which the caller holds (NULL: the zero page). */
static struct page *copy_of(const struct fault *f, struct page *old)
{
	struct page *copy;

	if (vma_anon_prepare(f->vma))
		return NULL;
	copy = page_alloc(0, old ? GFP_USER : GFP_USER | GFP_ZERO);
	if (!copy)
		return NULL;
	if (old)
		page_copy(copy, old);
	fault_adopt(f, copy);
	return copy;
}

static enum fault_result copy_and_replace(struct fault *f, pte_t seen, struct page *old)
{
	struct page *copy = copy_of(f, old);
	struct mmu_range range;
	struct pt_slot slot;

	if (!copy)
		return FAULT_OOM;
	mmu_notify_start(&range, f->pt, f->va, f->va + PAGE_SIZE, MMU_CLEAR);
	slot = fault_lock_to_copy(f, seen);
	if (slot.hw) {
		replace(f, slot, seen, copy);
		fault_unlock_copied(f, slot, old);
	} else {
		copy->mapcount = 0;
		page_put(copy);
	}
	mmu_notify_end(&range);
	return FAULT_OK;
}

/* The page is about to differ from what its slot has: if it has one and nobody else wants that, it is free. */
static void forget_slot(const struct fault *f, struct page *page)
{
	if (f->access != FAULT_WRITE || !page_test(page, PG_SWAPCACHE) || !page_try_lock(page))
		return;
	(void)swap_try_free(page);
	page_unlock(page);
}

/* => PTL held; gives it back */
static void reuse_mapped(struct fault *f, struct pt_slot slot, pte_t seen, struct page *page)
{
	bool swapped = page_test(page, PG_SWAPCACHE);

	if (swapped)
		page_get(page);
	reuse(f, slot, seen, page);
	pt_unlock(slot);
	if (swapped) {
		forget_slot(f, page);
		page_put(page);
	}
}

/* The page is ours alone once the swap cache lets go of it: true, and the fault is resolved. => @page referenced */
static bool reuse_swapped(struct fault *f, pte_t seen, struct page *page)
{
	struct pt_slot slot;
	bool freed, done = false;

	if (!page_test(page, PG_SWAPCACHE) || !page_try_lock(page))
		return false;
	freed = !page_test(page, PG_WRITEBACK) && swap_try_free(page);
	slot = freed ? fault_lock_same(f, seen) : (struct pt_slot){0};
	if (slot.hw) {
		done = may_reuse(page, 1);
		if (done)
			reuse(f, slot, seen, page);
		pt_unlock(slot);
	}
	page_unlock(page);
	return done;
}

enum fault_result fault_cow(struct fault *f, pte_t seen)
{
	struct pt_slot slot = fault_lock_same(f, seen);
	struct page *page = NULL;
	enum fault_result result;

	if (!slot.hw)
		return FAULT_OK;
	if (!pte_special(seen)) {
		page = pfn_to_page(pte_pfn(seen));
		if (may_reuse(page, 0)) {
			reuse_mapped(f, slot, seen, page);
			return FAULT_OK;
		}
		page_get(page);
	}
	pt_unlock(slot);
	if (page && reuse_swapped(f, seen, page)) {
		page_put(page);
		return FAULT_OK;
	}
	result = copy_and_replace(f, seen, page);
	if (page)
		page_put(page);
	return result;
}
