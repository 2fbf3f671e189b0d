/*
 * migrate.c - a page goes to another frame.
 *
 * Layer 5b (mm/object).  Interface: migrate.h; docs/migration.md says why it is so.
 * Lock order: page locks (the new page's is nobody's yet), maps.lock or the family's lock, PTL, PAGES or SWAP.
 *
 *   1. the page is locked; its writeback is over
 *   2. every entry becomes a migration entry, through the reverse map; subscribers hear of each.  It gives its mapcount and
 *      its reference back, and is counted in page->migrating.  One flush for all of them
 *   3. now nobody can reach the page but by a reference that he has.  So: no entry left, no pin, no reference but the
 *      caller's and the cache's?  Where a cache could give out another one, its lock is held from the question until the
 *      new page is in the old one's place.  No: the entries become the old page's again, -EAGAIN or -EBUSY
 *   4. the content is copied.  Who finds the new page in a cache meanwhile finds it locked and not uptodate
 *   5. every migration entry becomes an entry of the new page, until none is left: a fork or mremap under way may have
 *      brought one to where the walk had already been
 *   6. who met a migration entry is woken; the locks are given back
 *
 * M181 does not ask at 3, M182 forgets the dirty bit at 5.
 */
#include "mm/object/migrate.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/wait.h"
#include "mm/object/pagecache.h"
#include "mm/object/swap.h"
#include "mm/object/unmap.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/phys/lru.h"
#include "mm/rmap/anon.h"

struct migration {
	struct page *old, *new;
	struct vm_object *object;   /* of a cached page */
	struct anon_family *family; /* of an anonymous one that is mapped; referenced */
	struct page *target;        /* 5: whose the entries become */
	struct tlb_debt debt;
	int err;
};

static struct wait_queue waiters = WAIT_QUEUE_INIT(waiters); /* for the end of any migration */

static bool is_anon(const struct migration *m)
{
	return page_test(m->old, PG_ANON);
}

/* -- 2: entries go ------------------------------------------------------------------------------------------------- */

/* As in unmap.c: who pins the page after the entry is empty finds that, who did so before is counted. */
static bool take_entry(const struct rmap_hit *hit, void *ctx)
{
	struct migration *m = ctx;
	struct page *page = m->old;
	pte_t old = hw_pte_get_and_clear(hit->hw), new;

	SYNC_POINT("clear-before-flush");
	if (!tlb_debt_add(&m->debt, hit->pt))
		pgtable_flush_page(hit->pt, hit->va);
	if (page_pinned(page) && !MUTATION(181)) {
		hw_pte_set(hit->hw, old);
		m->err = -EBUSY;
		return false;
	}
	if (pte_dirty(old) && !is_anon(m))
		pagecache_dirty_from_pte(page);
	new = pte_mk_migration(old, is_anon(m) && page_test_and_clear(page, PG_ANON_EXCLUSIVE));
	__atomic_fetch_add(&page->migrating, 1, __ATOMIC_SEQ_CST);
	hw_pte_set(hit->hw, new);
	TRACE(TRACE_CLEAR, hit->pt, hit->va, page_to_pfn(page), pte_trace(old), pte_trace(new));
	__atomic_fetch_sub(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	page_put(page);
	return true;
}

static int take_entries(struct migration *m)
{
	bool walked;

	m->old->migrating = 0;
	page_set(m->old, PG_MIGRATING);
	walked = page_walk_entries(m->old, RMAP_CHANGES, take_entry, m);
	tlb_debt_pay(&m->debt);
	SYNC_POINT("migrate-taken");
	if (m->err)
		return m->err;
	/* UFFDIO_MOVE may have given the page another family before the walk. */
	if (!walked || (m->family && READ_ONCE(m->old->family) != m->family))
		return -EAGAIN;
	return 0;
}

/* -- 3: identity goes ------------------------------------------------------------------------------------------------ */

static bool replace(struct migration *m)
{
	struct page *old = m->old, *new = m->new;

	if (page_test(old, PG_SWAPCACHE))
		return swap_replace(old, new);
	if (!is_anon(m))
		return pagecache_replace(old, new);
	if (!page_unreferenced(old, 1)) /* nobody can come by another one */
		return false;
	page_inherit(new, old);
	return true;
}

static int change_places(struct migration *m)
{
	if (page_pinned(m->old) && !MUTATION(181))
		return -EBUSY;
	return replace(m) ? 0 : -EAGAIN;
}

/* -- 5: entries come ------------------------------------------------------------------------------------------------- */

static bool give_entry(const struct rmap_hit *hit, void *ctx)
{
	struct migration *m = ctx;
	struct page *page = m->target;
	pte_t pte = pte_end_migration(hit->pte, page_to_pfn(page));

	if (MUTATION(182)) /* M182: what was stored is forgotten */
		pte = pte_mkclean(pte);
	page_get(page);
	__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	if (is_anon(m) && pte_migration_exclusive(hit->pte))
		page_set(page, PG_ANON_EXCLUSIVE);
	hw_pte_set(hit->hw, pte);
	TRACE(TRACE_SET, hit->pt, hit->va, page_to_pfn(page), pte_trace(hit->pte), pte_trace(pte));
	__atomic_fetch_sub(&m->old->migrating, 1, __ATOMIC_SEQ_CST);
	return true;
}

static void give_entries(struct migration *m)
{
	while (__atomic_load_n(&m->old->migrating, __ATOMIC_SEQ_CST)) {
		if (is_anon(m))
			rmap_walk_family(m->family, m->old, RMAP_RESTORES, give_entry, m);
		else
			rmap_walk_file(&m->object->maps, m->old, RMAP_RESTORES, give_entry, m);
	}
	page_clear(m->old, PG_MIGRATING);
	wake_up_all(&waiters);
}

static bool over(const struct page *page)
{
	return !page_test(page, PG_MIGRATING);
}

void page_wait_migration(const struct page *page)
{
	wait_event(&waiters, over(page));
}

/* -- all of it ------------------------------------------------------------------------------------------------------- */

/* => both locked */
static void move_locked(struct migration *m)
{
	m->object = page_object(m->old);
	m->family = is_anon(m) ? anon_page_family(m->old) : NULL;
	m->err = take_entries(m);
	if (!m->err)
		m->err = change_places(m);
	m->target = m->err ? m->old : m->new;
	if (!m->err) {
		page_copy(m->new, m->old);
		page_set(m->new, PG_UPTODATE);
		SYNC_POINT("migrate-copied");
	}
	give_entries(m);
	anon_family_put(m->family);
}

/* Locked, idle, and nothing that could not be moved at all? 0, and the page is locked. */
static int lock_old(struct page *page, enum migrate_mode mode)
{
	int err = 0;

	if (mode == MIGRATE_WAIT)
		page_lock(page);
	else if (!page_try_lock(page))
		return -EAGAIN;
	if (mode == MIGRATE_WAIT)
		page_wait_writeback(page);
	if (page_pinned(page) || page_test(page, PG_MERGED))
		err = MUTATION(181) ? 0 : -EBUSY;
	else if (page_test(page, PG_WRITEBACK) || !page_test(page, PG_UPTODATE) ||
	         (!page_test(page, PG_ANON) && !page->object))
		err = -EAGAIN;
	if (err)
		page_unlock(page);
	return err;
}

/* Locked ranges may have been unlocked while the page was on no list. => @page locked */
static void judge_again(struct page *page)
{
	bool locked = false;

	if (!page_test(page, PG_UNEVICTABLE))
		return;
	(void)page_referenced(page, &locked);
	if (!locked)
		lru_rescue(page);
}

/* The new page is one as all others. => locked; the caller's reference goes */
static void let_go(struct page *page)
{
	lru_add(page);
	judge_again(page);
	page_unlock(page);
	if (page_test(page, PG_SWAPCACHE))
		swap_drop_unused(page);
	page_put(page);
}

int page_migrate(struct page *old, struct page *new, enum migrate_mode mode)
{
	struct migration m = {.old = old, .new = new};
	int err = lock_old(old, mode);

	if (err)
		return err;
	if (!page_try_lock(new)) { /* nobody has it, but the attempt may be made to fail */
		page_unlock(old);
		return -EAGAIN;
	}
	move_locked(&m);
	page_unlock(old);
	if (m.err)
		page_unlock(new);
	else
		let_go(new);
	return m.err;
}
