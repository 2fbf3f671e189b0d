/*
 * pagecache.c - the pages of an object: find, create, fill, dirty, drop.
 *
 * Layer 5b (mm/object).  Interface: object.h, pagecache.h.
 * Lock order: page lock, then obj->pages_lock (interrupts off: I/O completion takes it too).
 *
 * A cached page holds one reference for the cache.  Its (object, index) change only under the page lock, so
 * whoever found a page without it must look at page->object again after locking it.
 */
#include "mm/object/pagecache.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/err.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/dirty.h"
#include "mm/object/object_swap.h"
#include "mm/phys/lru.h"

struct page *pagecache_find(struct vm_object *obj, pgoff_t index)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	struct page *page = radix_lookup(&obj->pages, index);
	if (page)
		page_get(page);
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return page;
}

struct page *pagecache_find_mappable(struct vm_object *obj, pgoff_t index)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	struct page *page = pagecache_find_uptodate(obj, index, object_size_pages(obj));

	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return page;
}

int pagecache_insert(struct vm_object *obj, struct page *page, pgoff_t index)
{
	int err;

	page->object = obj;
	page->index = index;
	err = radix_insert(&obj->pages, index, page);
	if (err) {
		page->object = NULL;
		return err;
	}
	obj->nr_pages++;
	dirty_count(&dirty_stat.cached, 1);
	page_get(page); /* the cache's reference */
	return 0;
}

/* Insert the locked new @page. -EEXIST: somebody else's page is there, or in swap. */
static int insert_new(struct vm_object *obj, struct page *page, pgoff_t index)
{
	int err = radix_preload();
	unsigned long flags;

	if (err)
		return err;
	flags = spin_lock_irqsave(&obj->pages_lock);
	err = object_slot_locked(obj, index).v ? -EEXIST : pagecache_insert(obj, page, index);
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return err;
}

struct page *pagecache_create_locked(struct vm_object *obj, pgoff_t index, enum gfp gfp)
{
	struct page *page = page_alloc(0, gfp);
	int err;

	if (!page)
		return ERR_PTR(-ENOMEM);
	page_set(page, PG_LOCKED);
	if (!obj->tracks_dirty)
		page->flags |= BIT(PG_SWAPBACKED);
	err = insert_new(obj, page, index);
	if (!err) {
		lru_add(page);
		return page;
	}
	page_unlock(page);
	page_put(page);
	return ERR_PTR(err);
}

struct page *pagecache_get_locked(struct vm_object *obj, pgoff_t index)
{
	for (;;) {
		struct page *page = pagecache_find(obj, index);

		if (!page) {
			page = object_swap_in(obj, index);
			if (page)
				return page;
			page = pagecache_create_locked(obj, index, GFP_USER);
			if (PTR_ERR(page) != -EEXIST)
				return page;
			continue;
		}
		page_lock(page);
		SYNC_POINT("page-locked");
		if (page->object == obj && page->index == index)
			return page;
		page_unlock(page); /* truncated meanwhile */
		page_put(page);
	}
}

/* Fill a locked page if it is not uptodate yet. */
static int fill_locked(struct vm_object *obj, struct page *page)
{
	int err;

	if (page_test(page, PG_UPTODATE))
		return 0;
	err = obj->ops->read_page(obj, page);
	ASSERT(err || page_test(page, PG_UPTODATE));
	return err;
}

struct page *pagecache_read(struct vm_object *obj, pgoff_t index)
{
	struct page *page = pagecache_find(obj, index);
	int err;

	if (page && page_test(page, PG_UPTODATE))
		return page;
	if (page)
		page_put(page);
	page = pagecache_get_locked(obj, index);
	if (IS_ERR(page))
		return page;
	err = fill_locked(obj, page);
	page_unlock(page);
	if (!err)
		return page;
	page_put(page);
	return ERR_PTR(err);
}

void pagecache_mark_dirty(struct vm_object *obj, pgoff_t index)
{
	if (!radix_mark(&obj->pages, index, RADIX_MARK_DIRTY))
		return;
	dirty_count(&dirty_stat.dirty, 1);
	dirty_count(&dirty_stat.dirtied, 1);
}

void pagecache_unmark_dirty(struct vm_object *obj, pgoff_t index)
{
	if (radix_unmark(&obj->pages, index, RADIX_MARK_DIRTY))
		dirty_count(&dirty_stat.dirty, -1);
}

void pagecache_dirty_from_pte(struct page *page)
{
	struct vm_object *obj;
	unsigned long flags;

	/* What made it dirty comes before the look.  Found set, the flag means that the mark is there, too: whoever stored
	 * and now syncs the object finds it (docs/protocols.md, "dirty"). */
	atomic_fence();
	if (page_test(page, PG_DIRTY))
		return;
	obj = page_object(page);
	if (!obj || !obj->tracks_dirty) {
		page_set(page, PG_DIRTY);
		return;
	}
	flags = spin_lock_irqsave(&obj->pages_lock);
	if (page->object == obj)
		pagecache_mark_dirty(obj, page->index);
	page_set(page, PG_DIRTY);
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	dirty_list_join(obj);
}

void pagecache_set_dirty(struct page *page)
{
	ASSERT(page_test(page, PG_LOCKED));
	pagecache_dirty_from_pte(page);
}

int pagecache_reserve(struct vm_object *obj, struct page *page)
{
	ASSERT(page_test(page, PG_LOCKED));
	page_wait_writeback(page); /* stable pages: what the device reads does not change under it */
	return obj->ops->page_mkwrite ? obj->ops->page_mkwrite(obj, page) : 0;
}

int pagecache_mkwrite(struct vm_object *obj, struct page *page)
{
	int err = pagecache_reserve(obj, page);

	ASSERT(page_test(page, PG_UPTODATE));
	if (!err)
		pagecache_set_dirty(page);
	return err;
}

void pagecache_remove(struct vm_object *obj, struct page *page)
{
	pagecache_unmark_dirty(obj, page->index);
	radix_remove(&obj->pages, page->index);
	obj->nr_pages--;
	dirty_count(&dirty_stat.cached, -1);
	page->object = NULL;
}

/* Take one page out of the cache. => referenced by the caller, unlocked */
static void drop_page(struct vm_object *obj, struct page *page)
{
	unsigned long flags;

	page_lock(page);
	if (page->object == obj) {
		page_wait_writeback(page);
		page_clear(page, PG_DIRTY);
		flags = spin_lock_irqsave(&obj->pages_lock);
		pagecache_remove(obj, page);
		spin_unlock_irqrestore(&obj->pages_lock, flags);
		page_put(page); /* the cache's; ours is left */
	}
	page_unlock(page);
}

struct page *pagecache_next(struct vm_object *obj, unsigned long *index, pgoff_t last, unsigned mark)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	struct page *page =
		mark == PAGECACHE_ANY ? radix_next(&obj->pages, index) : radix_next_marked(&obj->pages, index, mark);

	if (page && *index <= last)
		page_get(page);
	else
		page = NULL;
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	return page;
}

void pagecache_drop(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	unsigned long index = first;
	struct page *page;

	for (; (page = pagecache_next(obj, &index, last, PAGECACHE_ANY)); index++) {
		drop_page(obj, page);
		page_put(page);
		if (index == last)
			break;
	}
	object_swap_drop(obj, first, last);
}

bool pagecache_evict(struct page *page, bool trusted)
{
	struct vm_object *obj = page->object;
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	/* With the lock of the tree held nobody can come by another reference.  References first, then PG_DIRTY: evict.c. */
	bool evict = __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == 2 && (trusted || !page_test(page, PG_DIRTY)) &&
	             !page_test(page, PG_WRITEBACK);

	ASSERT(page_test(page, PG_LOCKED));
	if (evict) {
		page_clear(page, PG_DIRTY);
		pagecache_remove(obj, page);
	}
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	if (evict)
		page_put(page);
	return evict;
}

bool pagecache_replace(struct page *page, struct page *new)
{
	struct vm_object *obj = page->object;
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);
	bool alone = page_unreferenced(page, 2);

	ASSERT(page_test(page, PG_LOCKED) && page_test(new, PG_LOCKED));
	if (alone) {
		page_inherit(new, page);
		page_get(new);
		radix_replace(&obj->pages, page->index, new);
		page->object = NULL;
	}
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	if (alone)
		page_put(page);
	return alone;
}

/* Let go of a page that is the file's own content and that nobody but the cache and the caller refers to. */
static bool shed_page(struct vm_object *obj, struct page *page)
{
	bool shed;

	if (!page_try_lock(page))
		return false;
	shed = page->object == obj && pagecache_evict(page, false);
	page_unlock(page);
	return shed;
}

unsigned long pagecache_shed(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	unsigned long index = first, shed = 0;
	struct page *page;

	if (!obj->tracks_dirty)
		return 0;
	for (; (page = pagecache_next(obj, &index, last, PAGECACHE_ANY)); index++) {
		shed += shed_page(obj, page);
		page_put(page);
		if (index == last)
			break;
	}
	return shed;
}
