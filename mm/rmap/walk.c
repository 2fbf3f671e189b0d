/*
 * walk.c - visit every entry that maps a page of an object; and mkclean, the first customer.
 *
 * Layer 5a (mm/rmap).  Interface: rmap.h.  Locks taken here: maps.lock (read), then one PTL at a time.
 *
 *                        page P, offset i
 *                       /                \
 *     linear links that cover i       nonlinear nodes with pgoff i
 *     va = link.va + (i - first)      va = node.va
 *                       \                /
 *           lock the entry, visit it only if it still maps P
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/huge.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_migration.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/rmap/rmap.h"

static bool maps_page(pte_t pte, const struct page *page)
{
	return pte_has_page(pte) && pte_pfn(pte) == page_to_pfn(page);
}

static bool wanted(const struct rmap_walk *w, pte_t pte)
{
	if (w->intent == RMAP_RESTORES)
		return pte_is_migration(pte) && pte_migrating(pte) == w->page;
	return maps_page(pte, w->page);
}

/*
 * A huge entry is where the leaf table would be.  Who takes something away does so from one page: it is split first, if it
 * maps the page at all.  Who only looks is shown the huge entry. *more: go on?  False: there is a leaf table now.
 */
static bool visit_huge(const struct rmap_walk *w, struct pgtable *pt, vaddr_t va, unsigned flags, bool *more)
{
	struct pt_huge h;
	bool maps, looks = w->intent == RMAP_LOOKS;
	pte_t part;

	*more = true;
	if (!pt_lock_huge(pt, va, &h))
		return false;
	part = pt_huge_part(h.pte, pt_index(0, va));
	maps = w->intent != RMAP_RESTORES && maps_page(part, w->page);
	if (maps && looks) {
		struct rmap_hit hit = {.pt = pt, .va = va, .hw = h.hw, .pte = part, .flags = flags, .huge = true};

		*more = w->visit(&hit, w->ctx);
	}
	pt_unlock_huge(&h);
	if (maps && !looks)
		pt_split_huge(pt, va);
	return !maps || looks;
}

static bool visit_locked(const struct rmap_walk *w, struct pgtable *pt, vaddr_t va, unsigned flags)
{
	struct pt_slot slot = pt_lock_table(pt, va);
	bool more = true;

	if (!slot.hw) {
		if (visit_huge(w, pt, va, flags, &more))
			return more;
		slot = pt_lock_table(pt, va);
	}
	if (!slot.hw)
		return true;
	pte_t pte = hw_pte_get(slot.hw);

	if (wanted(w, pte)) {
		struct rmap_hit hit = {.pt = pt, .va = va, .hw = slot.hw, .pte = pte, .flags = flags};

		more = w->visit(&hit, w->ctx);
	}
	pt_unlock(slot);
	return more;
}

/* A look without the lock, so that subscribers are troubled for entries only that map the page. */
static bool seems_mapped(const struct rmap_walk *w, struct pgtable *pt, vaddr_t va)
{
	return maps_page(pt_peek_pte(pt, va), w->page);
}

/* Visit the entry at @va if it maps the page; the visitor may change it: subscribers know. False stops the walk. */
static bool visit_candidate(const struct rmap_walk *w, struct pgtable *pt, vaddr_t va, unsigned flags)
{
	struct mmu_range range;
	bool more;

	if (likely(!READ_ONCE(pt->notifiers)) || w->intent != RMAP_CHANGES)
		return visit_locked(w, pt, va, flags);
	if (!seems_mapped(w, pt, va))
		return true;
	mmu_notify_start(&range, pt, va, va + PAGE_SIZE, MMU_CLEAR);
	more = visit_locked(w, pt, va, flags);
	mmu_notify_end(&range);
	return more;
}

bool rmap_walk_links(const struct rmap_walk *w, const struct itree_root *tree, pgoff_t index)
{
	struct itree_node *n;

	itree_for_each(n, tree, index, index) {
		struct rmap_link *link = container_of(n, struct rmap_link, node);

		if (!visit_candidate(w, link->pt, rmap_link_va(link, index), link->flags))
			return false;
	}
	return true;
}

static bool walk_nonlinear(const struct rmap_walk *w, struct object_maps *maps, pgoff_t index)
{
	struct nonlinear_index *idx;

	list_for_each_entry(idx, &maps->nonlinear, link) {
		unsigned flags = RMAP_SHARED | RMAP_KEEP_GRANTS | (idx->locked ? RMAP_LOCKED : 0);
		struct nonlinear_cursor c;
		struct nonlinear_node *n;

		nonlinear_index_begin(&c, idx, index, index);
		while ((n = nonlinear_index_next(&c)))
			if (!visit_candidate(w, idx->pt, n->va, flags))
				return false;
	}
	return true;
}

/* => maps->lock held; gives it back */
static void walk_file(struct object_maps *maps, struct page *page, enum rmap_intent intent, rmap_visit_t *visit,
                      void *ctx)
{
	struct rmap_walk w = {.page = page, .intent = intent, .visit = visit, .ctx = ctx};

	ASSERT(page_test(page, PG_LOCKED));
	if (rmap_walk_links(&w, &maps->linear, page->index))
		walk_nonlinear(&w, maps, page->index);
	rwsem_read_unlock(&maps->lock);
}

void rmap_walk_file(struct object_maps *maps, struct page *page, enum rmap_intent intent, rmap_visit_t *visit,
                    void *ctx)
{
	rwsem_read_lock(&maps->lock);
	walk_file(maps, page, intent, visit, ctx);
}

bool rmap_try_walk_file(struct object_maps *maps, struct page *page, enum rmap_intent intent, rmap_visit_t *visit,
                        void *ctx)
{
	if (!rwsem_read_trylock(&maps->lock))
		return false;
	walk_file(maps, page, intent, visit, ctx);
	return true;
}

struct mkclean {
	bool was_dirty;
	unsigned entries;
};

/*
 * Clear, flush, set again without RW and D: between the clear and the set no CPU can store, so the dirty bit
 * of the returned value is final.
 */
static bool clean_entry(const struct rmap_hit *hit, void *ctx)
{
	struct mkclean *m = ctx;
	pte_t pte;

	m->entries++;
	if (!pte_dirty(hit->pte) && !pte_hw_write(hit->pte))
		return true;
	if (MUTATION(1)) /* M1: flush before clear */
		pgtable_flush_early(hit->pt, hit->va);
	pte = hw_pte_get_and_clear(hit->hw);
	SYNC_POINT("clear-before-flush");
	if (!MUTATION(1))
		pgtable_flush_page(hit->pt, hit->va);
	hw_pte_set(hit->hw, pte_mkclean(pte_wrprotect(pte)));
	TRACE(TRACE_MKCLEAN, hit->pt, hit->va, pte_pfn(pte), pte_trace(pte), pte_trace(pte_mkclean(pte_wrprotect(pte))));
	m->was_dirty = true;
	return true;
}

bool rmap_mkclean(struct object_maps *maps, struct page *page, unsigned *entries)
{
	struct mkclean m = {.was_dirty = false};

	/*
	 * Also if no entry maps the page any more (mapcount == 0): the last one may just have been emptied, and a CPU store
	 * through what it remembers of it.  Whoever empties one flushes under the lock that the walk takes.
	 */
	rmap_walk_file(maps, page, RMAP_CHANGES, clean_entry, &m);
	if (entries)
		*entries = m.entries;
	return m.was_dirty;
}
