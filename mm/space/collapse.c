/*
 * collapse.c - MADV_COLLAPSE: base pages become a huge page.
 *
 * Layer 6 (mm/space).  Interface: mm.h.  Lock order: mm->lock (write), the family's lock (write), pt->lock.
 *
 *   1. subscribers hear of the range
 *   2. the leaf table leaves the tree, every CPU flushes: nobody can reach the pages through it any more.  Faults wait for
 *      mm->lock, reverse maps for the family's; a walk without locks has ended
 *   3. every page is looked at: anonymous, ours alone, without a pin, a slot or a borrower.  One that is not: the table
 *      goes back, and that is -EAGAIN
 *   4. contents are copied, the base entries emptied, their pages given back
 *   5. the huge entry takes the place, and the table, empty now, is its deposit
 *
 * What nobody may change between 3 and 4 cannot: a pin or an entry would have to come from this table.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/hooks.h"
#include "mm/object/swap.h"
#include "mm/pgtable/notifier.h"
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/space/huge.h"
#include "mm/space/space.h"

struct collapse {
	struct vma *vma;
	vaddr_t base;
	struct page *table;
	struct page *pages; /* the new ones */
};

/* Its only references are the entry's. The table is out of the tree, so it can only lose others from now on. */
static bool ours_alone(const struct page *page)
{
	return page_test(page, PG_ANON) && !page_test(page, PG_SWAPCACHE) &&
	       __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 1 &&
	       __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == 1;
}

static bool fits(pte_t pte)
{
	if (pte_is_none(pte))
		return true;
	if (!pte_has_page(pte) || pte_uffd_wp(pte))
		return false;
	return pte_special(pte) || ours_alone(pfn_to_page(pte_pfn(pte)));
}

static bool all_fit(const struct collapse *c)
{
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		if (!fits(hw_pte_get(pt_table_entry(c->table, i))))
			return false;
	return true;
}

/* The entry's page leaves the address space. */
static void give_back(struct collapse *c, struct hw_pte *hw, struct page *page)
{
	hw_pte_get_and_clear(hw);
	__atomic_fetch_sub(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	lru_rescue(page);
	if (page_test(page, PG_SWAPCACHE)) /* reclaim was about to swap it out */
		swap_drop_unused(page);
	pgtable_account(&c->vma->mm->pt, -1);
	page_put(page);
}

static void copy_all(struct collapse *c)
{
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++) {
		struct hw_pte *hw = pt_table_entry(c->table, i);
		pte_t pte = hw_pte_get(hw);

		if (pte_is_none(pte) || pte_special(pte)) {
			page_zero(c->pages + i);
			if (!pte_is_none(pte))
				hw_pte_get_and_clear(hw);
			continue;
		}
		page_copy(c->pages + i, pfn_to_page(pte_pfn(pte)));
		give_back(c, hw, pfn_to_page(pte_pfn(pte)));
	}
}

static void set_entry(struct collapse *c)
{
	struct pgtable *pt = &c->vma->mm->pt;
	unsigned grant = vma_grant(c->vma);
	pte_t pte = pte_mkdirty(pte_mk_page(page_to_pfn(c->pages), grant));

	if (grant & GRANT_W)
		pte = pte_mkwrite(pte);
	spin_lock(&pt->lock);
	BUG_ON(!pt_set_huge(pt, c->base, pte_mk_huge(pte), c->table));
	huge_mapped(pt, c->pages);
	spin_unlock(&pt->lock);
	vm_count(VM_THP_COLLAPSE_ALLOC, 1);
}

/* => the family's lock */
static int collapse_table(struct collapse *c)
{
	struct pgtable *pt = &c->vma->mm->pt;

	c->table = pt_take_table(pt, c->base);
	if (!c->table)
		return -EINVAL;
	mmu_notify_flush(pt, c->base, c->base + PT_HUGE_SIZE);
	SYNC_POINT("collapse-taken");
	if (!all_fit(c)) {
		pt_put_table(pt, c->base, c->table);
		return -EAGAIN;
	}
	copy_all(c);
	set_entry(c);
	return 0;
}

static bool is_huge(struct vma *vma, vaddr_t base)
{
	struct pt_huge h;
	bool huge = pt_lock_huge(&vma->mm->pt, base, &h);

	if (huge)
		pt_unlock_huge(&h);
	return huge && !pte_special(h.pte);
}

/* => mm->lock held for writing; @base's span lies in @vma */
static int collapse_span(struct vma *vma, vaddr_t base)
{
	struct collapse c = {.vma = vma, .base = base};
	struct mmu_range range;
	int err;

	if (is_huge(vma, base))
		return 0;
	if (vma_anon_prepare(vma) || pt_populate(&vma->mm->pt, base, base + PAGE_SIZE))
		return -ENOMEM;
	c.pages = huge_alloc(vma, base, false);
	if (!c.pages)
		return -ENOMEM;
	mmu_notify_start(&range, &vma->mm->pt, base, base + PT_HUGE_SIZE, MMU_CLEAR);
	anon_range_lock(&vma->anon);
	err = collapse_table(&c);
	anon_range_unlock(&vma->anon);
	mmu_notify_end(&range);
	if (err)
		huge_discard(c.pages);
	return err;
}

/* -- the call -------------------------------------------------------------------------------------------------------- */

/* One span; the lock is taken anew for each. */
static int collapse_at(struct mm *mm, vaddr_t base)
{
	struct vma *vma;
	int err;

	err = rwsem_write_lock_killable(&mm->lock);
	if (err)
		return err;
	vma = vma_find(mm, base);
	if (!vma || vma->start > base)
		err = -ENOMEM;
	else if (!vma_may_be_huge(vma) || !vma_holds_huge(vma, base))
		err = -EINVAL;
	else
		err = collapse_span(vma, base);
	rwsem_write_unlock(&mm->lock);
	return err;
}

static int judge(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma;
	int err = 0;

	rwsem_read_lock(&mm->lock);
	if (!vma_covers(mm, start, end))
		err = -ENOMEM;
	for_each_vma_in(vma, mm, start, end)
		if (!err && !vma_may_be_huge(vma))
			err = -EINVAL;
	rwsem_read_unlock(&mm->lock);
	return err;
}

/* As Linux: the spans that lie in the range; all are tried, and the last error is told. */
int mm_collapse(struct mm *mm, vaddr_t start, vaddr_t end)
{
	vaddr_t first = ALIGN_UP(start, PT_HUGE_SIZE), last = ALIGN_DOWN(end, PT_HUGE_SIZE);
	int err = judge(mm, start, end), result = 0;

	if (err)
		return err;
	for (vaddr_t base = first; base >= start && base < last; base += PT_HUGE_SIZE) {
		err = collapse_at(mm, base);
		if (err == -EINTR)
			return err;
		if (err)
			result = err;
	}
	return result;
}
