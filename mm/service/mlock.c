/*
 * mlock.c - mlock(2), munlock(2): pages that stay.
 *
 * Layer 7 (mm/service).  Interface: mm.h.  Nothing is reclaimed yet, so a lock means: mapped now, and the
 * vma says so (it is then refused by MADV_DONTNEED and msync(MS_INVALIDATE), as in Linux).
 */
#include "kernel/lib/err.h"
#include "mm/space/mm.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

static int set_locked(struct mm *mm, vaddr_t start, vaddr_t end, bool lock)
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
			vma_set_flags(vma, lock ? vma->flags | VM_LOCKED : vma->flags & ~(unsigned)VM_LOCKED);
	vma_merge_range(mm, start, end);
	return err;
}

int mm_mlock(struct mm *mm, vaddr_t addr, size_t length, bool lock)
{
	vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
	size_t n = ALIGN_UP(length + (addr - start), PAGE_SIZE);
	int err;

	if (length == 0)
		return 0;
	if (n < length)
		return -EINVAL;
	if (start > USER_END || n > USER_END - start)
		return -ENOMEM;
	err = rwsem_write_lock_killable(&mm->lock);
	if (err)
		return err;
	err = set_locked(mm, start, start + n, lock);
	rwsem_write_unlock(&mm->lock);
	if (!err && lock)
		mm_populate_quietly(mm, start, start + n);
	return err;
}

int mm_mlockall(struct mm *mm, bool lock)
{
	struct vma *vma;

	if (rwsem_write_lock_killable(&mm->lock))
		return -EINTR;
	for_each_vma_in(vma, mm, 0, USER_END)
		vma_set_flags(vma, lock ? vma->flags | VM_LOCKED : vma->flags & ~(unsigned)VM_LOCKED);
	vma_merge_range(mm, 0, USER_END);
	rwsem_write_unlock(&mm->lock);
	if (lock)
		mm_populate_mapped(mm);
	return 0;
}
