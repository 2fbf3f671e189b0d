/*
 * vma.c - one range of an address space: making it, linking it, splitting it, merging it.
 *
 * Layer 6 (mm/space).  Interfaces: mm.h, vma.h.  Lock order: mm->lock, then maps.lock.
 *
 * A split or merge replaces reverse links under one hold of maps.lock, so that no rmap walk can slip
 * between the old link and the new ones and miss an entry.
 */
#include "mm/space/vma.h"

#include "kernel/lib/string.h"
#include "mm/pgtable/huge.h"
#include "mm/phys/slab.h"
#include "mm/space/uffd.h"

static struct slab_cache vma_cache;

void vma_init_subsystem(void)
{
	slab_cache_init(&vma_cache, "vma", sizeof(struct vma));
}

struct vma *vma_alloc(struct mm *mm, vaddr_t start, vaddr_t end, unsigned flags)
{
	struct vma *vma = slab_alloc(&vma_cache, GFP_KERNEL | GFP_ZERO);

	ASSERT(IS_ALIGNED(start, PAGE_SIZE) && IS_ALIGNED(end, PAGE_SIZE) && start < end);
	if (!vma)
		return NULL;
	vma->mm = mm;
	vma->start = start;
	vma->end = end;
	vma->flags = flags;
	vma->pgoff = start >> PAGE_SHIFT;
	anon_range_init(&vma->anon);
	return vma;
}

void vma_set_object(struct vma *vma, struct vm_object *object, struct file *file, pgoff_t pgoff)
{
	vma->object = object;
	vma->file = file;
	vma->pgoff = pgoff;
	if (file)
		mm_file_ops->get(file);
}

void vma_free(struct vma *vma)
{
	if (vma->link.nonlinear)
		nonlinear_index_put(vma->link.nonlinear);
	if (vma->file)
		mm_file_ops->put(vma->file);
	anon_range_release(&vma->anon);
	if (unlikely(vma->uffd))
		uffd_put(vma->uffd);
	slab_free(&vma_cache, vma);
}

/* -- tree ------------------------------------------------------------------------------------------------ */

static struct vma *tree_find(struct mm *mm, vaddr_t addr)
{
	struct rb_node *rb = mm->vmas.node;
	struct vma *best = NULL;

	while (rb) {
		struct vma *vma = rb_entry(rb, struct vma, rb);

		if (vma->end <= addr) {
			rb = rb->right;
		} else {
			best = vma;
			if (vma->start <= addr)
				break;
			rb = rb->left;
		}
	}
	return best;
}

struct vma *vma_find_in_tree(struct mm *mm, vaddr_t addr)
{
	struct vma *vma = tree_find(mm, addr);

	WRITE_ONCE(mm->recent, vma);
	return vma;
}

struct vma *vma_first(struct mm *mm)
{
	struct rb_node *rb = rb_first(&mm->vmas);

	return rb ? rb_entry(rb, struct vma, rb) : NULL;
}

struct vma *vma_next(struct vma *vma)
{
	struct rb_node *rb = rb_next(&vma->rb);

	return rb ? rb_entry(rb, struct vma, rb) : NULL;
}

static void tree_insert(struct mm *mm, struct vma *vma)
{
	struct rb_node **link = &mm->vmas.node, *parent = NULL;

	while (*link) {
		struct vma *other = rb_entry(*link, struct vma, rb);

		ASSERT(vma->end <= other->start || vma->start >= other->end);
		parent = *link;
		link = vma->start < other->start ? &parent->left : &parent->right;
	}
	rb_link_node(&vma->rb, parent, link);
	rb_insert_color(&vma->rb, &mm->vmas);
	mm->nr_vmas++;
}

bool vma_covers(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma = vma_find(mm, start);

	while (vma && vma->start <= start) {
		if (vma->end >= end)
			return true;
		start = vma->end;
		vma = vma_next(vma);
	}
	return false;
}

/* -- reverse links ------------------------------------------------------------------------------------------ */

/* Describe the vma as it is now. => not in the object's tree */
static void link_describe(struct vma *vma)
{
	struct rmap_link *link = &vma->link;

	link->node.first = vma->pgoff;
	link->node.last = vma->pgoff + ((vma->end - vma->start) >> PAGE_SHIFT) - 1;
	link->pt = &vma->mm->pt;
	link->va = vma->start;
	link->flags = (vma->flags & VM_SHARED ? RMAP_SHARED : 0) | (vma->flags & VM_MANYPROTS ? RMAP_KEEP_GRANTS : 0) |
	              (vma->flags & VM_LOCKED ? RMAP_LOCKED : 0);
}

static void maps_lock(struct vma *vma)
{
	if (vma->object)
		rwsem_write_lock(&vma->object->maps.lock);
	anon_range_lock(&vma->anon);
}

static void maps_unlock(struct vma *vma)
{
	anon_range_unlock(&vma->anon);
	if (vma->object)
		rwsem_write_unlock(&vma->object->maps.lock);
}

static void link_insert(struct vma *vma)
{
	link_describe(vma);
	anon_range_insert(&vma->anon, &vma->link);
	if (!vma->object)
		return;
	rmap_link_insert_locked(&vma->object->maps, &vma->link);
	if (vma->link.nonlinear && (vma->link.flags & RMAP_LOCKED))
		vma->link.nonlinear->locked++;
}

static void link_remove(struct vma *vma)
{
	anon_range_remove(&vma->anon);
	if (!vma->object)
		return;
	rmap_link_remove_locked(&vma->object->maps, &vma->link);
	if (vma->link.nonlinear && (vma->link.flags & RMAP_LOCKED))
		vma->link.nonlinear->locked--;
}

void vma_attach(struct vma *vma)
{
	ASSERT(rwsem_write_held(&vma->mm->lock));
	maps_lock(vma);
	link_insert(vma);
	maps_unlock(vma);
	tree_insert(vma->mm, vma);
	vma->mm->total_pages += vma_pages(vma);
	if (vma->flags & VM_LOCKED)
		vma->mm->locked_pages += vma_pages(vma);
}

void vma_detach(struct vma *vma)
{
	maps_lock(vma);
	link_remove(vma);
	maps_unlock(vma);
	rb_erase(&vma->rb, &vma->mm->vmas);
	vma->mm->recent = NULL;
	vma->mm->nr_vmas--;
	vma->mm->total_pages -= vma_pages(vma);
	if (vma->flags & VM_LOCKED)
		vma->mm->locked_pages -= vma_pages(vma);
}

void vma_set_flags(struct vma *vma, unsigned flags)
{
	maps_lock(vma);
	link_remove(vma);
	if (vma->flags & VM_LOCKED)
		vma->mm->locked_pages -= vma_pages(vma);
	vma->flags = flags;
	if (vma->flags & VM_LOCKED)
		vma->mm->locked_pages += vma_pages(vma);
	link_insert(vma);
	maps_unlock(vma);
}

/* -- anonymous families ------------------------------------------------------------------------------------------ */

/* Could the two become one, if their protections were equal? */
static bool akin(const struct vma *low, const struct vma *high)
{
	return low && high && low->end == high->start && !((low->flags ^ high->flags) & ~(unsigned)VM_ACCESS) &&
	       low->object == high->object && low->file == high->file && vma_pgoff(low, high->start) == high->pgoff;
}

static struct vma *prev_vma(struct vma *vma)
{
	struct rb_node *rb = rb_prev(&vma->rb);

	return rb ? rb_entry(rb, struct vma, rb) : NULL;
}

/* Whose family the vma should share, so that mprotect(2) there and back leaves one vma; NULL: nobody's. */
static struct anon_range *kin_of(struct vma *vma)
{
	struct vma *prev = prev_vma(vma), *next = vma_next(vma);

	if (akin(prev, vma) && prev->anon.own)
		return &prev->anon;
	return akin(vma, next) && next->anon.own ? &next->anon : NULL;
}

int vma_anon_prepare(struct vma *vma)
{
	int err;

	if (likely(__atomic_load_n(&vma->anon.own, __ATOMIC_ACQUIRE)))
		return 0;
	ASSERT(vma_private(vma));
	mutex_lock(&vma->mm->anon_first);
	err = anon_range_prepare(&vma->anon, kin_of(vma), &vma->link);
	mutex_unlock(&vma->mm->anon_first);
	return err;
}

/* -- split and merge ------------------------------------------------------------------------------------------ */

int vma_split_at(struct mm *mm, vaddr_t addr)
{
	struct vma *low = vma_find(mm, addr), *high;

	if (!low || low->start >= addr)
		return 0;
	if (mm->nr_vmas >= READ_ONCE(vm_max_map_count))
		return -ENOMEM;
	high = vma_alloc(mm, addr, low->end, low->flags);
	if (!high)
		return -ENOMEM;
	if (anon_range_clone(&high->anon, &low->anon)) {
		vma_free(high);
		return -ENOMEM;
	}
	high->name = low->name;
	uffd_vma_inherit(high, low);
	vma_set_object(high, low->object, low->file, vma_pgoff(low, addr));
	if (low->link.nonlinear) {
		high->link.nonlinear = low->link.nonlinear;
		nonlinear_index_ref(high->link.nonlinear);
	}
	if (!IS_ALIGNED(addr, PT_HUGE_SIZE))
		pt_split_huge(&mm->pt, addr); /* a huge entry lies in one vma */
	maps_lock(low);
	link_remove(low);
	low->end = addr;
	link_insert(low);
	link_insert(high);
	maps_unlock(low);
	tree_insert(mm, high);
	return 0;
}

static bool mergeable(const struct vma *low, const struct vma *high)
{
	return low->end == high->start && low->flags == high->flags && low->object == high->object &&
	       low->file == high->file && low->link.nonlinear == high->link.nonlinear && low->name == high->name &&
	       low->uffd == high->uffd && vma_pgoff(low, high->start) == high->pgoff &&
	       anon_range_mergeable(&low->anon, &high->anon);
}

/* @low swallows @high. */
static void merge(struct vma *low, struct vma *high)
{
	struct vma *lockable = anon_range_empty(&low->anon) ? high : low; /* if neither is empty it is one lock */
	struct mm *mm = low->mm;

	maps_lock(lockable);
	link_remove(low);
	link_remove(high);
	rb_erase(&high->rb, &mm->vmas);
	mm->recent = NULL;
	mm->nr_vmas--;
	low->end = high->end;
	anon_range_merge(&low->anon, &high->anon);
	link_insert(low);
	maps_unlock(low);
	vma_free(high);
}

void vma_merge_range(struct mm *mm, vaddr_t start, vaddr_t end)
{
	struct vma *vma = vma_find(mm, start ? start - 1 : 0), *next;

	while (vma && vma->start <= end) {
		next = vma_next(vma);
		if (next && mergeable(vma, next))
			merge(vma, next);
		else
			vma = next;
	}
}

/* -- holes ------------------------------------------------------------------------------------------------------ */

#define USER_LOWEST 0x10000ul /* mmap_min_addr */

static vaddr_t gap_below(struct mm *mm, vaddr_t top, size_t length)
{
	struct vma *vma = vma_find(mm, top);
	struct rb_node *rb = vma ? &vma->rb : rb_last(&mm->vmas);

	if (vma && vma->start < top)
		top = vma->start;
	for (; rb; rb = rb_prev(rb)) {
		vma = rb_entry(rb, struct vma, rb);
		if (vma->end <= top && top - vma->end >= length)
			return top - length;
		top = min(top, vma->start);
	}
	return top >= USER_LOWEST + length ? top - length : 0;
}

static vaddr_t gap_above(struct mm *mm, vaddr_t bottom, size_t length)
{
	for (struct vma *vma = vma_find(mm, bottom); vma; vma = vma_next(vma)) {
		if (vma->start > bottom && vma->start - bottom >= length)
			return bottom;
		bottom = max(bottom, vma->end);
	}
	return USER_END - bottom >= length && bottom < USER_END ? bottom : 0;
}

vaddr_t vma_find_gap(struct mm *mm, size_t length)
{
	vaddr_t addr = gap_below(mm, USER_MMAP_BASE, length);

	return addr ? addr : gap_above(mm, USER_MMAP_BASE, length);
}
