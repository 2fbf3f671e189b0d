/*
 * nonlinear.c - remap_file_pages(2): one vma whose entries each carry their own file offset and protection.
 *
 * Layer 6 (mm/space).  Interface: mm.h.  Subject: thread 0.
 * Lock order: mm->lock, invalidate_lock (read), maps.lock (write), PTL.
 *
 *   1. check      everything that can be refused, in the order of R0.3; nothing was changed yet
 *   2. flags      VM_NONLINEAR / VM_MANYPROTS need mm->lock for writing, only the first time; then downgrade
 *   3. prepare    tables, index nodes, references on the pages that are cached: all that may fail
 *   4. exchange   one leaf table at a time: empty the old entries, flush, set the new ones: cannot fail
 *   5. populate   what was not cached, with faults, unless MAP_NONBLOCK
 *
 * A page that is cached is mapped at once; otherwise the entry becomes a *file entry*: not present, but
 * holding offset and grants, so that the mapping outlives its page.
 */
#include "kernel/lib/mutation.h"
#include "kernel/lib/trace.h"
#include "mm/space/nonlinear.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* What one call asks for, after rounding. */
struct remap {
	struct mm *mm;
	vaddr_t start, end;
	pgoff_t pgoff;
	unsigned prot;
	bool chgprot, nonblock;
	struct vma *first;     /* that holds start; found by the check, as is */
	unsigned common_flags; /* ... what all vmas of the range have */
};

/* -- 1. check ----------------------------------------------------------------------------------------------- */

static int check_numbers(struct remap *r, vaddr_t start, size_t size, unsigned long prot, pgoff_t pgoff, unsigned flags)
{
	pgoff_t pages;

	r->chgprot = flags & MAP_CHGPROT;
	r->nonblock = flags & MAP_NONBLOCK;
	if ((prot && !r->chgprot) || (prot & ~(unsigned long)PROT_MASK))
		return -EINVAL;
	r->start = ALIGN_DOWN(start, PAGE_SIZE);
	size = ALIGN_DOWN(size, PAGE_SIZE);
	r->end = r->start + size;
	if (r->end <= r->start)
		return -EINVAL;
	pages = size >> PAGE_SHIFT;
	if (pgoff + pages < pgoff)
		return -EINVAL;
	if ((u64)pgoff + pages - (MUTATION(15) ? 0 : 1) > PTE_FILE_PGOFF_MAX) /* M15: `>=` */
		return -EOVERFLOW;
	r->pgoff = pgoff;
	r->prot = (unsigned)prot;
	return 0;
}

/* The range must lie in adjacent shared vmas of one file. Finds r->first. => mm->lock held */
static int check_vmas(struct remap *r)
{
	struct vma *vma = r->first = vma_find(r->mm, r->start);
	vaddr_t covered = r->start;
	unsigned denied = 0;

	r->common_flags = ~0u;
	for (; covered < r->end; vma = vma_next(vma)) {
		if (!vma || vma->start > covered || !(vma->flags & VM_SHARED) || vma->object != r->first->object)
			return -EINVAL;
		denied |= r->prot & ~(vma->flags >> 4) & VM_ACCESS;
		r->common_flags &= vma->flags;
		covered = vma->end;
		if (covered >= r->end)
			break;
	}
	return denied ? -EPERM : 0;
}

/* The vmas of a checked range: the tree is not asked again. */
static struct vma *range_next(const struct remap *r, struct vma *vma)
{
	return vma->end < r->end ? vma_next(vma) : NULL;
}

#define for_each_vma_of(vma, r) for ((vma) = (r)->first; (vma); (vma) = range_next(r, vma))

/* -- 2. flags ------------------------------------------------------------------------------------------------- */

static unsigned wanted_flags(const struct remap *r)
{
	return VM_NONLINEAR | (r->chgprot ? VM_MANYPROTS : 0);
}

static int set_vma_flags(const struct remap *r, struct vma *vma)
{
	struct object_maps *maps = &vma->object->maps;
	struct nonlinear_index *idx = NULL;

	if (!vma->link.nonlinear) {
		idx = nonlinear_index_get(maps, &r->mm->pt);
		if (IS_ERR(idx))
			return (int)PTR_ERR(idx);
	}
	rwsem_write_lock(&maps->lock);
	if (idx) {
		vma->link.nonlinear = idx;
		idx->locked += vma->link.flags & RMAP_LOCKED ? 1 : 0;
	}
	if (r->chgprot)
		vma->link.flags |= RMAP_KEEP_GRANTS;
	rwsem_write_unlock(&maps->lock);
	vma->flags |= wanted_flags(r);
	return 0;
}

/* => mm->lock held for writing. Setting a flag and then failing is harmless: no entry differs yet. */
static int set_flags(const struct remap *r)
{
	struct vma *vma;
	int err = 0;

	for_each_vma_of(vma, r) {
		err = set_vma_flags(r, vma);
		if (err)
			break;
	}
	return err;
}

/* -- 3., 4. prepare and exchange: nonlinear_exchange.c -------------------------------------------------------------- */

/* => mm->lock held; returns how many entries were left without a page, or -ENOMEM */
static long remap_range(const struct remap *r)
{
	struct vma *vma;
	long absent = 0;

	for_each_vma_of(vma, r) {
		vaddr_t end = min(r->end, vma->end);
		unsigned grant = r->chgprot ? prot_to_grant(r->prot) : vma_grant(vma);

		for (vaddr_t va = max(r->start, vma->start); va < end;) {
			pgoff_t pgoff = r->pgoff + ((va - r->start) >> PAGE_SHIFT);
			struct exchange_result done = nonlinear_exchange(vma, va, end, pgoff, grant);

			if (!done.nr)
				return -ENOMEM;
			absent += done.absent;
			va += done.nr * PAGE_SIZE;
		}
	}
	return absent;
}

/* Check and flags; on success mm->lock is held for reading. */
static int remap_begin(struct remap *r)
{
	int err;

	rwsem_read_lock(&r->mm->lock);
	err = check_vmas(r);
	if (!err && !(wanted_flags(r) & ~r->common_flags))
		return 0;
	rwsem_read_unlock(&r->mm->lock);
	if (err)
		return err;
	err = rwsem_write_lock_killable(&r->mm->lock);
	if (err)
		return err;
	err = check_vmas(r);
	if (!err)
		err = set_flags(r);
	if (err)
		rwsem_write_unlock(&r->mm->lock);
	else
		rwsem_downgrade(&r->mm->lock);
	return err;
}

int mm_remap_file_pages(struct mm *mm, vaddr_t start, size_t size, unsigned long prot, pgoff_t pgoff, unsigned flags)
{
	struct remap r;
	int err = check_numbers(&r, start, size, prot, pgoff, flags);
	long absent;

	if (err)
		return err;
	r.mm = mm;
	err = remap_begin(&r);
	if (err)
		return err;
	TRACE(TRACE_REMAP, &mm->pt, start, pgoff, size, prot);
	absent = remap_range(&r);
	rwsem_read_unlock(&mm->lock);
	if (absent < 0)
		return (int)absent;
	if (absent && !r.nonblock)
		mm_populate_quietly(mm, r.start, r.end);
	return 0;
}
