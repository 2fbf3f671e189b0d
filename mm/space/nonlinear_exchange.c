/*
 * nonlinear_exchange.c - put other pages, with other protections, behind a run of entries.
 *
 * Layer 6 (mm/space).  Interface: nonlinear.h.
 * Lock order: mm->lock (caller), invalidate_lock (read), maps.lock (write), PTL.
 *
 *   prepare    the table, index nodes, a reference on each page that is cached: may fail
 *   exchange   under maps.lock and the PTL: empty every entry, flush, set every entry: cannot fail
 *   release    the pages that were mapped before, and what was prepared for nothing
 *
 * An entry that was off position brings its own node, so a window in use needs no memory at all: the exchange is
 * tried with what is there, and again with the nodes that it found missing.  invalidate_lock keeps the pages that were
 * found in the file until their entries are set.
 */
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/pagecache.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/space/nonlinear.h"

#define BATCH 16

/* One entry on its way. */
struct slot {
	struct page *page;      /* what it will show: cached and uptodate, referenced; or NULL */
	struct page *displaced; /* what it showed, with the reference it held */
};

struct batch {
	struct vma *vma;
	vaddr_t va;
	unsigned nr;
	unsigned grant;
	pgoff_t pgoff, linear;        /* what the first entry will show, and what it would show by position */
	bool off_position;            /* the new entries will be; they all are or none is */
	struct nonlinear_node *nodes; /* at hand, chained through their rb.left */
	unsigned nr_nodes;
	unsigned nr_displaced;
	struct pt_slot entries; /* the first entry, and the table */
	struct slot slots[BATCH];
};

/* -- nodes -------------------------------------------------------------------------------------------------------- */

static inline void push_node(struct batch *b, struct nonlinear_node *node)
{
	node->rb.left = (struct rb_node *)b->nodes;
	b->nodes = node;
	b->nr_nodes++;
}

static inline struct nonlinear_node *pop_node(struct batch *b)
{
	struct nonlinear_node *node = b->nodes;

	b->nodes = (struct nonlinear_node *)node->rb.left;
	b->nr_nodes--;
	return node;
}

/* Does the entry stand off its linear position, so that it has a node? */
static inline bool brings_node(pte_t pte, pgoff_t linear)
{
	if (pte_has_page(pte))
		return pfn_to_page(pte_pfn(pte))->index != linear;
	return pte_is_file(pte) && pte_file_pgoff(pte) != linear;
}

/* How many nodes are missing? => PTL held */
static inline unsigned nodes_missing(const struct batch *b)
{
	struct hw_pte *hw = b->entries.hw;
	unsigned have = b->nr_nodes;

	if (!b->off_position || have >= b->nr)
		return 0;
	for (unsigned i = 0; i < b->nr; i++, hw = hw_pte_next(hw))
		have += brings_node(hw_pte_get(hw), b->linear + i);
	return have < b->nr ? b->nr - have : 0;
}

/* -- prepare ------------------------------------------------------------------------------------------------------ */

static bool prepare_table(struct batch *b)
{
	struct pgtable *pt = &b->vma->mm->pt;

	b->entries = pt_find(pt, b->va);
	if (likely(b->entries.hw))
		return true;
	if (pt_populate(pt, b->va, b->va + PAGE_SIZE))
		return false;
	b->entries = pt_find(pt, b->va);
	return true;
}

static bool prepare_nodes(struct batch *b, unsigned missing)
{
	nonlinear_index_grow(b->vma->link.nonlinear);
	for (; missing; missing--) {
		struct nonlinear_node *node = nonlinear_node_alloc();

		if (!node)
			return false;
		push_node(b, node);
	}
	return true;
}

/* Returns how many pages are not there. => invalidate_lock held for reading */
static unsigned prepare_pages(struct batch *b)
{
	struct vm_object *obj = b->vma->object;
	pgoff_t size = object_size_pages(obj);
	unsigned absent = 0;

	for (unsigned i = 0; i < b->nr; i++) {
		struct page *page = b->pgoff + i < size ? pagecache_find(obj, b->pgoff + i) : NULL;

		if (page && unlikely(!page_test(page, PG_UPTODATE))) {
			page_put(page);
			page = NULL;
		}
		b->slots[i].page = page;
		absent += !page;
	}
	return absent;
}

/* -- exchange: maps.lock for writing and the PTL held ------------------------------------------------------------------ */

static inline void forget_offset(struct batch *b, unsigned i, pgoff_t pgoff)
{
	if (pgoff != b->linear + i)
		push_node(b, nonlinear_index_del(b->vma->link.nonlinear, pgoff, b->va + i * PAGE_SIZE));
}

/* Empty one entry; its page goes to *@displaced. Returns true if hardware may have cached its translation. */
static inline bool empty_entry(struct batch *b, struct hw_pte *hw, unsigned i, struct page **displaced)
{
	pte_t pte = hw_pte_get(hw);
	struct page *page;

	if (unlikely(!pte_has_page(pte))) {
		*displaced = NULL;
		if (pte_is_none(pte))
			return false;
		hw_pte_set(hw, pte_none());
		forget_offset(b, i, pte_file_pgoff(pte));
		return false;
	}
	pte = hw_pte_get_and_clear(hw);
	page = *displaced = pfn_to_page(pte_pfn(pte));
	TRACE(TRACE_CLEAR, &b->vma->mm->pt, b->va + i * PAGE_SIZE, page_to_pfn(page), pte_trace(pte), 0);
	if (pte_dirty(pte))
		pagecache_dirty_from_pte(page);
	forget_offset(b, i, page->index);
	__atomic_fetch_sub(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	b->nr_displaced++;
	return pte_accessible(pte);
}

static inline pte_t page_entry(const struct batch *b, struct page *page)
{
	pte_t pte = pte_mk_page(page_to_pfn(page), b->grant);

	return (b->grant & GRANT_W) && !vma_notifies_writes(b->vma) ? pte_mkwrite(pte) : pte;
}

/* The reference on a cached page, and the node, pass to the entry. */
static inline void set_entry(struct batch *b, const struct slot *s, struct hw_pte *hw, vaddr_t va, pgoff_t pgoff)
{
	if (likely(s->page)) {
		__atomic_fetch_add(&s->page->mapcount, 1, __ATOMIC_SEQ_CST);
		hw_pte_set(hw, page_entry(b, s->page));
		TRACE(TRACE_SET, &b->vma->mm->pt, va, page_to_pfn(s->page), 0, pte_trace(page_entry(b, s->page)));
	} else if (b->off_position || (b->vma->flags & VM_MANYPROTS)) {
		hw_pte_set(hw, pte_mk_file(pgoff, b->grant & ~(MUTATION(14) ? GRANT_X : 0u))); /* M14: drop X */
	}
	if (b->off_position)
		nonlinear_index_add(b->vma->link.nonlinear, pop_node(b), pgoff, va);
}

/* The old translations are forgotten everywhere. */
static void flush(const struct batch *b)
{
	struct pgtable *pt = &b->vma->mm->pt;

	if (b->nr == 1)
		pgtable_flush_page(pt, b->va);
	else
		pgtable_flush_range(pt, b->va, b->va + b->nr * PAGE_SIZE);
}

static void exchange_locked(struct batch *b)
{
	struct hw_pte *hw = b->entries.hw;
	bool was_accessible = false;
	unsigned i;

	if (MUTATION(1)) { /* M1: flush before clear */
		flush(b);
		SYNC_POINT("clear-before-flush");
	}
	for (i = 0; i < b->nr; i++, hw = hw_pte_next(hw))
		was_accessible |= empty_entry(b, hw, i, &b->slots[i].displaced);
	if (was_accessible && !MUTATION(1)) {
		SYNC_POINT("clear-before-flush");
		flush(b);
	}
	for (i = 0, hw = b->entries.hw; i < b->nr; i++, hw = hw_pte_next(hw))
		set_entry(b, &b->slots[i], hw, b->va + i * PAGE_SIZE, b->pgoff + i);
}

static unsigned exchange_announced(struct batch *b)
{
	struct object_maps *maps = &b->vma->object->maps;
	unsigned missing;

	rwsem_write_lock(&maps->lock);
	pt_lock_found(b->entries);
	missing = nodes_missing(b);
	if (likely(!missing))
		exchange_locked(b);
	pt_unlock(b->entries);
	rwsem_write_unlock(&maps->lock);
	return missing;
}

static __attribute__((noinline)) unsigned announce_and_exchange(struct batch *b)
{
	struct mmu_range range;
	unsigned missing;

	mmu_notify_start(&range, &b->vma->mm->pt, b->va, b->va + b->nr * PAGE_SIZE, MMU_CLEAR);
	missing = exchange_announced(b);
	mmu_notify_end(&range);
	return missing;
}

/* Returns how many nodes are missing: if any are, nothing was done. */
static unsigned exchange(struct batch *b)
{
	if (unlikely(READ_ONCE(b->vma->mm->pt.notifiers)))
		return announce_and_exchange(b);
	return exchange_announced(b);
}

/* False: no memory, nothing was done. */
static bool prepare_and_exchange(struct batch *b)
{
	unsigned missing;

	if (!prepare_table(b))
		return false;
	while (unlikely(missing = exchange(b)))
		if (!prepare_nodes(b, missing))
			return false;
	return true;
}

/* -- release --------------------------------------------------------------------------------------------------------- */

static void release_displaced(struct batch *b)
{
	for (unsigned i = 0; i < b->nr; i++)
		if (b->slots[i].displaced)
			page_put(b->slots[i].displaced);
}

static void release_pages(struct batch *b)
{
	for (unsigned i = 0; i < b->nr; i++)
		if (b->slots[i].page)
			page_put(b->slots[i].page);
}

static void release_nodes(struct batch *b)
{
	while (b->nr_nodes)
		nonlinear_node_free(pop_node(b));
}

struct exchange_result nonlinear_exchange(struct vma *vma, vaddr_t va, vaddr_t end, pgoff_t pgoff, unsigned grant)
{
	struct rwsem *invalidate = &vma->object->invalidate_lock;
	vaddr_t limit = min(end, (va & ~(pt_span(1) - 1)) + pt_span(1));
	struct exchange_result none = {0, 0};
	unsigned absent;
	struct batch b;
	bool done;

	b.vma = vma;
	b.va = va;
	b.nr = (unsigned)min((limit - va) >> PAGE_SHIFT, (vaddr_t)BATCH);
	b.grant = grant;
	b.pgoff = pgoff;
	b.linear = vma_pgoff(vma, va);
	b.off_position = pgoff != b.linear;
	b.nodes = NULL;
	b.nr_nodes = b.nr_displaced = 0;
	rwsem_read_lock(invalidate);
	absent = prepare_pages(&b);
	done = prepare_and_exchange(&b);
	rwsem_read_unlock(invalidate);
	release_nodes(&b);
	if (unlikely(!done)) {
		release_pages(&b);
		return none;
	}
	SYNC_POINT("flush-before-free");
	release_displaced(&b);
	if (b.nr_displaced != b.nr - absent)
		pgtable_account(&vma->mm->pt, (long)(b.nr - absent) - (long)b.nr_displaced);
	return (struct exchange_result){b.nr, absent};
}
