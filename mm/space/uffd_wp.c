/*
 * uffd_wp.c - entries become write-protected for userfaultfd, and are released again.
 *
 * Layer 6 (mm/space).  Interface: uffd.h.  Lock order: mm->lock, PTL.
 *
 *   entry                protect                          release
 *   page, zero page      RW off, the bit set              the bit off; RW where a store needs no notice
 *   swap, file           the bit set (file: if it can)    the bit off
 *   none                 a note, in mappings of files;    -
 *                        of anonymous memory if asked for
 *   note                 -                                none
 *   poison               -                                -
 *
 * The bit says why RW is off; nobody but its owner gives RW back while it is set.
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/pgtable/pte_uffd.h"
#include "mm/space/uffd.h"
#include "mm/space/vma.h"

struct wp_change {
	const struct vma *vma;
	bool protect, notes;
	vaddr_t start, end; /* entries that could be stored through: to be flushed */
};

static void change_page(struct wp_change *c, struct hw_pte *hw, vaddr_t va, pte_t pte)
{
	pte_t old, new;

	if (pte_uffd_wp(pte) == c->protect)
		return;
	old = hw_pte_get_and_clear(hw);
	new = pte_set_uffd_wp(old, c->protect);
	if (!c->protect)
		new = vma_regrant(c->vma, new, pte_grant(new));
	hw_pte_set(hw, new);
	TRACE(TRACE_PROTECT, &c->vma->mm->pt, va, pte_pfn(old), pte_trace(old), pte_trace(new));
	if (c->protect && pte_accessible(old)) {
		c->start = min(c->start, va);
		c->end = max(c->end, va + PAGE_SIZE);
	}
}

static void change_soft(struct wp_change *c, struct hw_pte *hw, pte_t pte)
{
	if (pte_is_none(pte)) {
		if (c->protect && c->notes)
			hw_pte_set(hw, pte_mk_uffd_note(vma_grant(c->vma)));
	} else if (pte_is_uffd_note(pte)) {
		if (!c->protect)
			hw_pte_set(hw, pte_none());
	} else if (!pte_is_marker(pte) && pte_uffd_wp(pte) != c->protect) {
		hw_pte_set(hw, pte_set_uffd_wp(pte, c->protect));
	}
}

static int change_extent(struct pt_extent *x, void *ctx)
{
	struct wp_change *c = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (pte_has_page(pte))
			change_page(c, x->hw, x->va, pte);
		else
			change_soft(c, x->hw, pte);
	}
	return 0;
}

int uffd_write_protect(struct vma *vma, vaddr_t start, vaddr_t end, bool protect)
{
	struct wp_change c = {.vma = vma, .protect = protect, .start = ~0UL};
	struct pgtable *pt = &vma->mm->pt;
	struct mmu_range range;

	c.notes = vma->object || uffd_wants(vma->uffd, UFFDX_WP_UNPOPULATED);
	if (protect && c.notes && pt_populate(pt, start, end))
		return -ENOMEM;
	mmu_notify_start(&range, pt, start, end, MMU_PROTECT_PAGE);
	pt_walk(pt, start, end, change_extent, &c);
	if (c.start < c.end) {
		SYNC_POINT("clear-before-flush");
		pgtable_flush_range(pt, c.start, c.end);
	}
	if (protect)
		pgtable_settle(pt); /* a page on its way out may still be stored into */
	mmu_notify_end(&range);
	return 0;
}
