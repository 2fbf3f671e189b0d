/*
 * nonlinear_vector.c - single pages of one window, many at a time: what an emulator does at each switch of its guest's
 * address space.
 *
 * Layer 6 (mm/space).  Interface: nonlinear.h.
 * Lock order: mm->lock (caller), invalidate_lock (read), maps.lock (write), pages_lock or PTL.
 *
 * The steps and their reasons are those of nonlinear_exchange.c.  Here all entries lie in one vma that has its flags, and
 * each is one page: what is to be known of the vma is known once, and so little is left for each entry that it is counted
 * in instructions (make bench).
 */
#include "kernel/lib/syncpoint.h"
#include "mm/phys/slab.h"
#include "mm/pgtable/notifier.h"
#include "mm/space/nonlinear.h"
#include "mm/space/nonlinear_entry.h"
#include "mm/space/space.h"

#define FEW 32

struct slot {
	struct pt_slot at;
	struct page *page; /* what it will show, with a reference or NULL; then what it showed */
};

struct window {
	struct vma *vma;
	const struct remap_entry *entries;
	unsigned nr;
	struct slot *slots;
	long absent; /* entries left without a page */
};

/* Is everything as simple as said above, and allowed? */
static bool all_simple(const struct window *w)
{
	const struct vma *vma = w->vma;
	vaddr_t start = vma->start, size = vma->end - start;
	unsigned refused = ~(vma->flags >> 4 & VM_ACCESS);

	for (const struct remap_entry *e = w->entries; e < w->entries + w->nr; e++)
		if (e->addr - start >= size || (e->addr & ~PAGE_MASK) || e->length != PAGE_SIZE || (e->prot & refused) ||
		    e->flags || e->pgoff > PTE_FILE_PGOFF_MAX || (pgoff_t)(e->pgoff + 1) == 0)
			return false;
	return true;
}

static __attribute__((noinline)) bool find_tables(struct window *w)
{
	struct pgtable *pt = &w->vma->mm->pt;
	const struct remap_entry *e = w->entries;
	struct pt_slot near = {NULL, NULL};
	vaddr_t near_va = 0;

	for (struct slot *s = w->slots, *end = s + w->nr; s < end; s++, e++) {
		vaddr_t va = (vaddr_t)e->addr;

		near = pt_find_near(pt, va, near, near_va);
		if (unlikely(!near.hw))
			return false;
		near_va = va;
		s->at = near;
	}
	return true;
}

/* => invalidate_lock held for reading */
static __attribute__((noinline)) void find_pages(struct window *w)
{
	struct vm_object *obj = w->vma->object;
	const struct remap_entry *e = w->entries;
	pgoff_t size = object_size_pages(obj);
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);

	for (struct slot *s = w->slots, *end = s + w->nr; s < end; s++, e++) {
		s->page = pagecache_find_uptodate(obj, (pgoff_t)e->pgoff, size);
		if (unlikely(!s->page))
			w->absent++;
	}
	spin_unlock_irqrestore(&obj->pages_lock, flags);
}

/* Returns whether a TLB may remember any of the old entries. => maps.lock held for writing, with as many spare nodes as
 * entries */
static __attribute__((noinline)) bool exchange(const struct window *w)
{
	struct vma *vma = w->vma;
	struct nonlinear_index *idx = vma->link.nonlinear;
	const struct remap_entry *e = w->entries;
	struct pt_slot locked = {NULL, NULL};
	bool stale = false;

	for (struct slot *s = w->slots, *end = s + w->nr; s < end; s++, e++) {
		vaddr_t va = (vaddr_t)e->addr;
		struct was old;

		if (s->at.table != locked.table) {
			if (locked.table)
				pt_unlock(locked);
			locked = s->at;
			pt_lock_found(locked);
		}
		old = exchange_entry(vma, idx, s->at.hw, va, vma_pgoff(vma, va), (pgoff_t)e->pgoff, prot_to_grant(e->prot),
		                     s->page);
		s->page = old.page;
		stale |= pte_accessible(old.pte);
	}
	pt_unlock(locked);
	return stale;
}

/* Of many entries, the whole window: no machine forgets that many one by one. */
static void flush(const struct window *w)
{
	vaddr_t first = w->vma->start, last = w->vma->end - PAGE_SIZE;

	if (w->nr <= FEW) {
		first = last = (vaddr_t)w->entries->addr;
		for (unsigned i = 1; i < w->nr; i++) {
			first = min(first, (vaddr_t)w->entries[i].addr);
			last = max(last, (vaddr_t)w->entries[i].addr);
		}
	}
	SYNC_POINT("clear-before-flush");
	if (!MUTATION(1))
		pgtable_flush_range(&w->vma->mm->pt, first, last + PAGE_SIZE);
}

static __attribute__((noinline)) void release(const struct window *w)
{
	long displaced = 0, now = (long)w->nr - w->absent;

	SYNC_POINT("flush-before-free");
	for (const struct slot *s = w->slots, *end = s + w->nr; s < end; s++) {
		if (!s->page)
			continue;
		page_put(s->page);
		displaced++;
	}
	if (now != displaced)
		pgtable_account(&w->vma->mm->pt, now - displaced);
}

/* False: there are not enough nodes. */
static bool try_window(struct window *w)
{
	struct vm_object *obj = w->vma->object;
	struct mmu_range range;
	bool enough;

	mmu_notify_start(&range, &w->vma->mm->pt, w->vma->start, w->vma->end, MMU_CLEAR);
	rwsem_read_lock(&obj->invalidate_lock);
	rwsem_write_lock(&obj->maps.lock);
	enough = w->vma->link.nonlinear->nr_spare >= w->nr;
	if (enough) {
		find_pages(w);
		if (exchange(w))
			flush(w);
		pgtable_settle(&w->vma->mm->pt);
	}
	rwsem_write_unlock(&obj->maps.lock);
	rwsem_read_unlock(&obj->invalidate_lock);
	mmu_notify_end(&range);
	if (enough)
		release(w);
	return enough;
}

bool nonlinear_exchange_window(struct vma *vma, const struct remap_entry *entries, unsigned nr, long *absent)
{
	struct window w = {.vma = vma, .entries = entries, .nr = nr};
	bool done = false;

	if (!all_simple(&w))
		return false;
	w.slots = kmalloc(nr * sizeof(*w.slots), GFP_KERNEL | GFP_NOWARN);
	if (!w.slots)
		return false;
	if (find_tables(&w))
		while (!(done = try_window(&w)))
			if (nonlinear_index_stock(vma->link.nonlinear, nr))
				break;
	kfree(w.slots);
	*absent = w.absent;
	return done;
}
