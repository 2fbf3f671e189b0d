/*
 * msync.c - msync(2): what was stored through shared mappings reaches the file.
 *
 * Layer 7 (mm/service).  Interface: mm.h.
 */
#include "kernel/lib/err.h"
#include "mm/object/object.h"
#include "mm/space/mm.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* What one vma of the range asks to be written. */
struct sync_job {
	struct file *file; /* referenced */
	pgoff_t first, last;
};

static struct sync_job job_for(struct vma *vma, vaddr_t start, vaddr_t end)
{
	struct sync_job job = {.file = vma->file, .first = 0, .last = ~0UL};

	/* In a nonlinear vma an address range says nothing about file offsets: the whole file is synced. */
	if (!(vma->flags & VM_NONLINEAR)) {
		job.first = vma_pgoff(vma, max(start, vma->start));
		job.last = vma_pgoff(vma, min(end, vma->end) - 1);
	}
	mm_file_ops->get(job.file);
	return job;
}

/* The next piece of work at or after *@addr; *@hole is set when an unmapped page was skipped. Returns false at
 * the end. => mm->lock held; *@addr moves beyond the vma */
static bool next_job(struct mm *mm, vaddr_t *addr, vaddr_t end, bool *hole, struct sync_job *job)
{
	struct vma *vma;

	for_each_vma_in(vma, mm, *addr, end) {
		vaddr_t start = *addr;

		if (vma->start > start)
			*hole = true;
		*addr = vma->end;
		if ((vma->flags & VM_SHARED) && vma->file) {
			*job = job_for(vma, start, end);
			return true;
		}
		if (vma->end >= end)
			return false;
	}
	if (*addr < end)
		*hole = true;
	return false;
}

static int check_locked_vmas(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end)
		if (vma->flags & VM_LOCKED)
			return -EBUSY;
	return 0;
}

static int sync_range(struct mm *mm, vaddr_t start, vaddr_t end, int flags)
{
	bool hole = false, more;
	int err = 0;

	if (flags == MS_ASYNC) { /* the flusher will do it: only the range is judged */
		rwsem_read_lock(&mm->lock);
		hole = !vma_covers(mm, start, end);
		rwsem_read_unlock(&mm->lock);
		return hole ? -ENOMEM : 0;
	}
	while (start < end && !err) {
		struct sync_job job;

		rwsem_read_lock(&mm->lock);
		more = next_job(mm, &start, end, &hole, &job);
		rwsem_read_unlock(&mm->lock);
		if (!more)
			break;
		if (flags & MS_SYNC)
			err = mm_file_ops->fsync(job.file, job.first, job.last);
		mm_file_ops->put(job.file);
	}
	return err ? err : hole ? -ENOMEM : 0;
}

int mm_msync(struct mm *mm, vaddr_t addr, size_t length, int flags)
{
	size_t n = ALIGN_UP(length, PAGE_SIZE);
	int err = 0;

	if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if (!IS_ALIGNED(addr, PAGE_SIZE) || (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (addr + n < addr)
		return -ENOMEM;
	if (n == 0)
		return 0;
	if (flags & MS_INVALIDATE) {
		rwsem_read_lock(&mm->lock);
		err = check_locked_vmas(mm, addr, addr + n);
		rwsem_read_unlock(&mm->lock);
	}
	return err ? err : sync_range(mm, addr, addr + n, flags);
}
