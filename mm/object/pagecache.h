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

/* Let go of pages in [first, last] that are clean, idle and not in use by anybody; how many. They can be read again.
 * => may sleep, no locks held */
unsigned long pagecache_shed(struct vm_object *obj, pgoff_t first, pgoff_t last);

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

/* The object has its first dirty page: put it on the flusher's list. => any context without flusher lock */
void writeback_enqueue(struct vm_object *obj);
/* Take the next object that became dirty before @dirtied_before off the list, held; NULL: none. */
struct vm_object *writeback_next_object(u64 dirtied_before);
/* The object dies: take it off the list. */
void writeback_forget(struct vm_object *obj);

#endif
