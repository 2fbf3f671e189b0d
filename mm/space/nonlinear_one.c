/*
 * nonlinear_one.c - one entry comes to show another page: what emulators do all day.
 *
 * Layer 6 (mm/space).  Interface: nonlinear.h.
 * Lock order: mm->lock (caller), invalidate_lock (read), maps.lock (write), PTL.
 *
 * The steps and their reasons are those of nonlinear_exchange.c; straight on, because each costs (make bench).
 */
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/notifier.h"
#include "mm/space/nonlinear.h"
#include "mm/space/nonlinear_entry.h"
#include "mm/space/space.h"

struct one {
	struct vma *vma;
	vaddr_t va;
	pgoff_t pgoff, linear;
	unsigned grant;
	struct pt_slot at;
};

/* Does the entry come to be off position, and no node is at hand? => maps.lock and the PTL held */
static inline bool lacks_node(const struct one *o)
{
	const struct nonlinear_index *idx = o->vma->link.nonlinear;
	struct was w;

	if (likely(idx->spare) || o->pgoff == o->linear)
		return false;
	w = was(hw_pte_get(o->at.hw));
	return stood_for(&w, idx, o->va, o->linear) == o->linear;
}

/* The old translation goes before maps.lock does. False: a node is missing, nothing was done. */
static inline bool exchange_and_flush(const struct one *o, struct page *page, struct was *w)
{
	struct rwsem *lock = &o->vma->object->maps.lock;
	bool done;

	rwsem_write_lock(lock);
	pt_lock_found(o->at);
	done = likely(!lacks_node(o));
	if (done)
		*w = exchange_entry(o->vma, o->vma->link.nonlinear, o->at.hw, o->va, o->linear, o->pgoff, o->grant, page);
	pt_unlock(o->at);
	if (done && likely(w->page) && pte_accessible(w->pte)) {
		SYNC_POINT("clear-before-flush");
		if (!MUTATION(1))
			pgtable_flush_page(&o->vma->mm->pt, o->va);
	} else {
		pgtable_settle(&o->vma->mm->pt);
	}
	rwsem_write_unlock(lock);
	return done;
}

static inline void release(struct pgtable *pt, struct page *displaced, const struct page *page)
{
	SYNC_POINT("flush-before-free");
	if (likely(displaced))
		page_put(displaced);
	if (unlikely(!displaced != !page))
		pgtable_account(pt, page ? 1 : -1);
}

/* Whether a page is absent now; or -EAGAIN: a node is missing. */
static inline long try_one(const struct one *o)
{
	struct vm_object *obj = o->vma->object;
	struct mmu_range range;
	struct page *page;
	struct was w;
	bool done;

	mmu_notify_start(&range, &o->vma->mm->pt, o->va, o->va + PAGE_SIZE, MMU_CLEAR);
	rwsem_read_lock(&obj->invalidate_lock);
	page = pagecache_find_mappable(obj, o->pgoff);
	done = exchange_and_flush(o, page, &w);
	rwsem_read_unlock(&obj->invalidate_lock);
	mmu_notify_end(&range);
	if (likely(done)) {
		release(&o->vma->mm->pt, w.page, page);
		return !page;
	}
	if (page)
		page_put(page);
	return -EAGAIN;
}

long nonlinear_exchange_one(struct vma *vma, vaddr_t va, pgoff_t pgoff, unsigned grant)
{
	struct one o = {.vma = vma, .va = va, .pgoff = pgoff, .linear = vma_pgoff(vma, va), .grant = grant};
	struct pgtable *pt = &vma->mm->pt;
	long absent;

	o.at = pt_find(pt, va);
	if (unlikely(!o.at.hw)) {
		if (pt_populate(pt, va, va + PAGE_SIZE))
			return -ENOMEM;
		o.at = pt_find(pt, va);
	}
	while (unlikely((absent = try_one(&o)) == -EAGAIN))
		if (nonlinear_index_stock(vma->link.nonlinear, 1))
			return -ENOMEM;
	return absent;
}
