/*
 * nonlinear_entry.h - one entry comes to show another page of its object, with another grant.  Layer 6, private to
 * mm/space/nonlinear_*.c.
 */
#ifndef MM_SPACE_NONLINEAR_ENTRY_H
#define MM_SPACE_NONLINEAR_ENTRY_H

#include "kernel/lib/mutation.h"
#include "mm/object/migrate.h"
#include "mm/object/pagecache.h"
#include "mm/object/swap.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/phys/lru.h"
#include "mm/space/vma.h"

/* What an entry was, and the page that it mapped. */
struct was {
	pte_t pte;
	struct page *page; /* NULL: none */
};

static inline struct was was(pte_t pte)
{
	return (struct was){pte, likely(pte_has_page(pte)) ? pfn_to_page(pte_pfn(pte)) : NULL};
}

/* Which page of the object it stood for. => maps.lock held for writing */
static inline pgoff_t stood_for(const struct was *w, const struct nonlinear_index *idx, vaddr_t va, pgoff_t linear)
{
	if (likely(w->page && !page_test(w->page, PG_ANON)))
		return w->page->index;
	if (!w->page && pte_is_none(w->pte))
		return linear;
	if (unlikely(pte_is_migration(w->pte)) && !page_test(pte_migrating(w->pte), PG_ANON))
		return pte_migrating(w->pte)->index;
	return pte_is_file(w->pte) ? pte_file_pgoff(w->pte) : nonlinear_index_copied(idx, va, linear);
}

static inline void give_back_slot(struct pgtable *pt, pte_t pte)
{
	pgtable_account_swap(pt, -1);
	swap_put(pte_swap_entry(pte));
}

/* A window that is not locked never had its pages put aside for its sake, and a shared one never had copies: the usual
 * window has nothing to do here. */
static inline void after_unmapping(const struct vma *vma, struct page *page)
{
	if (likely((vma->flags & (VM_SHARED | VM_LOCKED)) == VM_SHARED))
		return;
	lru_rescue(page);
	if (page_test(page, PG_SWAPCACHE))
		swap_drop_unused(page);
}

/* Empty an entry that is about to be set again: its page is not mapped there any more. */
static inline void take_out(struct was *w, const struct vma *vma, struct hw_pte *hw, vaddr_t va)
{
	struct pgtable *pt = &vma->mm->pt;

	if (unlikely(!w->page)) {
		hw_pte_set(hw, pte_none());
		if (pte_is_swap(w->pte))
			give_back_slot(pt, w->pte);
		else if (pte_is_migration(w->pte))
			migration_entry_gone(pt, w->pte);
		return;
	}
	if (MUTATION(1)) /* M1: the flush comes before the clear, and not after */
		pgtable_flush_early(pt, va);
	w->pte = hw_pte_get_and_clear(hw);
	TRACE(TRACE_CLEAR, pt, va, page_to_pfn(w->page), pte_trace(w->pte), 0);
	if (pte_dirty(w->pte) && !page_test(w->page, PG_ANON))
		pagecache_dirty_from_pte(w->page);
	__atomic_fetch_sub(&w->page->mapcount, 1, __ATOMIC_SEQ_CST);
	after_unmapping(vma, w->page);
}

/* The reference on a cached page passes to the entry. */
static inline void put_in(const struct vma *vma, struct hw_pte *hw, vaddr_t va, pgoff_t linear, pgoff_t pgoff,
                          unsigned grant, struct page *page)
{
	pte_t pte;

	if (likely(page)) {
		pte = pte_mk_page(page_to_pfn(page), grant);
		if ((grant & GRANT_W) && !vma_private(vma) && !vma_notifies_writes(vma))
			pte = pte_mkwrite(pte);
		__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
		hw_pte_set(hw, pte);
		TRACE(TRACE_SET, &vma->mm->pt, va, page_to_pfn(page), 0, pte_trace(pte));
	} else if (pgoff != linear || (vma->flags & VM_MANYPROTS)) {
		hw_pte_set(hw, pte_mk_file(pgoff, grant & ~(MUTATION(14) ? GRANT_X : 0u))); /* M14: drop X */
	}
}

/* The index follows what the entry stands for. */
static inline void move_node(struct nonlinear_index *idx, vaddr_t va, pgoff_t from, pgoff_t to, pgoff_t linear)
{
	if (likely(from != linear && to != linear))
		nonlinear_index_move(idx, va, from, to);
	else if (to != linear)
		nonlinear_index_add(idx, to, va);
	else if (from != linear)
		nonlinear_index_keep(idx, nonlinear_index_del(idx, from, va));
}

/* => maps.lock for writing and the PTL held; if the entry comes to be off position, there is a spare node */
static inline __attribute__((always_inline)) struct was exchange_entry(const struct vma *vma,
                                                                       struct nonlinear_index *idx, struct hw_pte *hw,
                                                                       vaddr_t va, pgoff_t linear, pgoff_t pgoff,
                                                                       unsigned grant, struct page *page)
{
	struct was w = was(hw_pte_get(hw));
	pgoff_t from = stood_for(&w, idx, va, linear);

	take_out(&w, vma, hw, va);
	put_in(vma, hw, va, linear, pgoff, grant, page);
	move_node(idx, va, from, pgoff, linear);
	return w;
}

#endif
