/*
 * fault_huge.c - faults where no leaf table is: a huge page is there, or may be made.
 *
 * Layer 6 (mm/space).  Lock order: mm->lock (read), pt->lock.
 *
 *   what is there       read                 write
 *   nothing             the huge zero page   a fresh huge page, if the range is wanted huge and there is memory; else base pages
 *   huge, RW=1          nothing to do        nothing to do
 *   huge, RW=0          nothing to do        RW in place, if every page is ours alone; else split, and copy base pages
 *   huge zero page      nothing to do        a fresh huge page; without memory: split
 *
 * A split under way (mm/pgtable/huge.c) holds pt->lock: here one waits for it and finds the table.
 */
#include "mm/space/fault.h"

#include "mm/pgtable/notifier.h"
#include "mm/phys/vmstat.h"
#include "mm/space/huge.h"

static pte_t entry_for(const struct fault *f, struct page *pages)
{
	pte_t pte = pte_mk_page(page_to_pfn(pages), vma_grant(f->vma));

	return pte_mk_huge(f->access == FAULT_WRITE ? pte_mkdirty(pte_mkwrite(pte)) : pte);
}

/* -- nothing is there ------------------------------------------------------------------------------------------------- */

/* => fallback: false */
static bool map_zero(struct fault *f, vaddr_t base)
{
	struct page *zero = huge_zero_get(f->vma->mm), *deposit = zero ? pt_deposit_alloc() : NULL;
	bool set;

	if (!deposit)
		return false;
	spin_lock(&f->pt->lock);
	set = pt_set_huge(f->pt, base, pte_mk_huge(pte_mk_special(page_to_pfn(zero), vma_grant(f->vma))), deposit);
	spin_unlock(&f->pt->lock);
	if (!set)
		pt_deposit_free(deposit);
	return true;
}

static bool map_fresh(struct fault *f, vaddr_t base)
{
	struct page *deposit, *pages;
	bool set;

	deposit = vma_anon_prepare(f->vma) ? NULL : pt_deposit_alloc();
	pages = deposit ? huge_alloc(f->vma, base, true) : NULL;
	if (!pages) {
		if (deposit)
			pt_deposit_free(deposit);
		vm_count(VM_THP_FAULT_FALLBACK, 1);
		return false;
	}
	spin_lock(&f->pt->lock);
	set = pt_set_huge(f->pt, base, entry_for(f, pages), deposit);
	if (set)
		huge_mapped(f->pt, pages);
	spin_unlock(&f->pt->lock);
	TRACE(TRACE_SET, f->pt, base, page_to_pfn(pages), 0, set);
	vm_count(VM_THP_FAULT_ALLOC, set);
	if (!set) { /* another thread was faster, with whatever it is: the access is tried again */
		pt_deposit_free(deposit);
		huge_discard(pages);
	}
	return true;
}

static bool missing(struct fault *f, bool allowed, enum fault_result *result)
{
	vaddr_t base = ALIGN_DOWN(f->va, PT_HUGE_SIZE);

	if (!vma_wants_huge(f->vma) || !vma_holds_huge(f->vma, base))
		return false;
	*result = allowed ? FAULT_OK : FAULT_ACCERR;
	if (!allowed)
		return true;
	if (pt_populate_upper(f->pt, base))
		return false;
	return f->access == FAULT_WRITE || f->unshare ? map_fresh(f, base) : map_zero(f, base);
}

/* -- a huge page is there ------------------------------------------------------------------------------------------------ */

/* Is the huge zero page still there?  Then @pages take its place. */
static bool replace_zero(struct fault *f, vaddr_t base, struct page *pages)
{
	struct mmu_range range;
	struct pt_huge h;
	bool same = false;

	mmu_notify_start(&range, f->pt, base, base + PT_HUGE_SIZE, MMU_CLEAR);
	if (pt_lock_huge(f->pt, base, &h)) {
		same = pte_special(h.pte);
		if (same) {
			pt_replace_huge(&h, entry_for(f, pages));
			huge_mapped(f->pt, pages);
		}
		pt_unlock_huge(&h);
	}
	mmu_notify_end(&range);
	return same;
}

static bool write_zero(struct fault *f, vaddr_t base)
{
	bool may = vma_may_be_huge(f->vma) && !vma_anon_prepare(f->vma);
	struct page *pages = may ? huge_alloc(f->vma, base, true) : NULL;

	if (!pages) {
		vm_count(VM_THP_FAULT_FALLBACK, 1);
		pt_split_huge(f->pt, base);
		return false;
	}
	if (replace_zero(f, base, pages))
		vm_count(VM_THP_FAULT_ALLOC, 1);
	else
		huge_discard(pages);
	return true;
}

/* No other entry, no pin, no borrower, no slot: then it becomes ours alone. */
static bool sole(const struct page *page)
{
	return page_test(page, PG_ANON_EXCLUSIVE) || (__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 1 &&
	                                              __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == 1);
}

/* => pt->lock held */
static bool make_exclusive(pte_t huge)
{
	struct page *pages = pfn_to_page(pte_pfn(huge));

	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		if (!sole(pages + i))
			return false;
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		page_set(pages + i, PG_ANON_EXCLUSIVE);
	return true;
}

static pte_t writable(pte_t old, void *ctx)
{
	return pte_mkdirty(pte_mkyoung(pte_mkwrite(old)));
}

/* => pt_lock_huge(); gives it back */
static bool write_or_unshare(struct fault *f, struct pt_huge *h)
{
	bool zero = pte_special(h->pte), ours = !zero && make_exclusive(h->pte);

	if (ours && f->access == FAULT_WRITE)
		pt_change_huge(h, writable, NULL);
	pt_unlock_huge(h);
	if (ours)
		pgtable_forget_weaker(f->va);
	else if (zero)
		return write_zero(f, h->base);
	else
		pt_split_huge(f->pt, h->base);
	return ours;
}

bool fault_huge(struct fault *f, bool allowed, enum fault_result *result)
{
	struct pt_huge h;

	if (!pt_lock_huge(f->pt, f->va, &h))
		return missing(f, allowed, result);
	*result = allowed ? FAULT_OK : FAULT_ACCERR;
	if (allowed && (f->unshare || (f->access == FAULT_WRITE && !pte_hw_write(h.pte))))
		return write_or_unshare(f, &h);
	pt_unlock_huge(&h);
	if (allowed)
		pgtable_forget_weaker(f->va); /* spurious */
	return true;
}
