/*
 * madvise.c - madvise(2).
 *
 * Layer 7 (mm/service).  Interface: mm.h.
 */
#include "kernel/lib/err.h"
#include "mm/space/mm.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* Drop the pages; nonlinear entries keep their offsets and grants (R0.8). => mm->lock held for reading */
static int drop_pages(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct mmu_gather g;
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end)
		if (vma->flags & VM_LOCKED)
			return -EINVAL;
	mmu_gather_begin(&g, &mm->pt);
	for_each_vma_in(vma, mm, start, end)
		vma_zap(vma, max(start, vma->start), min(end, vma->end), ZAP_DROP, &g);
	mmu_gather_finish(&g);
	return 0;
}

static int madvise_dontneed(struct mm *mm, vaddr_t start, vaddr_t end)
{
	bool covered;
	int err;

	rwsem_read_lock(&mm->lock);
	covered = vma_covers(mm, start, end);
	err = drop_pages(mm, start, end);
	rwsem_read_unlock(&mm->lock);
	return err ? err : covered ? 0 : -ENOMEM;
}

/* Set and clear vma flags over the range. */
static int madvise_flags(struct mm *mm, vaddr_t start, vaddr_t end, unsigned set, unsigned clear)
{
	struct vma *vma;
	bool covered;
	int err;

	rwsem_write_lock(&mm->lock);
	covered = vma_covers(mm, start, end);
	err = vma_split_at(mm, start);
	if (!err)
		err = vma_split_at(mm, end);
	if (!err)
		for_each_vma_in(vma, mm, start, end)
			vma->flags = (vma->flags & ~clear) | set;
	vma_merge_range(mm, start, end);
	rwsem_write_unlock(&mm->lock);
	return err ? err : covered ? 0 : -ENOMEM;
}

static int madvise_covered(struct mm *mm, vaddr_t start, vaddr_t end)
{
	bool covered;

	rwsem_read_lock(&mm->lock);
	covered = vma_covers(mm, start, end);
	rwsem_read_unlock(&mm->lock);
	return covered ? 0 : -ENOMEM;
}

static int madvise_populate(struct mm *mm, vaddr_t start, vaddr_t end, enum fault_access access)
{
	return madvise_covered(mm, start, end) ? -ENOMEM : mm_populate(mm, start, end, access);
}

static bool known_advice(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || advice == MADV_DONTFORK || advice == MADV_DOFORK ||
	       advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
}

int mm_madvise(struct mm *mm, vaddr_t addr, size_t length, int advice)
{
	size_t n = ALIGN_UP(length, PAGE_SIZE);
	vaddr_t end = addr + n;

	if (!known_advice(advice) || !IS_ALIGNED(addr, PAGE_SIZE) || n < length || end < addr)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (end > USER_END)
		return -ENOMEM;
	switch (advice) {
	case MADV_DONTNEED:
		return madvise_dontneed(mm, addr, end);
	case MADV_DONTFORK:
		return madvise_flags(mm, addr, end, VM_DONTCOPY, 0);
	case MADV_DOFORK:
		return madvise_flags(mm, addr, end, 0, VM_DONTCOPY);
	case MADV_POPULATE_READ:
		return madvise_populate(mm, addr, end, FAULT_READ);
	case MADV_POPULATE_WRITE:
		return madvise_populate(mm, addr, end, FAULT_WRITE);
	default:
		return madvise_covered(mm, addr, end); /* hints that change nothing that can be seen */
	}
}
