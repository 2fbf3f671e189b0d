/*
 * evict.c - the way out of memory, page by page.
 *
 * Layer 7 (mm/service).  Interface: reclaim.h.
 * Lock order: page lock (tried), then what page_unmap(), swap_*() and pagecache_evict() take inside.
 *
 * One page's way (RF.35), all of it under the page lock:
 *
 *   1. under writeback?          not now
 *   2. used since the last look? back to where it was, or to the active list
 *   3. pinned?                   a device has it: active
 *   4. dirty file page           written first (background, MADV_PAGEOUT); it comes by again
 *   5. anonymous: a slot         none left: active (for a page of tmpfs a first look: it gets one at 8)
 *   6. unmapped                  somebody holds on to it: active; mlocked: unevictable
 *      ... some pages wait here, locked, until every TLB is flushed once for all of them (mm/pgtable/debt.h)
 *   7. pinned?                   now nobody can pin it any more who had not done so before
 *   8. tmpfs: into a slot        its object refers to the slot; from now on it is an anonymous page
 *      dirty anonymous page      written; it comes by again
 *   9. references looked at, then PG_DIRTY: only cache and we refer to it, and what was stored is in its file: freed
 *
 * The order within 9 is what mutation M19 turns round.  Somebody who got a reference while the page was mapped
 * (mm_access() of another process) may still store, then set PG_DIRTY, then let go.  Looking at the references first:
 * either he still holds his, or he is done and the page is dirty.  The other way round he may do all of it in between.
 */
#include "mm/service/reclaim.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/object_swap.h"
#include "mm/object/pagecache.h"
#include "mm/object/unmap.h"
#include "mm/phys/vmstat.h"

#define UNMAPPED_MAX 16 /* pages locked at once: each is a lock that the validator keeps book of */

enum verdict {
	FREE,        /* the caller's reference is the last */
	KEEP,        /* inactive, young end */
	ACTIVATE,    /* active */
	UNEVICTABLE, /* an mlocked range maps it */
	WRITE,       /* a dirty file page: to be written first */
	UNMAPPED,    /* its flush is owed: it waits, locked */
	SENT,        /* on its way to swap; unlocked already */
};

static bool only_ours(const struct page *page)
{
	return __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == 1;
}

static bool is_anon(const struct page *page)
{
	return page_test(page, PG_ANON);
}

/* Step 2: what the accessed bits say (RF.33). FREE: go on. */
static enum verdict judge_use(const struct evict *e, struct page *page)
{
	bool locked, seen_before;
	unsigned used = page_referenced(page, &locked);

	if (locked)
		return UNEVICTABLE;
	if (e->force && __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) <= 1)
		return FREE;
	if (!used)
		return FREE; /* PG_REFERENCED alone, of read(2), does not keep it */
	seen_before = page_test_and_set(page, PG_REFERENCED);
	return seen_before || used > 1 || is_anon(page) ? ACTIVATE : KEEP;
}

/* Step 6. What was emptied of a page that stays is flushed before anybody else can lock it. */
static enum verdict unmap(struct evict *e, struct page *page)
{
	enum unmap_result result = page_unmap(page, &e->debt);

	if (result == UNMAP_DONE)
		return UNMAPPED;
	tlb_debt_pay(&e->debt);
	return result == UNMAP_LOCKED ? UNEVICTABLE : ACTIVATE;
}

/* Steps 5 and 6 of an anonymous page. */
static enum verdict push_anon(struct evict *e, struct page *page)
{
	bool lazy = !page_test(page, PG_SWAPBACKED);
	enum verdict v;

	if (!page_test(page, PG_SWAPCACHE) && only_ours(page))
		return FREE; /* its last entry went while it was isolated */
	if (!lazy && !page_test(page, PG_SWAPCACHE) && !swap_add(page))
		return ACTIVATE;
	v = unmap(e, page);
	if (v != UNMAPPED)
		(void)swap_try_free(page);
	return v;
}

/* Steps 7 and 8. FREE: it is on its way to nowhere: lazily freed, or its slot has it all. */
static enum verdict finish_anon(struct evict *e, struct page *page)
{
	if (page_pinned(page)) {
		(void)swap_try_free(page);
		return ACTIVATE;
	}
	if (page_test(page, PG_SWAPCACHE)) {
		if (!page_test(page, PG_DIRTY))
			return swap_evict(page) ? FREE : KEEP;
		if (e->written_once)
			return KEEP; /* it could not be written, or somebody stored meanwhile */
		page_set(page, PG_RECLAIM);
		swap_write(&e->swap, page);
		e->written++;
		return SENT;
	}
	if (!only_ours(page))
		return KEEP;
	vm_count(VM_PGLAZYFREED, !page_test(page, PG_SWAPBACKED));
	return FREE;
}

/* Could a page of an object without a file go to swap? */
static bool has_way_out(const struct page *page)
{
	return page->object->ops->hold && page_test(page, PG_UPTODATE) && swap_has_room();
}

/* Steps 4 and 6 of a page of an object. */
static enum verdict push_cached(struct evict *e, struct page *page)
{
	const struct vm_object *obj = page->object;

	if (obj->tracks_dirty && page_test(page, PG_DIRTY))
		return e->background ? WRITE : KEEP;
	if (!obj->tracks_dirty && !has_way_out(page))
		return ACTIVATE;
	return unmap(e, page);
}

/* Step 8 of a page without a file: it goes on as an anonymous one. */
static enum verdict finish_unbacked(struct evict *e, struct page *page)
{
	return object_swap_out(page) ? finish_anon(e, page) : ACTIVATE;
}

/* Steps 7 and 9. */
static enum verdict finish_cached(struct evict *e, struct page *page)
{
	struct vm_object *obj = page->object;
	bool clean;

	if (page_pinned(page))
		return ACTIVATE;
	if (!obj->tracks_dirty)
		return finish_unbacked(e, page);
	clean = !page_test(page, PG_DIRTY);
	SYNC_POINT("reclaim-verdict");
	return pagecache_evict(page, MUTATION(19) && clean) ? FREE
	                                                    : KEEP; /* M19: dirty was looked at before the references */
}

static void finish_unmapped(struct evict *e);

static enum verdict judge_locked(struct evict *e, struct page *page)
{
	enum verdict v;

	if (page_test(page, PG_WRITEBACK)) {
		if (!e->wait)
			return KEEP;
		finish_unmapped(e); /* nobody waits for them while we do */
		page_wait_writeback(page);
	}
	if (!is_anon(page) && !page->object)
		return KEEP; /* truncated: whoever still holds it will free it */
	if (page_pinned(page))
		return ACTIVATE;
	v = judge_use(e, page);
	if (v != FREE)
		return v;
	return is_anon(page) ? push_anon(e, page) : push_cached(e, page);
}

/* -- what becomes of it ------------------------------------------------------------------------------------------------- */

/* Among the unevictable ones. Its last mlocked range may just have been unlocked, by somebody who looked for it there
 * before it was there: look again. => page locked */
static void put_aside(struct page *page)
{
	bool locked = false;

	page_clear(page, PG_ACTIVE);
	page_set(page, PG_UNEVICTABLE);
	lru_add(page);
	vm_count(VM_UNEVICTABLE_CULLED, 1);
	(void)page_referenced(page, &locked);
	if (!locked)
		lru_rescue(page);
}

static void put_back(struct evict *e, struct page *page, enum verdict v)
{
	e->kept++;
	if (v == UNEVICTABLE) {
		put_aside(page);
		page_unlock(page);
		page_put(page);
		return;
	}
	if (v == SENT && e->wait && !e->written_once) { /* it is looked at once more when it is written */
		list_add_tail(&page->link, &e->sent);
		return;
	}
	if (v == ACTIVATE && !page_test(page, PG_UNEVICTABLE) && !page_test_and_set(page, PG_ACTIVE))
		vm_count(VM_PGACTIVATE, 1);
	if (v != SENT)
		page_unlock(page);
	lru_putback(page);
}

/* Write the file's dirty pages around this one. 0 if they are (@wait), or are being, written. => page locked; unlocks */
static int write_around(struct evict *e, struct page *page)
{
	struct vm_object *obj = page->object;
	pgoff_t first = page->index & ~(pgoff_t)63, last = first + 63;
	int err;

	if (!obj->ops->hold(obj)) { /* it is being deleted: its pages go with it */
		page_unlock(page);
		return -EAGAIN;
	}
	page_set(page, PG_RECLAIM);
	page_unlock(page);
	err = object_writeback(obj, first, last, e->wait);
	obj->ops->release(obj);
	e->written++;
	return err;
}

/* => page locked */
static void conclude(struct evict *e, struct page *page, enum verdict v)
{
	if (v != FREE) {
		put_back(e, page, v);
		return;
	}
	page_unlock(page);
	page_put(page);
	e->freed++;
}

/* Those whose flush is owed: it is made, and they go the rest of their way. */
static void finish_unmapped(struct evict *e)
{
	if (!MUTATION(161)) { /* M161: written and freed first, flushed afterwards */
		SYNC_POINT("unmap-owed");
		tlb_debt_pay(&e->debt);
	}
	while (!list_empty(&e->unmapped)) {
		struct page *page = list_first_entry(&e->unmapped, struct page, link);

		list_del(&page->link);
		conclude(e, page, is_anon(page) ? finish_anon(e, page) : finish_cached(e, page));
	}
	e->nr_unmapped = 0;
	if (MUTATION(161)) {
		swap_submit(&e->swap);
		SYNC_POINT("unmap-owed");
		tlb_debt_pay(&e->debt);
	}
}

static void park(struct evict *e, struct page *page)
{
	list_add_tail(&page->link, &e->unmapped);
	if (++e->nr_unmapped == UNMAPPED_MAX)
		finish_unmapped(e);
}

static void evict_one(struct evict *e, struct page *page)
{
	bool may_write = true;
	enum verdict v;

	for (;;) {
		if (!page_try_lock(page)) {
			e->kept++;
			lru_putback(page);
			return;
		}
		v = judge_locked(e, page);
		if (v != WRITE)
			break;
		finish_unmapped(e); /* what writes locks pages */
		if (!may_write || write_around(e, page) || !e->wait) {
			if (!may_write)
				page_unlock(page);
			e->kept++;
			lru_putback(page);
			return;
		}
		may_write = false; /* once: somebody may go on storing into it */
	}
	if (v == UNMAPPED)
		park(e, page);
	else
		conclude(e, page, v);
}

static void evict_each(struct evict *e, struct list *pages)
{
	while (!list_empty(pages)) {
		struct page *page = list_first_entry(pages, struct page, link);

		list_del(&page->link);
		evict_one(e, page);
	}
	finish_unmapped(e);
	swap_submit(&e->swap);
}

/* Those on their way to swap, once they have arrived. */
static void evict_sent(struct evict *e)
{
	struct page *page;

	list_for_each_entry(page, &e->sent, link)
		page_wait_writeback(page);
	/* The end of a write gives the page's lock and a reference back a moment after it has woken us. */
	list_for_each_entry(page, &e->sent, link)
		for (unsigned i = 0; i < 100 && __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) > 2; i++)
			cpu_relax();
	e->written_once = true;
	evict_each(e, &e->sent);
	e->written_once = false;
}

void evict_pages(struct evict *e, struct list *pages)
{
	list_init(&e->sent);
	list_init(&e->unmapped);
	e->nr_unmapped = 0;
	e->debt = (struct tlb_debt){.cpus = 0};
	swap_io_init(&e->swap);
	evict_each(e, pages);
	if (e->wait)
		evict_sent(e);
}

/* -- from active to inactive -------------------------------------------------------------------------------------------------- */

static bool used_lately(struct page *page, bool *locked)
{
	bool used;

	if (!page_try_lock(page))
		return true;
	*locked = false;
	used = (is_anon(page) || page->object) && page_referenced(page, locked);
	page_unlock(page);
	return used;
}

void deactivate_pages(struct list *pages, bool all)
{
	while (!list_empty(pages)) {
		struct page *page = list_first_entry(pages, struct page, link);
		bool locked = false;

		list_del(&page->link);
		if (!used_lately(page, &locked) || all || locked) { /* a locked one is put aside on its next way out */
			page_clear(page, PG_ACTIVE);
			vm_count(VM_PGDEACTIVATE, 1);
		}
		lru_putback(page);
	}
}
