/*
 * madvise.c - madvise(2).
 *
 * Layer 7 (mm/service).  Interface: mm.h.
 */
#include "kernel/lib/err.h"
#include "mm/object/readahead.h"
#include "mm/service/pageout.h"
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
	mmu_gather_begin(&g, &mm->pt, start, end, MMU_CLEAR);
	for_each_vma_in(vma, mm, start, end)
		vma_zap(vma, max(start, vma->start), min(end, vma->end), ZAP_DROP, &g);
	mmu_gather_finish(&g);
	return 0;
}

/* Nobody is told of what is going to be refused. */
static int may_drop(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma;
	int err = 0;

	if (likely(list_empty(&mm->uffds)))
		return 0;
	rwsem_read_lock(&mm->lock);
	for_each_vma_in(vma, mm, start, end)
		if (vma->flags & VM_LOCKED)
			err = -EINVAL;
	rwsem_read_unlock(&mm->lock);
	return err;
}

static int madvise_dontneed(struct mm *mm, vaddr_t start, vaddr_t end)
{
	bool covered;
	int err = may_drop(mm, start, end);

	if (!err)
		err = uffd_tell_remove(mm, start, end);
	if (err)
		return err;
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

/* Do @what to each vma's part of the range.  Refused, with nothing done, for vmas with a flag of @without, and if @anon for
 * all but private anonymous memory. */
static int madvise_each(struct mm *mm, vaddr_t start, vaddr_t end, unsigned without, bool anon,
                        void (*what)(struct vma *vma, vaddr_t start, vaddr_t end))
{
	struct vma *vma;
	bool covered;
	int err = 0;

	rwsem_read_lock(&mm->lock);
	covered = vma_covers(mm, start, end);
	for_each_vma_in(vma, mm, start, end)
		if (vma->flags & without || (anon && vma->object))
			err = -EINVAL;
	if (!err)
		for_each_vma_in(vma, mm, start, end)
			what(vma, max(start, vma->start), min(end, vma->end));
	rwsem_read_unlock(&mm->lock);
	return err ? err : covered ? 0 : -ENOMEM;
}

static void nothing(struct vma *vma, vaddr_t start, vaddr_t end)
{
}

/* Who answers the range's faults may have to hear of it first; but not of what is refused. */
static int madvise_free(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = list_empty(&mm->uffds) ? 0 : madvise_each(mm, start, end, VM_LOCKED, true, nothing);

	if (err != -EINVAL && !list_empty(&mm->uffds))
		err = uffd_tell_remove(mm, start, end);
	return err ? err : madvise_each(mm, start, end, VM_LOCKED, true, vma_free_lazily);
}

static int madvise_pageout(struct mm *mm, vaddr_t start, vaddr_t end)
{
	int err = madvise_each(mm, start, end, VM_LOCKED, false, nothing);

	if (err != -EINVAL)
		mm_page_out(mm, start, end);
	return err;
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
	int err = madvise_each(mm, start, end, 0, false, vma_prefetch);
	struct vm_object *obj;
	pgoff_t first, last;
	struct file *file;

	while (start < end && (file = next_file_part(mm, &start, end, &obj, &first, &last))) {
		readahead_range(obj, first, last);
		mm_file_ops->put(file);
	}
	return err;
}

static bool known_advice(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || advice == MADV_DONTFORK || advice == MADV_DOFORK ||
	       advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE || advice == MADV_FREE ||
	       advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_HUGEPAGE || advice == MADV_NOHUGEPAGE ||
	       advice == MADV_COLLAPSE;
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
	case MADV_HUGEPAGE:
		return madvise_flags(mm, addr, end, VM_HUGEPAGE, VM_NOHUGEPAGE);
	case MADV_NOHUGEPAGE:
		return madvise_flags(mm, addr, end, VM_NOHUGEPAGE, VM_HUGEPAGE);
	case MADV_COLLAPSE:
		return mm_collapse(mm, addr, end);
	case MADV_FREE:
		return madvise_free(mm, addr, end);
	case MADV_COLD:
		return madvise_each(mm, addr, end, VM_LOCKED, false, vma_cool);
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
