/*
 * munmap.c - ranges go away.
 *
 * Layer 6 (mm/space).  Interfaces: mm.h, space.h.  Lock order: mm->lock (write), maps.lock, PTL.
 *
 * Order: split at the boundaries (the only step that can fail), empty the entries, unlink the vmas, free
 * the tables nothing lies in any more, flush and free, close the files.
 */
#include "mm/space/mm.h"

#include "kernel/lib/assert.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

void vma_zap(struct vma *vma, vaddr_t start, vaddr_t end, enum zap_mode mode, struct mmu_gather *g)
{
	struct zap z = {.gather = g,
	                .va = vma->start,
	                .pgoff = vma->pgoff,
	                .mode = mode,
	                .maps = vma->object ? &vma->object->maps : NULL,
	                .index = vma->link.nonlinear,
	                .keep_grants = vma->flags & VM_MANYPROTS};

	if (z.index)
		rwsem_write_lock(&z.maps->lock);
	zap_range(&z, start, end);
	/* The flush comes before the lock that lets truncate and mkclean look at these entries again. */
	if (z.index) {
		mmu_gather_flush(g);
		rwsem_write_unlock(&z.maps->lock);
	}
}

/* Take the vmas of [start, end) out of the tree; returns them as a chain through their tree nodes. */
static struct vma *detach_range(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *chain = NULL, *vma;

	while ((vma = vma_find(mm, start)) && vma->start < end) {
		vma_detach(vma);
		vma->rb.left = (struct rb_node *)chain;
		chain = vma;
	}
	return chain;
}

static void free_chain(struct vma *chain)
{
	while (chain) {
		struct vma *next = (struct vma *)chain->rb.left;

		vma_free(chain);
		chain = next;
	}
}

/* Nothing is mapped between these two any more. */
static vaddr_t floor_of(struct mm *mm, vaddr_t start)
{
	struct vma *above = vma_find(mm, start);
	struct rb_node *rb = above ? rb_prev(&above->rb) : rb_last(&mm->vmas);

	return rb ? rb_entry(rb, struct vma, rb)->end : 0;
}

static vaddr_t ceiling_of(struct mm *mm, vaddr_t end)
{
	struct vma *above = vma_find(mm, end);

	return above ? above->start : ALIGN_UP((vaddr_t)USER_END, pt_span(1)); /* which may lie inside a table's span */
}

/* The tables of [start, end), where the vmas of @chain were and nothing is now. Those of each vma go first: what is
 * between the vmas need not be searched then. */
static void free_tables(struct mm *mm, vaddr_t start, vaddr_t end, const struct vma *chain, struct mmu_gather *g)
{
	vaddr_t floor = floor_of(mm, start), ceiling = ceiling_of(mm, end);

	if (chain->rb.left)
		for (const struct vma *vma = chain; vma; vma = (const struct vma *)vma->rb.left)
			pt_free_tables_part(&mm->pt, g, vma->start, vma->end, floor, ceiling);
	pt_free_tables(&mm->pt, g, start, end, floor, ceiling);
}

int munmap_locked(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct list events;
	int err;

	ASSERT(rwsem_write_held(&mm->lock));
	list_init(&events);
	err = vma_split_at(mm, start);
	if (!err)
		err = vma_split_at(mm, end);
	if (!err)
		err = uffd_prepare_unmap(mm, start, end, &events);
	if (err) {
		vma_merge_range(mm, start, end);
		return err;
	}
	munmap_commit(mm, start, end);
	uffd_events_add(mm, &events);
	return 0;
}

void munmap_emptied(struct mm *mm, vaddr_t start, vaddr_t end, struct mmu_gather *g)
{
	struct vma *chain = detach_range(mm, start, end);

	free_tables(mm, start, end, chain, g);
	mmu_gather_finish(g);
	free_chain(chain);
}

void munmap_commit(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma = vma_find(mm, start);
	struct mmu_gather g;

	if (!vma || vma->start >= end)
		return;
	mmu_gather_begin(&g, &mm->pt, start, end, MMU_UNMAP);
	for (; vma && vma->start < end; vma = vma_next(vma))
		vma_zap(vma, vma->start, vma->end, ZAP_UNMAP, &g);
	munmap_emptied(mm, start, end, &g);
}

int mm_munmap(struct mm *mm, vaddr_t addr, size_t length)
{
	int err;

	if (!IS_ALIGNED(addr, PAGE_SIZE) || length == 0 || user_range_check(addr, &length, -EINVAL))
		return -EINVAL;
	err = rwsem_write_lock_killable(&mm->lock);
	if (err)
		return err;
	err = munmap_locked(mm, addr, addr + length);
	mm_unlock_changed(mm);
	return err;
}
