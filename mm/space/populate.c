/*
 * populate.c - map pages before they are touched: MAP_POPULATE, remap_file_pages, MADV_POPULATE_*.
 *
 * Layer 6 (mm/space).  Interface: space.h.  The lock is taken anew for every page, so that other threads'
 * faults and even layout changes go on meanwhile.
 */
#include "kernel/sync/hooks.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

static enum fault_result try_page(struct mm *mm, vaddr_t va, enum fault_access access, bool as_promised,
                                  struct fault_io *io)
{
	enum fault_result result = FAULT_MAPERR;
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (vma && vma->start <= va) {
		if (as_promised && vma->flags & VM_LOCKONFAULT)
			result = FAULT_OK; /* what is not there yet comes when it is touched */
		if (as_promised)
			access = !vma->object && (vma->flags & VM_WRITE) ? FAULT_WRITE : FAULT_READ;
		if (result != FAULT_OK)
			result = vma_fault(vma, va, access, false, io);
	}
	rwsem_read_unlock(&mm->lock);
	return result;
}

/* One page; -EFAULT when no vma is there any more. */
static int populate_page(struct mm *mm, vaddr_t va, enum fault_access access, bool as_promised)
{
	enum fault_result result;
	struct fault_io io;

	for (;;) {
		if (sync_fatal_pending())
			return -EINTR;
		result = try_page(mm, va, access, as_promised, &io);
		if (result == FAULT_RETRY)
			result = fault_wait(&io);
		else
			return fault_errno(result);
		if (result != FAULT_OK)
			return fault_errno(result);
	}
}

int mm_populate(struct mm *mm, vaddr_t start, vaddr_t end, enum fault_access access)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		int err = populate_page(mm, va, access, false);

		if (err)
			return err;
	}
	return 0;
}

int mm_populate_promised(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = 0;

	for (vaddr_t va = start; va < end && !err; va += PAGE_SIZE)
		err = populate_page(mm, va, FAULT_READ, true);
	return err;
}

void mm_populate_quietly(struct mm *mm, vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = start; va < end; va += PAGE_SIZE) {
		int err = populate_page(mm, va, FAULT_READ, true);

		if (err == -EINTR || err == -ENOMEM)
			return;
	}
}

void mm_populate_locked(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma;

	while (start < end) {
		vaddr_t stop = end;
		bool locked = false;

		rwsem_read_lock(&mm->lock);
		vma = vma_find(mm, start);
		if (vma) {
			locked = (vma->flags & (VM_LOCKED | VM_SHARED)) == VM_LOCKED;
			stop = min(end, vma->end);
		}
		rwsem_read_unlock(&mm->lock);
		if (locked)
			mm_populate_quietly(mm, start, stop);
		start = stop;
	}
}

void mm_populate_mapped(struct mm *mm)
{
	vaddr_t start, end = 0;

	do {
		struct vma *vma;

		rwsem_read_lock(&mm->lock);
		vma = vma_find(mm, end);
		start = vma ? vma->start : 0;
		end = vma ? vma->end : 0;
		rwsem_read_unlock(&mm->lock);
		mm_populate_quietly(mm, start, end);
	} while (end);
}
