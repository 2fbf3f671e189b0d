/*
 * reap.c - take private memory away from an address space without ever sleeping.
 *
 * Layer 7 (mm/service).  Interface: reap.h.  For who is short of memory and must not wait for anybody (R3.6): what cannot be had at
 * once is left alone.
 */
#include "mm/service/reap.h"

#include "kernel/lib/errno.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* => mm->lock held for reading */
static int reap_part(struct vma *vma, vaddr_t start, vaddr_t end)
{
	struct mmu_gather g;
	int err = mmu_gather_try_begin(&g, &vma->mm->pt, start, end, MMU_CLEAR);

	if (err)
		return err;
	vma_zap(vma, start, end, ZAP_DROP, &g);
	mmu_gather_finish(&g);
	return 0;
}

int mm_reap(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma;
	int result = 0;

	if (!rwsem_read_trylock(&mm->lock))
		return -EAGAIN;
	for_each_vma_in(vma, mm, start, end) {
		if ((vma->flags & (VM_LOCKED | VM_NONLINEAR)) || !vma_private(vma))
			continue;
		if (reap_part(vma, max(start, vma->start), min(end, vma->end)))
			result = -EAGAIN;
	}
	rwsem_read_unlock(&mm->lock);
	return result;
}
