/*
 * pagecache.h - what the files of mm/object tell each other.  Layer 5b, private to mm/object (and the
 * fault handler of mm/space, which maps what the cache holds).
 */
#ifndef MM_OBJECT_PAGECACHE_H
#define MM_OBJECT_PAGECACHE_H

#include "mm/object/object.h"

/* Pages that the file's size covers, the last perhaps in part. */
static inline pgoff_t object_size_pages(const struct vm_object *obj)
{
	return (pgoff_t)((u64)(READ_ONCE(obj->size) + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

/* The page at @index < @size if it is cached and uptodate, with a reference, or NULL. => pages_lock held */
static inline struct page *pagecache_find_uptodate(struct vm_object *obj, pgoff_t index, pgoff_t size)
{
	struct page *page = likely(index < size) ? radix_lookup(&obj->pages, index) : NULL;

	if (unlikely(!page || !page_test(page, PG_UPTODATE)))
		return NULL;
	page_get(page);
	return page;
}

/* The page at @index if it can be mapped at once, with a reference, or NULL. => invalidate_lock held */
struct page *pagecache_find_mappable(struct vm_object *obj, pgoff_t index);

/* Take every page in [first, last] out of the cache, dirty or not, after waiting for its writeback.
 * => nothing maps them any more; may sleep */
void pagecache_drop(struct vm_object *obj, pgoff_t first, pgoff_t last);

/* The first page at or after *@index that has @mark (RADIX_MARK_*, or PAGECACHE_ANY), referenced; *@index: where it is.
 * NULL: none up to @last. => any context */
#define PAGECACHE_ANY (~0u)
struct page *pagecache_next(struct vm_object *obj, unsigned long *index, pgoff_t last, unsigned mark);

/* Let go of pages in [first, last] that are clean, idle and not in use by anybody; how many. They can be read again.
 * => may sleep, no locks held */
unsigned long pagecache_shed(struct vm_object *obj, pgoff_t first, pgoff_t last);

/* Take a page that is the file's own content out of the cache, if only cache and caller refer to it: the caller's
 * reference is the last then. @trusted: it is taken for clean without looking (mutation M19).
 * => page locked, of an object, mapped nowhere */
bool pagecache_evict(struct page *page, bool trusted);

/* @new takes the place of @page, if only cache and caller refer to that: with its marks, and the cache's reference.  False:
 * nothing happened. => both locked, @page mapped nowhere; @new has all that is known of the page but the content */
bool pagecache_replace(struct page *page, struct page *new);

/* @page, locked, is the cache's at @index from now on, which has a reference: 0; -EEXIST: there is one. -ENOMEM.
 * => pages_lock, radix_preload() */
int pagecache_insert(struct vm_object *obj, struct page *page, pgoff_t index);
/* And no more; the cache's reference becomes the caller's. => page locked, pages_lock */
void pagecache_remove(struct vm_object *obj, struct page *page);

/* A new page at @index, locked, referenced, not uptodate: ERR_PTR(-EEXIST, -ENOMEM). Whoever ends its reading may
 * unlock it: the validator does not know this lock. => may sleep */
struct page *pagecache_create_locked(struct vm_object *obj, pgoff_t index, enum gfp gfp);

/* The tree's dirty mark of one page, and what is counted with it. => pages_lock */
void pagecache_mark_dirty(struct vm_object *obj, pgoff_t index);
void pagecache_unmark_dirty(struct vm_object *obj, pgoff_t index);

/* The locked page's content will change: wait for its writeback, let the file system reserve what writing it
 * back will need. 0, -ENOSPC, -EIO. => may sleep */
int pagecache_reserve(struct vm_object *obj, struct page *page);
/* pagecache_reserve() and mark it dirty: the page is about to become writable through a mapping. */
int pagecache_mkwrite(struct vm_object *obj, struct page *page);

/* An entry that was just emptied had its dirty bit set. => its PTL (or the page lock) held */
void pagecache_dirty_from_pte(struct page *page);

/* -- dirty_list.c: objects with pages that are dirty or on their way (=> any context without flusher lock) ---- */
/* The object has a dirty page; it is not on the list perhaps. */
void dirty_list_join(struct vm_object *obj);
/* Take it off if there is nothing left to write. */
void dirty_list_settle(struct vm_object *obj);
/* If there is nothing left to write: what becomes dirty from now on is young. */
void dirty_list_renew(struct vm_object *obj);
/* The object dies: take it off. */
void dirty_list_leave(struct vm_object *obj);

/* Who goes along the list, from the first to what was the last when it began. */
struct dirty_walk {
	u64 seen, end;      /* members by number; of this file */
	u64 dirtied_before; /* only those that joined, or were found by such a walk, before that time */
	bool spare_busy;    /* not those that somebody is writing and waiting for already */
};
void dirty_walk_begin(struct dirty_walk *w);
/* The next object, held (object_ops.hold), or NULL. => any context without flusher lock */
struct vm_object *dirty_walk_next(struct dirty_walk *w);

#endif
