/*
 * mlock.c - mlock(2), mlock2(2), mlockall(2) and their opposites: pages that stay.
 *
 * Layer 7 (mm/service).  Interface: mm.h.  Lock order: mm->lock (write), then as vma_set_flags(); PTL, lists' locks.
 *
 * A locked range says so in its vma and in its reverse links.  Its pages are not marked: reclaim, when it comes by one,
 * sees the link and puts the page aside (PG_UNEVICTABLE).  Whoever unlocks a range, or unmaps it, puts such pages back
 * among the others; if another locked range maps one, reclaim will put it aside again.
 */
#include "kernel/lib/err.h"
#include "mm/pgtable/huge.h"
#include "mm/phys/lru.h"
#include "mm/space/mm.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

#define LOCKS (VM_LOCKED | VM_LOCKONFAULT)

/* -- unlocking ---------------------------------------------------------------------------------------------------- */

static int rescue_extent(struct pt_extent *x, void *ctx)
{
	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (pte_has_page(pte) && !pte_special(pte))
			lru_rescue(pfn_to_page(pte_pfn(pte)));
	}
	return 0;
}

static int rescue_huge(struct pt_huge *h, void *ctx)
{
	for (unsigned i = 0; !pte_special(h->pte) && i < PT_HUGE_PAGES; i++)
		lru_rescue(pfn_to_page(pte_pfn(h->pte)) + i);
	return 0;
}

/* The flags of a vma; what was put aside for its sake comes back. => mm->lock held for writing */
static void set_locks(struct vma *vma, unsigned locks)
{
	bool unlocks = vma->flags & VM_LOCKED && !(locks & VM_LOCKED);

	vma_set_flags(vma, (vma->flags & ~(unsigned)LOCKS) | locks);
	if (unlocks)
		pt_walk_huge(&vma->mm->pt, vma->start, vma->end, rescue_extent, rescue_huge, NULL);
}

/* -- ranges ------------------------------------------------------------------------------------------------------- */

/* Pages of [start, end) that are locked already. => mm->lock held */
static unsigned long locked_in(struct mm *mm, vaddr_t start, vaddr_t end)
{
	unsigned long n = 0;
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end)
		if (vma->flags & VM_LOCKED)
			n += (min(end, vma->end) - max(start, vma->start)) >> PAGE_SHIFT;
	return n;
}

static int set_range(struct mm *mm, vaddr_t start, vaddr_t end, unsigned locks)
{
	struct vma *vma;
	int err;

	if (!vma_covers(mm, start, end))
		return -ENOMEM;
	err = vma_split_at(mm, start);
	if (!err)
		err = vma_split_at(mm, end);
	if (!err)
		for_each_vma_in(vma, mm, start, end)
			set_locks(vma, locks);
	vma_merge_range(mm, start, end);
	return err;
}

/* Would @start .. @end be too much? => mm->lock held */
static int check_limit(struct mm *mm, vaddr_t start, vaddr_t end)
{
	unsigned long pages = (end - start) >> PAGE_SHIFT;

	return mm->locked_pages + pages - locked_in(mm, start, end) > mm->lock_limit ? -ENOMEM : 0;
}

int mm_mlock(struct mm *mm, vaddr_t addr, size_t length, unsigned how)
{
	unsigned locks = how == MM_LOCK_NOW ? VM_LOCKED : how ? LOCKS : 0;
	vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
	size_t n = ALIGN_UP(length + (addr - start), PAGE_SIZE);
	int err;

	if (locks && !mm->lock_limit)
		return -EPERM;
	if (start + n < start)
		return -EINVAL;
	if (n == 0)
		return 0;
	err = rwsem_write_lock_killable(&mm->lock);
	if (err)
		return err;
	err = locks ? check_limit(mm, start, start + n) : 0;
	if (!err)
		err = set_range(mm, start, start + n, locks);
	rwsem_write_unlock(&mm->lock);
	if (!err && locks == VM_LOCKED)
		err = mm_populate_promised(mm, start, start + n);
	return err == -EFAULT ? -ENOMEM : err; /* locked, but not all of it can be there */
}

/* -- everything --------------------------------------------------------------------------------------------------- */

static void set_all(struct mm *mm, unsigned locks)
{
	struct vma *vma;

	for_each_vma_in(vma, mm, 0, USER_END)
		set_locks(vma, locks);
	vma_merge_range(mm, 0, USER_END);
}

int mm_mlockall(struct mm *mm, unsigned flags)
{
	unsigned locks = flags & MM_LOCK_ONFAULT ? LOCKS : VM_LOCKED;
	int err = 0;

	if (flags && !mm->lock_limit)
		return -EPERM;
	if (rwsem_write_lock_killable(&mm->lock))
		return -EINTR;
	if (flags & MM_LOCK_CURRENT && mm->total_pages > mm->lock_limit)
		err = -ENOMEM;
	if (!err) {
		mm->future_locks = flags & MM_LOCK_FUTURE ? locks : 0;
		if (flags & MM_LOCK_CURRENT || !flags)
			set_all(mm, flags ? locks : 0);
	}
	rwsem_write_unlock(&mm->lock);
	if (!err && flags & MM_LOCK_CURRENT && !(flags & MM_LOCK_ONFAULT))
		mm_populate_mapped(mm);
	return err;
}
