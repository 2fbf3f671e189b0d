/*
 * uffd_register.c - which ranges a userfaultfd context answers for.
 *
 * Layer 7 (mm/service).  Interface: uffd.h.  Lock order: mm->lock (write), PTL.
 */
#include "mm/service/uffd.h"

#include "kernel/lib/err.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

#define LOWEST 0x10000u /* mmap_min_addr */

int uffd_range_check(u64 start, u64 len)
{
	if (start % PAGE_SIZE || len % PAGE_SIZE || !len)
		return -EINVAL;
	return start < LOWEST || start >= USER_END || len > USER_END - start ? -EINVAL : 0;
}

static unsigned mode_flags(unsigned mode)
{
	return (mode & UFFDX_REGISTER_MISSING ? VM_UFFD_MISSING : 0u) | (mode & UFFDX_REGISTER_WP ? VM_UFFD_WP : 0u) |
	       (mode & UFFDX_REGISTER_MINOR ? VM_UFFD_MINOR : 0u);
}

/* Memory without a file, or with one that is nowhere but in memory. */
static bool in_memory(const struct vma *vma)
{
	return !vma->object || !vma->object->tracks_dirty;
}

/* Can the vma's faults be answered in these modes? */
static bool fit(const struct uffd *u, const struct vma *vma, unsigned flags)
{
	if ((flags & VM_UFFD_MINOR) && (!vma->object || !in_memory(vma)))
		return false;
	if (!PTE_FILE_UFFD_WP && (flags & VM_UFFD_WP) && (vma->flags & (VM_NONLINEAR | VM_MANYPROTS)))
		return false; /* its entries could not keep the bit */
	return in_memory(vma) || (flags == VM_UFFD_WP && uffd_wants(u, UFFDX_WP_ASYNC));
}

static int check_vma(const struct uffd *u, const struct vma *vma, unsigned flags)
{
	if (!fit(u, vma, flags))
		return -EINVAL;
	if (!(vma->flags & VM_MAYWRITE))
		return -EPERM;
	return vma->uffd && vma->uffd != u ? -EBUSY : 0;
}

/* Every vma of the range, of which there is at least one: 0 or an error. */
static int check_range(const struct uffd *u, struct mm *mm, vaddr_t start, vaddr_t end, unsigned flags)
{
	int err = -EINVAL;
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end) {
		err = check_vma(u, vma, flags);
		if (err)
			break;
	}
	return err;
}

/* The boundaries: 0 or -ENOMEM. */
static int split(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = vma_split_at(mm, start);

	return err ? err : vma_split_at(mm, end);
}

static int register_locked(struct uffd *u, struct mm *mm, vaddr_t start, vaddr_t end, unsigned flags)
{
	int err = check_range(u, mm, start, end, flags);
	struct vma *vma;

	if (!err)
		err = split(mm, start, end);
	if (!err)
		for_each_vma_in(vma, mm, start, end)
			if (vma->uffd != u || (flags & ~vma->flags)) /* who asks for less keeps what there is */
				uffd_vma_set(vma, u, flags);
	vma_merge_range(mm, start, end);
	return err;
}

int uffd_register(struct uffd *u, vaddr_t start, size_t len, unsigned mode)
{
	struct mm *mm = uffd_mm_get(u);
	int err;

	if (!mm)
		return -ENOMEM;
	rwsem_write_lock(&mm->lock);
	err = register_locked(u, mm, start, start + len, mode_flags(mode));
	rwsem_write_unlock(&mm->lock);
	mm_put(mm);
	return err;
}

static int check_unregister(const struct uffd *u, struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = -EINVAL;
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end) {
		err = fit(u, vma, vma->flags & VM_UFFD) && (!vma->uffd || vma->uffd == u) ? 0 : -EINVAL;
		if (err)
			break;
	}
	return err;
}

static int unregister_locked(struct uffd *u, struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = check_unregister(u, mm, start, end);
	struct vma *vma;

	if (!err)
		err = split(mm, start, end);
	if (!err)
		for_each_vma_in(vma, mm, start, end)
			if (vma->uffd)
				uffd_vma_set(vma, NULL, 0);
	vma_merge_range(mm, start, end);
	return err;
}

int uffd_unregister(struct uffd *u, vaddr_t start, size_t len)
{
	struct mm *mm = uffd_mm_get(u);
	int err;

	if (!mm)
		return -ENOMEM;
	rwsem_write_lock(&mm->lock);
	err = unregister_locked(u, mm, start, start + len);
	rwsem_write_unlock(&mm->lock);
	mm_put(mm);
	if (!err)
		uffd_wake(u, start, start + len); /* nobody will answer them */
	return err;
}
