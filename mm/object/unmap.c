/*
 * unmap.c - take one page out of every address space; and ask who used it lately.
 *
 * Layer 5b (mm/object).  Interface: unmap.h.  Lock order: page lock, maps.lock or the family's lock, PTL, swap slots.
 *
 * One entry, under its PTL:
 *
 *   1. empty it, flush: from here on no CPU can use the page through it.  The flush may be owed (mm/pgtable/debt.h): then
 *      some may until it is paid, but the returned value is final: what is clean cannot become dirty any more
 *   2. a pin that came before step 1 is in the count now; one that comes after it finds the entry empty.  So if there
 *      is none, none can be: else the old entry is put back (A1 to A4 of the exclusive flag's protocol)
 *   3. dirty goes to the page
 *   4. what the entry must remember is set; mapcount and reference go
 */
#include "mm/object/unmap.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/pagecache.h"
#include "mm/object/swap.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_swap.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/pgtable/pte_uffd.h"
#include "mm/rmap/anon.h"

struct unmap {
	struct page *page;
	struct tlb_debt *debt; /* NULL: every entry is flushed at once */
	enum unmap_result result;
};

bool page_walk_entries(struct page *page, enum rmap_intent intent, rmap_visit_t *visit, void *ctx)
{
	if (page_test(page, PG_ANON))
		return rmap_try_walk_anon(page, intent, visit, ctx);
	return !page->object || rmap_try_walk_file(&page->object->maps, page, intent, visit, ctx);
}

/* -- unmapping ------------------------------------------------------------------------------------------------- */

/* Given up by MADV_FREE, and nobody has stored since, and nobody but the caller and the entries refers to it. The
 * count is looked at before the dirty bit (RF.35). => the entry was emptied and flushed */
static bool disposable(const struct page *page, pte_t old)
{
	int entries = __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST);

	return __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == entries + 1 && !pte_dirty(old) &&
	       !page_test(page, PG_DIRTY);
}

/* What is left of an anonymous page; pte_none() may be, so: may it go? */
static bool anon_leaves(struct page *page, pte_t old, pte_t *leaves)
{
	swap_entry_t entry;

	*leaves = pte_none();
	if (!page_test(page, PG_SWAPCACHE)) {
		if (disposable(page, old))
			return true;
		ASSERT(!page_test(page, PG_LRU)); /* the flag says which list it belongs on */
		page_set(page, PG_SWAPBACKED);    /* somebody stored: it is wanted again */
		return false;
	}
	entry = swap_page_entry(page);
	if (!swap_dup(entry))
		return false;
	*leaves = pte_mk_swap(entry.v, pte_grant(old), page_test(page, PG_ANON_EXCLUSIVE));
	if (unlikely(pte_uffd_wp(old)))
		*leaves = pte_set_uffd_wp(*leaves, true);
	page_clear(page, PG_ANON_EXCLUSIVE); /* the entry knows it now */
	return true;
}

static bool leaves(const struct rmap_hit *hit, struct page *page, pte_t old, pte_t *entry)
{
	if (page_test(page, PG_ANON))
		return anon_leaves(page, old, entry);
	if (hit->flags & RMAP_KEEP_GRANTS)
		*entry = pte_leave_file(old, page->index);
	else
		*entry = pte_uffd_wp(old) ? pte_mk_uffd_note(pte_grant(old)) : pte_none();
	return true;
}

/* Is there any point in emptying the entry? */
static bool may_unmap(struct unmap *u, const struct rmap_hit *hit)
{
	const struct page *page = u->page;

	if (hit->flags & RMAP_LOCKED)
		u->result = UNMAP_LOCKED;
	else if (page_pinned(page) ||
	         (page_test(page, PG_ANON) && !page_test(page, PG_SWAPCACHE) && page_test(page, PG_SWAPBACKED)))
		u->result = UNMAP_MAPPED;
	else
		return true;
	return false;
}

/* A page without a slot that was given up is judged here and now; and the next fault takes another frame. */
static void flush_or_owe(const struct unmap *u, const struct rmap_hit *hit)
{
	bool kept = !page_test(u->page, PG_ANON) || page_test(u->page, PG_SWAPCACHE);

	if (!u->debt || !kept || !tlb_debt_add(u->debt, hit->pt))
		pgtable_flush_page(hit->pt, hit->va);
}

static bool unmap_entry(const struct rmap_hit *hit, void *ctx)
{
	struct unmap *u = ctx;
	struct page *page = u->page;
	pte_t old, new;

	if (!may_unmap(u, hit))
		return false;
	old = hw_pte_get_and_clear(hit->hw);
	SYNC_POINT("clear-before-flush");
	flush_or_owe(u, hit);
	if (page_pinned(page) || !leaves(hit, page, old, &new)) {
		hw_pte_set(hit->hw, old);
		u->result = UNMAP_MAPPED;
		return false;
	}
	if (pte_dirty(old))
		pagecache_dirty_from_pte(page);
	hw_pte_set(hit->hw, new);
	TRACE(TRACE_CLEAR, hit->pt, hit->va, page_to_pfn(page), pte_trace(old), pte_trace(new));
	if (pte_is_swap(new))
		pgtable_account_swap(hit->pt, 1);
	pgtable_account(hit->pt, -1);
	__atomic_fetch_sub(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	page_put(page);
	return true;
}

enum unmap_result page_unmap(struct page *page, struct tlb_debt *debt)
{
	struct unmap u = {.page = page, .debt = debt, .result = UNMAP_DONE};

	ASSERT(page_test(page, PG_LOCKED));
	if (!page_walk_entries(page, RMAP_CHANGES, unmap_entry, &u))
		return UNMAP_MAPPED;
	if (u.result == UNMAP_DONE && __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST))
		return UNMAP_MAPPED; /* an entry that mremap or fork was just moving or making */
	return u.result;
}

/* -- who used it? ------------------------------------------------------------------------------------------------- */

struct referenced {
	unsigned young;
	bool locked;
};

/* Of a huge entry there is one accessed bit for all its pages: it is cleared for the first of them only, or they would
 * all look unused once one was looked at. */
static bool take_young(const struct rmap_hit *hit)
{
	if (hit->huge && pt_index(0, hit->va))
		return pte_young(hit->pte);
	return hw_pte_test_and_clear_young(hit->hw);
}

static bool count_young(const struct rmap_hit *hit, void *ctx)
{
	struct referenced *r = ctx;

	if (hit->flags & RMAP_LOCKED) {
		r->locked = true;
		return false;
	}
	r->young += take_young(hit) | mmu_notify_clear_young(hit->pt, hit->va, hit->va + PAGE_SIZE, true);
	return true;
}

unsigned page_referenced(struct page *page, bool *locked)
{
	struct referenced r = {.young = 0};

	ASSERT(page_test(page, PG_LOCKED));
	if (__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) && !page_walk_entries(page, RMAP_LOOKS, count_young, &r))
		r.young = 1; /* nobody can tell: it stays */
	*locked = r.locked;
	return r.young;
}
