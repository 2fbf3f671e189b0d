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

/*
 * All advice goes along the range vma by vma, as Linux does: the first that it does not fit ends it, with what came before
 * done; of holes the caller is told in the end.
 */
static bool fits(const struct vma *vma, unsigned without, bool anon)
{
	return !(vma->flags & without) && !(anon && vma->object);
}

/* Drop the pages; nonlinear entries keep their offsets and grants (R0.8). => mm->lock held for reading */
static int drop_pages(struct mm *mm, vaddr_t start, vaddr_t end, unsigned without)
{
	struct mmu_gather g;
	struct vma *vma;
	int err = 0;

	mmu_gather_begin(&g, &mm->pt, start, end, MMU_CLEAR);
	for_each_vma_in(vma, mm, start, end) {
		if (!fits(vma, without, false)) {
			err = -EINVAL;
			break;
		}
		vma_zap(vma, max(start, vma->start), min(end, vma->end), ZAP_DROP, &g);
	}
	mmu_gather_finish(&g);
	return err;
}

/* Where the first vma with a flag of @without begins, or @end. => mm->lock held */
static vaddr_t first_unfit(struct mm *mm, vaddr_t start, vaddr_t end, unsigned without)
{
	struct vma *vma;

	for_each_vma_in(vma, mm, start, end)
		if (vma->flags & without)
			return max(start, vma->start);
	return end;
}

/* Who answers faults is told first, but not of what is going to be refused. */
static int tell_dropped(struct mm *mm, vaddr_t start, vaddr_t end, unsigned without)
{
	vaddr_t stop;

	if (likely(list_empty(&mm->uffds)))
		return 0;
	rwsem_read_lock(&mm->lock);
	stop = first_unfit(mm, start, end, without);
	rwsem_read_unlock(&mm->lock);
	return start < stop ? uffd_tell_remove(mm, start, stop) : 0;
}

static int madvise_dontneed(struct mm *mm, vaddr_t start, vaddr_t end, unsigned without)
{
	int err = tell_dropped(mm, start, end, without);
	bool covered;

	if (err)
		return err;
	rwsem_read_lock(&mm->lock);
	covered = vma_covers(mm, start, end);
	err = drop_pages(mm, start, end, without);
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

/* Do @what to each vma's part of the range.  It does not fit vmas with a flag of @without, and if @anon only private
 * anonymous memory. */
static int madvise_each(struct mm *mm, vaddr_t start, vaddr_t end, unsigned without, bool anon,
                        void (*what)(struct vma *vma, vaddr_t start, vaddr_t end))
{
	struct vma *vma;
	bool covered;
	int err = 0;

	rwsem_read_lock(&mm->lock);
	covered = vma_covers(mm, start, end);
	for_each_vma_in(vma, mm, start, end) {
		if (!fits(vma, without, anon)) {
			err = -EINVAL;
			break;
		}
		what(vma, max(start, vma->start), min(end, vma->end));
	}
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
	vaddr_t stop;
	bool covered;

	rwsem_read_lock(&mm->lock);
	covered = vma_covers(mm, start, end);
	stop = first_unfit(mm, start, end, VM_LOCKED);
	rwsem_read_unlock(&mm->lock);
	mm_page_out(mm, start, stop);
	return stop < end ? -EINVAL : covered ? 0 : -ENOMEM;
}

/* Where the vma at @addr ends; -ENOMEM: there is none, -EINVAL: it does not allow @access. */
static int populate_part(struct mm *mm, vaddr_t addr, enum fault_access access, vaddr_t *end)
{
	unsigned needs = access == FAULT_WRITE ? VM_WRITE : VM_ACCESS;
	struct vma *vma;
	int err = 0;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, addr);
	if (!vma || vma->start > addr)
		err = -ENOMEM;
	else if (!(vma->flags & (needs | VM_MANYPROTS)))
		err = -EINVAL;
	else
		*end = min(*end, vma->end);
	rwsem_read_unlock(&mm->lock);
	return err;
}

static int madvise_populate(struct mm *mm, vaddr_t start, vaddr_t end, enum fault_access access)
{
	int err = 0;

	while (start < end && !err) {
		vaddr_t stop = end;

		err = populate_part(mm, start, access, &stop);
		if (!err)
			err = mm_populate(mm, start, stop, access);
		start = stop;
	}
	return err;
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
	struct file *file = NULL;

	while (start < end && (file = next_file_part(mm, &start, end, &obj, &first, &last))) {
		readahead_range(obj, first, last);
		mm_file_ops->put(file);
	}
	return err;
}

/* What @vma shows of its file from @addr on goes; *@addr moves behind it.  An error, or 1 at the end of the range. */
static int remove_part(struct mm *mm, vaddr_t *addr, vaddr_t end, struct file **file, pgoff_t *first, pgoff_t *last)
{
	struct vma *vma = vma_find(mm, *addr);

	if (!vma || vma->start >= end)
		return 1;
	if (vma->flags & (VM_LOCKED | VM_NONLINEAR) || !vma->file || !mm_file_ops->punch)
		return -EINVAL;
	if ((vma->flags & (VM_SHARED | VM_MAYWRITE)) != (VM_SHARED | VM_MAYWRITE))
		return -EACCES;
	*first = vma_pgoff(vma, max(*addr, vma->start));
	*last = vma_pgoff(vma, min(end, vma->end) - 1);
	*file = vma->file;
	mm_file_ops->get(*file);
	*addr = vma->end;
	return 0;
}

static int madvise_remove(struct mm *mm, vaddr_t start, vaddr_t end)
{
	pgoff_t first = 0, last = 0;
	struct file *file = NULL;
	bool covered;
	int err;

	rwsem_read_lock(&mm->lock);
	covered = vma_covers(mm, start, end);
	rwsem_read_unlock(&mm->lock);
	do {
		vaddr_t from = start;

		rwsem_read_lock(&mm->lock);
		err = start < end ? remove_part(mm, &start, end, &file, &first, &last) : 1;
		rwsem_read_unlock(&mm->lock);
		if (err)
			break;
		err = uffd_tell_remove(mm, from, min(start, end));
		if (!err)
			err = mm_file_ops->punch(file, first, last);
		mm_file_ops->put(file);
	} while (!err);
	return err < 0 ? err : covered ? 0 : -ENOMEM;
}

static bool known_advice(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) || (advice >= MADV_FREE && advice <= MADV_DOFORK) ||
	       (advice >= MADV_HUGEPAGE && advice <= MADV_DODUMP) || (advice >= MADV_COLD && advice <= MADV_COLLAPSE);
}

/* => a range of user addresses, not empty; advice that is known */
static int advise(struct mm *mm, vaddr_t addr, vaddr_t end, int advice)
{
	switch (advice) {
	case MADV_DONTNEED:
		return madvise_dontneed(mm, addr, end, VM_LOCKED);
	case MADV_DONTNEED_LOCKED:
		return madvise_dontneed(mm, addr, end, 0);
	case MADV_REMOVE:
		return madvise_remove(mm, addr, end);
	case MADV_DONTDUMP: /* nobody dumps */
	case MADV_DODUMP:
		return madvise_each(mm, addr, end, 0, false, nothing);
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

int mm_madvise(struct mm *mm, vaddr_t addr, size_t length, int advice)
{
	size_t n = ALIGN_UP(length, PAGE_SIZE);
	vaddr_t end = addr + n;
	int err = 0;

	if (!known_advice(advice) || !IS_ALIGNED(addr, PAGE_SIZE) || n < length || end < addr)
		return -EINVAL;
	if (n == 0)
		return 0;
	if (addr < USER_END)
		err = advise(mm, addr, min(end, (vaddr_t)USER_END), advice);
	return err ? err : end > USER_END ? -ENOMEM : 0;
}
