/*
 * protect.c - mprotect(2).
 *
 * Layer 6 (mm/space).  Interface: mm.h.  Lock order: mm->lock (write), PTL.
 *
 * Thread 0 left open what mprotect means on a vma whose entries carry their own protections.  Three answers were given
 * there, and all three can be had:
 *
 *   all          the whole range is judged first; then the default *and* every entry, resident or not, gets the new
 *                protection, and the part that was covered is uniform again.  Ours, unless told otherwise.
 *   default      PROT_DEFAULT: only what entries without one of their own get.  Of a uniform vma that is every entry.
 *   strict-2007  a boot option, and /proc/sys/vm/mprotect_manyprots: EACCES if there is any such vma in the range, and
 *                nothing changes.
 */
#include "mm/space/mm.h"

#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_migration.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/space/huge.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

struct change {
	const struct vma *vma;
	unsigned grant;
	vaddr_t start, end; /* entries that lost a permission and were accessible: to be flushed */
};

/* May the entry keep or get hardware RW without asking anybody? */
static bool may_write_now(const struct vma *vma, pte_t old, unsigned grant)
{
	struct page *page;

	if (!(grant & GRANT_W) || pte_special(old) || pte_uffd_wp(old))
		return false;
	if (pte_hw_write(old))
		return true;
	page = pfn_to_page(pte_pfn(old));
	if (vma_private(vma))
		return page_test(page, PG_ANON) && page_test(page, PG_ANON_EXCLUSIVE);
	return !vma_notifies_writes(vma);
}

pte_t vma_regrant(const struct vma *vma, pte_t pte, unsigned grant)
{
	pte_t new = pte_with_grant(pte, grant);

	return may_write_now(vma, pte, grant) ? pte_mkwrite(new) : new;
}

static void change_page(struct change *c, struct hw_pte *hw, vaddr_t va)
{
	pte_t old, new;

	if (MUTATION(1)) /* M1: flush before clear (and not after) */
		pgtable_flush_early(&c->vma->mm->pt, va);
	old = hw_pte_get_and_clear(hw);
	new = vma_regrant(c->vma, old, c->grant);
	hw_pte_set(hw, new);
	TRACE(TRACE_PROTECT, &c->vma->mm->pt, va, pte_pfn(old), pte_trace(old), pte_trace(new));
	if (pte_accessible(old)) {
		c->start = min(c->start, va);
		c->end = max(c->end, va + PAGE_SIZE);
	}
}

static int change_extent(struct pt_extent *x, void *ctx)
{
	struct change *c = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (pte_has_page(pte))
			change_page(c, x->hw, x->va);
		else if (!pte_is_none(pte)) /* an offset, a slot, a note: it keeps its grants, too */
			hw_pte_set(x->hw, pte_regrant_soft(pte, c->grant));
	}
	return 0;
}

/* What a huge entry becomes: vma_regrant() for all its pages at once. */
static pte_t regrant_huge(pte_t old, void *ctx)
{
	const struct change *c = ctx;
	pte_t new = pte_with_grant(old, c->grant);
	bool write = (c->grant & GRANT_W) && !pte_special(old) && !pte_uffd_wp(old);

	return write && (pte_hw_write(old) || huge_exclusive(old)) ? pte_mkwrite(new) : new;
}

static int change_huge(struct pt_huge *h, void *ctx)
{
	struct change *c = ctx;
	pte_t old;

	if (!pt_huge_whole(h) || MUTATION(1))
		return PT_WALK_SPLIT;
	old = pt_change_huge(h, regrant_huge, c);
	TRACE(TRACE_PROTECT, h->pt, h->base, pte_pfn(old), pte_trace(old), pte_trace(h->pte));
	if (pte_accessible(old)) {
		c->start = min(c->start, h->base);
		c->end = max(c->end, h->end);
	}
	return 0;
}

/* Flags and reverse link first, entries second: a fault in between waits for mm->lock anyway. */
static void protect_vma(struct vma *vma, unsigned prot, bool default_only)
{
	struct change c = {.vma = vma, .grant = prot_to_grant(prot), .start = ~0UL};
	unsigned flags = (vma->flags & ~(VM_ACCESS | VM_MANYPROTS)) | prot;
	struct mmu_range range;

	if (default_only && (vma->flags & VM_MANYPROTS)) {
		vma->flags = flags | VM_MANYPROTS;
		return;
	}
	if (flags == vma->flags)
		return;
	vma->flags = flags;
	if (vma->object) {
		rwsem_write_lock(&vma->object->maps.lock);
		vma->link.flags &= ~RMAP_KEEP_GRANTS;
		rwsem_write_unlock(&vma->object->maps.lock);
	}
	mmu_notify_start(&range, &vma->mm->pt, vma->start, vma->end, MMU_PROTECT_VMA);
	pt_walk_huge(&vma->mm->pt, vma->start, vma->end, change_extent, change_huge, &c);
	if (c.start < c.end)
		SYNC_POINT("clear-before-flush");
	if (c.start < c.end && !MUTATION(1))
		pgtable_flush_range(&vma->mm->pt, c.start, c.end);
	pgtable_settle(&vma->mm->pt);
	mmu_notify_end(&range);
}

bool mprotect_strict;

/* Is all of the range mapped, and does every vma allow @prot?  What is wrong first decides. */
static int judge(struct mm *mm, vaddr_t start, vaddr_t end, unsigned prot)
{
	vaddr_t covered = start;
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end) {
		if (vma->start > covered)
			return -ENOMEM;
		covered = vma->end;
		if (prot & ~(vma->flags >> 4) & VM_ACCESS)
			return -EACCES;
		if (READ_ONCE(mprotect_strict) && (vma->flags & VM_MANYPROTS))
			return -EACCES;
		if (MUTATION(17)) /* M17: only the first vma is asked */
			return 0;
	}
	return covered < end ? -ENOMEM : 0;
}

static int protect_locked(struct mm *mm, vaddr_t start, vaddr_t end, unsigned prot, bool default_only)
{
	struct vma *vma;
	int err = judge(mm, start, end, prot);

	if (err)
		return err;
	err = vma_split_at(mm, start);
	if (!err)
		err = vma_split_at(mm, end);
	if (!err)
		for_each_vma_in(vma, mm, start, end)
			protect_vma(vma, prot, default_only);
	vma_merge_range(mm, start, end);
	return err;
}

int mm_mprotect(struct mm *mm, vaddr_t addr, size_t length, unsigned prot)
{
	bool default_only = prot & PROT_DEFAULT;
	unsigned long locked;
	int err;

	prot &= ~PROT_DEFAULT;
	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (length == 0)
		return 0;
	length = ALIGN_UP(length, PAGE_SIZE);
	if (addr + length <= addr)
		return -ENOMEM;
	if (prot & ~(unsigned)PROT_MASK)
		return -EINVAL;
	err = rwsem_write_lock_killable(&mm->lock);
	if (err)
		return err;
	err = protect_locked(mm, addr, addr + length, prot, default_only);
	locked = mm->locked_pages;
	rwsem_write_unlock(&mm->lock);
	if (!err && locked && prot & PROT_WRITE) /* private memory that is locked gets its own pages now */
		mm_populate_locked(mm, addr, addr + length);
	return err;
}
