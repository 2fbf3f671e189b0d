/*
 * merge.c - two equal pages of anonymous memory become one.
 *
 * Layer 7 (mm/service).  Interface: migrate.h.  Lock order: mm->lock (read), page locks by pfn, two PTLs by address.
 *
 *   1. both pages are locked and have no slot; subscribers hear of both addresses
 *   2. both entries are emptied and flushed: no CPU can store any more.  A pin that came before is counted; with one, or
 *      with a reference that is not an entry's or ours, the entries are put back
 *   3. contents are compared, both tables locked: from here on nothing can change them
 *   4. equal: both entries show the kept page, read-only; it is nobody's alone, and PG_MERGED
 *
 * A merged page has no family: the addresses that show it have nothing in common, so no reverse map leads to them.  It stays
 * where it is, in memory, until the last of them has copied it or gone; reclaim and migration leave it alone.
 *
 * M184 does not ask for pins at 2.
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/string.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/swap.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/phys/vmstat.h"
#include "mm/service/migrate.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* One of the two addresses. */
struct side {
	vaddr_t va;
	struct page *page; /* referenced */
	pte_t pte;         /* as it was emptied */
};

struct merge {
	struct pgtable *pt;
	struct side keep, drop;
};

/* -- 2, 3: may they? ------------------------------------------------------------------------------------------------ */

/* Does nobody but the entries and we refer to it?  One entry, or that of others it was merged with. */
static int judge_refs(const struct page *page, bool may_be_merged)
{
	int entries = __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST);

	if (page_pinned(page) && !MUTATION(184)) {
		vm_count(VM_KSM_REFUSED, 1);
		return -EBUSY;
	}
	if (entries != 1 && !(may_be_merged && page_test(page, PG_MERGED)))
		return -EBUSY;
	return __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == entries + 1 || MUTATION(184) ? 0 : -EAGAIN;
}

static bool equal(struct page *a, struct page *b)
{
	void *x = page_kmap(a), *y = page_kmap(b);
	bool same = !memcmp(x, y, PAGE_SIZE);

	page_kunmap(y);
	page_kunmap(x);
	return same;
}

static int judge(const struct merge *m)
{
	int err = judge_refs(m->keep.page, true);

	if (!err)
		err = judge_refs(m->drop.page, false);
	return !err && !equal(m->keep.page, m->drop.page) ? -EDOM : err;
}

/* -- 4: one page ------------------------------------------------------------------------------------------------------ */

static pte_t with_page(pte_t pte, const struct page *page)
{
	struct pte_view view = pte_decode(pte, 0);

	view.payload = page_to_pfn(page);
	view.write = false;
	return pte_encode(&view, 0);
}

static void set_both(const struct merge *m, const struct pt_two *two)
{
	struct page *page = m->keep.page;
	pte_t drop = with_page(m->drop.pte, page);

	page_clear(page, PG_ANON_EXCLUSIVE);
	page_set(page, PG_MERGED);
	page->family = NULL;
	page_get(page);
	__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	hw_pte_set(two->a.hw, pte_wrprotect(m->keep.pte));
	hw_pte_set(two->b.hw, drop);
	TRACE(TRACE_SET, m->pt, m->drop.va, page_to_pfn(page), pte_trace(m->drop.pte), pte_trace(drop));
	__atomic_fetch_sub(&m->drop.page->mapcount, 1, __ATOMIC_SEQ_CST);
	page_put(m->drop.page);
	vm_count(VM_KSM_MERGED, 1);
}

/* The entry at @hw is emptied if it still maps the page. */
static bool take(struct merge *m, struct hw_pte *hw, struct side *s)
{
	pte_t pte = hw_pte_get(hw);

	if (!pte_has_page(pte) || pte_pfn(pte) != page_to_pfn(s->page))
		return false;
	s->pte = hw_pte_get_and_clear(hw);
	TRACE(TRACE_CLEAR, m->pt, s->va, page_to_pfn(s->page), pte_trace(s->pte), 0);
	SYNC_POINT("clear-before-flush");
	pgtable_flush_page(m->pt, s->va);
	return true;
}

/* => both page locks, both PTLs */
static int merge_entries(struct merge *m, const struct pt_two *two)
{
	int err;

	if (!take(m, two->a.hw, &m->keep))
		return -EAGAIN;
	if (!take(m, two->b.hw, &m->drop)) {
		hw_pte_set(two->a.hw, m->keep.pte);
		return -EAGAIN;
	}
	SYNC_POINT("merge-taken");
	err = judge(m);
	if (!err) {
		set_both(m, two);
		return 0;
	}
	hw_pte_set(two->a.hw, m->keep.pte);
	hw_pte_set(two->b.hw, m->drop.pte);
	return err;
}

/* -- 1 ------------------------------------------------------------------------------------------------------------------ */

/* => both locked */
static int merge_locked(struct merge *m)
{
	struct mmu_range keep, drop;
	struct pt_two two;
	int err = -EAGAIN;

	if (page_test(m->keep.page, PG_WRITEBACK) || page_test(m->drop.page, PG_WRITEBACK) ||
	    !swap_try_free(m->keep.page) || !swap_try_free(m->drop.page))
		return err;
	mmu_notify_start(&keep, m->pt, m->keep.va, m->keep.va + PAGE_SIZE, MMU_CLEAR);
	mmu_notify_start(&drop, m->pt, m->drop.va, m->drop.va + PAGE_SIZE, MMU_CLEAR);
	if (pt_lock_two(m->pt, m->keep.va, m->pt, m->drop.va, &two)) {
		err = merge_entries(m, &two);
		pt_unlock_two(&two);
	}
	mmu_notify_end(&drop);
	mmu_notify_end(&keep);
	return err;
}

/* The anonymous page at s->va, referenced. => mm->lock held */
static int find(struct mm *mm, struct side *s)
{
	struct vma *vma = vma_find(mm, s->va);
	struct pt_slot slot;
	pte_t pte;

	if (!vma || vma->start > s->va || vma->object || !vma_private(vma))
		return -EINVAL;
	slot = pt_lock(&mm->pt, s->va);
	if (!slot.hw)
		return -ENOENT;
	pte = hw_pte_get(slot.hw);
	if (pte_has_page(pte) && !pte_special(pte)) {
		s->page = pfn_to_page(pte_pfn(pte));
		page_get(s->page);
	}
	pt_unlock(slot);
	return s->page ? 0 : -ENOENT;
}

/* => both pages referenced */
static int merge(struct merge *m)
{
	struct page *first = min(m->keep.page, m->drop.page), *second = max(m->keep.page, m->drop.page);
	int err;

	if (first == second)
		return 0;
	page_lock(first);
	page_lock(second);
	err = merge_locked(m);
	page_unlock(second);
	page_unlock(first);
	return err;
}

int mm_merge(struct mm *mm, vaddr_t keep, vaddr_t drop)
{
	struct merge m = {.pt = &mm->pt, .keep.va = keep, .drop.va = drop};
	int err;

	rwsem_read_lock(&mm->lock);
	err = find(mm, &m.keep);
	if (!err)
		err = find(mm, &m.drop);
	if (!err)
		err = merge(&m);
	if (m.keep.page)
		page_put(m.keep.page);
	if (m.drop.page)
		page_put(m.drop.page);
	rwsem_read_unlock(&mm->lock);
	return err;
}
