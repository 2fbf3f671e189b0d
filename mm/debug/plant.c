/*
 * plant.c - violations made on purpose, one at a time, so that a test can prove that the auditor sees them.
 *
 * Layer 8 (mm/debug).  Interface: debug.h.  Lock order: plant_lock, mm->lock (read), maps.lock, PTL.
 * The address space is kept until the violation is undone.
 */
#include "kernel/lib/err.h"
#include "kernel/sync/mutex.h"
#include "mm/debug/debug.h"
#include "mm/space/vma.h"

#define PLANT_PGOFF 0x12345UL /* offset of the planted node */

static struct plant {
	const void *owner;
	u64 what;
	struct page *page;
	struct mm *mm;
	struct vm_object *object;
	struct nonlinear_index *index;
	vaddr_t va; /* of the planted node */
} plant;
static struct mutex plant_lock = MUTEX_INIT(plant_lock, LOCK_NONE);

static void count(unsigned long *counter, long n)
{
	__atomic_fetch_add(counter, (unsigned long)n, __ATOMIC_RELAXED);
}

static struct page *page_at(struct mm *mm, vaddr_t va)
{
	struct pt_slot slot = pt_lock(&mm->pt, va);
	struct page *page = NULL;

	if (slot.hw) {
		pte_t pte = hw_pte_get(slot.hw);

		if (pte_has_page(pte) && !pte_special(pte))
			page = pfn_to_page(pte_pfn(pte));
		pt_unlock(slot);
	}
	return page;
}

static int plant_page(u64 what, struct page *page)
{
	if (!page)
		return -EINVAL;
	plant.page = page;
	switch (what) {
	case MM_PLANT_REF:
		page_get(page);
		return 0;
	case MM_PLANT_MAPCOUNT:
		__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
		return 0;
	case MM_PLANT_DIRTY:
		page_clear(page, PG_DIRTY);
		return 0;
	default:
		page_set(page, PG_ANON_EXCLUSIVE);
		return 0;
	}
}

static int plant_leak(void)
{
	plant.page = page_alloc(0, GFP_USER);
	if (!plant.page)
		return -ENOMEM;
	plant.page->flags |= BIT(PG_ANON);
	return 0;
}

static int plant_node(struct vma *vma, vaddr_t va)
{
	struct nonlinear_index *idx = vma ? vma->link.nonlinear : NULL;

	if (!idx)
		return -EINVAL;
	rwsem_write_lock(&idx->maps->lock);
	while (!idx->nr_spare) {
		rwsem_write_unlock(&idx->maps->lock);
		if (nonlinear_index_stock(idx, 1))
			return -ENOMEM;
		rwsem_write_lock(&idx->maps->lock);
	}
	nonlinear_index_add(idx, PLANT_PGOFF, va);
	rwsem_write_unlock(&idx->maps->lock);
	plant.va = va;
	plant.index = idx;
	return 0;
}

static int plant_object(struct vma *vma)
{
	if (!vma || !vma->object)
		return -EINVAL;
	plant.object = vma->object;
	count(&plant.object->nr_pages, 1);
	return 0;
}

/* => mm->lock for reading, plant_lock */
static int plant_locked(struct mm *mm, u64 what, vaddr_t va)
{
	struct vma *vma = vma_find(mm, va);

	if (vma && vma->start > va)
		vma = NULL;
	switch (what) {
	case MM_PLANT_RSS:
		pgtable_account(&mm->pt, 1);
		return 0;
	case MM_PLANT_TABLES:
		count(&mm->pt.nr_tables, 1);
		return 0;
	case MM_PLANT_LEAK:
		return plant_leak();
	case MM_PLANT_NODE:
		return plant_node(vma, va);
	case MM_PLANT_NRPAGES:
		return plant_object(vma);
	default:
		return plant_page(what, page_at(mm, va));
	}
}

static void undo_page(void)
{
	switch (plant.what) {
	case MM_PLANT_REF:
		page_put(plant.page);
		break;
	case MM_PLANT_LEAK:
		page_put(plant.page);
		break;
	case MM_PLANT_MAPCOUNT:
		__atomic_fetch_sub(&plant.page->mapcount, 1, __ATOMIC_SEQ_CST);
		break;
	case MM_PLANT_DIRTY:
		page_set(plant.page, PG_DIRTY);
		break;
	default:
		page_clear(plant.page, PG_ANON_EXCLUSIVE);
	}
}

/* => plant_lock */
static void undo(void)
{
	if (plant.page)
		undo_page();
	if (plant.what == MM_PLANT_RSS)
		pgtable_account(&plant.mm->pt, -1);
	if (plant.what == MM_PLANT_TABLES)
		count(&plant.mm->pt.nr_tables, -1);
	if (plant.object)
		count(&plant.object->nr_pages, -1);
	if (plant.index) {
		rwsem_write_lock(&plant.index->maps->lock);
		nonlinear_node_free(nonlinear_index_del(plant.index, PLANT_PGOFF, plant.va));
		rwsem_write_unlock(&plant.index->maps->lock);
	}
	if (plant.mm)
		mm_put(plant.mm);
	plant = (struct plant){0};
}

int plant_set(const void *owner, struct mm *mm, const struct mm_plant *arg)
{
	int err = 0;

	if (arg->what > MM_PLANT_NRPAGES || arg->addr >= USER_END)
		return -EINVAL;
	mutex_lock(&plant_lock);
	undo();
	if (arg->what) {
		rwsem_read_lock(&mm->lock);
		err = plant_locked(mm, arg->what, ALIGN_DOWN((vaddr_t)arg->addr, PAGE_SIZE));
		rwsem_read_unlock(&mm->lock);
		if (err) {
			plant = (struct plant){0};
		} else {
			mm_get(mm);
			plant.mm = mm;
			plant.owner = owner;
			plant.what = arg->what;
		}
	}
	mutex_unlock(&plant_lock);
	return err;
}

void plant_undo(const void *owner)
{
	mutex_lock(&plant_lock);
	if (plant.owner == owner)
		undo();
	mutex_unlock(&plant_lock);
}
