/*
 * madvise.c - madvise(2).
 *
 * Layer 7 (mm/service).  Interface: mm.h.
 */
#include "kernel/lib/err.h"
#include "kernel/sync/hooks.h"
#include "mm/object/pagecache.h"
#include "mm/object/readahead.h"
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

/* The next part of a file that the range shows, at or after *@addr, its file referenced; NULL at the end.  Of a nonlinear
 * vma the linear offsets say nothing: left out. => *@addr moves beyond the vma */
static struct file *next_file_part(struct mm *mm, vaddr_t *addr, vaddr_t end, struct vm_object **obj, pgoff_t *first,
                                   pgoff_t *last)
{
	struct file *file = NULL;
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	for_each_vma_in(vma, mm, *addr, end) {
		vaddr_t start = max(*addr, vma->start);

		*addr = vma->end;
		if (!vma->file || (vma->flags & VM_NONLINEAR))
			continue;
		*obj = vma->object;
		*first = vma_pgoff(vma, start);
		*last = vma_pgoff(vma, min(end, vma->end) - 1);
		file = vma->file;
		mm_file_ops->get(file);
		break;
	}
	rwsem_read_unlock(&mm->lock);
	return file;
}

static int madvise_willneed(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = madvise_covered(mm, start, end);
	struct vm_object *obj;
	pgoff_t first, last;
	struct file *file;

	while (start < end && (file = next_file_part(mm, &start, end, &obj, &first, &last))) {
		readahead_range(obj, first, last);
		mm_file_ops->put(file);
	}
	return err;
}

/* The page of a file that is mapped at @va, or that its file entry stands for, its file referenced; NULL: none, or it is
 * locked. */
static struct file *file_page_at(struct mm *mm, vaddr_t va, struct vm_object **obj, pgoff_t *pgoff)
{
	struct file *file = NULL;
	struct pt_slot slot;
	struct vma *vma;
	pte_t pte;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (vma && vma->start <= va && vma->file && !(vma->flags & VM_LOCKED) && (slot = pt_lock(&mm->pt, va)).hw) {
		pte = hw_pte_get(slot.hw);
		if (pte_is_file(pte) || (pte_has_page(pte) && !page_test(pfn_to_page(pte_pfn(pte)), PG_ANON))) {
			*pgoff = pte_is_file(pte) ? pte_file_pgoff(pte) : pfn_to_page(pte_pfn(pte))->index;
			*obj = vma->object;
			file = vma->file;
			mm_file_ops->get(file);
		}
		pt_unlock(slot);
	}
	rwsem_read_unlock(&mm->lock);
	return file;
}

/* File pages: written, taken out of every address space, let go of if they can be read again. */
static int madvise_pageout(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = madvise_covered(mm, start, end);
	struct vm_object *obj;
	struct file *file;
	pgoff_t pgoff;

	for (; start < end && !sync_fatal_pending(); start += PAGE_SIZE) {
		file = file_page_at(mm, start, &obj, &pgoff);
		if (!file)
			continue;
		object_unmap(obj, pgoff, pgoff);
		if (obj->tracks_dirty && !object_writeback(obj, pgoff, pgoff, true))
			pagecache_shed(obj, pgoff, pgoff);
		mm_file_ops->put(file);
	}
	return err;
}

static bool known_advice(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || advice == MADV_DONTFORK || advice == MADV_DOFORK ||
	       advice == MADV_PAGEOUT || advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
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
	case MADV_NORMAL:
		return madvise_flags(mm, addr, end, 0, VM_SEQ_READ | VM_RAND_READ);
	case MADV_SEQUENTIAL:
		return madvise_flags(mm, addr, end, VM_SEQ_READ, VM_RAND_READ);
	case MADV_RANDOM:
		return madvise_flags(mm, addr, end, VM_RAND_READ, VM_SEQ_READ);
	case MADV_WILLNEED:
		return madvise_willneed(mm, addr, end);
	case MADV_DONTFORK:
		return madvise_flags(mm, addr, end, VM_DONTCOPY, 0);
	case MADV_DOFORK:
		return madvise_flags(mm, addr, end, 0, VM_DONTCOPY);
	case MADV_PAGEOUT:
		return madvise_pageout(mm, addr, end);
	case MADV_POPULATE_READ:
		return madvise_populate(mm, addr, end, FAULT_READ);
	case MADV_POPULATE_WRITE:
		return madvise_populate(mm, addr, end, FAULT_WRITE);
	default:
		return -EINVAL;
	}
}
