/*
 * readahead.c - read-ahead: guess, and start large requests.
 *
 * Layer 5b (mm/object).  Interface: readahead.h.
 * Lock order: invalidate_lock (read), then the new pages' locks, which the end of their reading gives back.
 *
 *                 index    next            end
 *   ----- read ----|- now --|--- ahead -----|---- not started ---
 *                           |<-- window -------->|
 *
 * A sequential reader finds `window` pages ahead of it under way or there.  They are topped up when half of them or
 * less is left, so a request has at least half a window's pages: 256 KiB, the most a request may have, when the window
 * is full.  A jump reads exactly what was asked for and starts over.
 */
#include "mm/object/readahead.h"

#include "kernel/lib/err.h"
#include "mm/object/pagecache.h"

#define BATCH 64 /* pages handed to the file system at once */
#define WINDOW_FIRST 4
#define WINDOW_MAX 128    /* 512 KiB */
#define ACCESS_MAX 1024ul /* of one call, pages */

/* New consecutive pages on their way to one read_pages() call. */
struct batch {
	struct vm_object *obj;
	struct page *pages[BATCH];
	unsigned nr;
};

static void batch_submit(struct batch *b)
{
	if (b->nr)
		b->obj->ops->read_pages(b->obj, b->pages, b->nr);
	b->nr = 0;
}

static bool is_cached(struct vm_object *obj, pgoff_t index)
{
	struct page *page = pagecache_find(obj, index);

	if (page)
		page_put(page);
	return page != NULL;
}

/* False: no memory for more. A page that is there, or that somebody else makes just now, ends the request. */
static bool batch_add(struct batch *b, pgoff_t index)
{
	struct page *page = ERR_PTR(-EEXIST);

	if (b->nr == BATCH)
		batch_submit(b);
	if (!is_cached(b->obj, index))
		page = pagecache_create_locked(b->obj, index, GFP_USER | GFP_NOWARN);
	if (IS_ERR(page)) {
		batch_submit(b);
		return PTR_ERR(page) == -EEXIST;
	}
	b->pages[b->nr++] = page;
	return true;
}

void readahead_range(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	struct batch b = {.obj = obj};
	pgoff_t pages;

	if (!obj->ops->read_pages)
		return;
	rwsem_read_lock(&obj->invalidate_lock); /* no page appears where a hole is being made */
	pages = object_size_pages(obj);
	for (pgoff_t index = first; index < pages && index <= last; index++)
		if (!batch_add(&b, index))
			break;
	batch_submit(&b);
	rwsem_read_unlock(&obj->invalidate_lock);
}

/* Does the access go on where the last one ended (or is still in its last page), or where the pages ahead end? */
static bool is_sequential(const struct readahead *ra, pgoff_t index)
{
	return index == ra->next || index + 1 == ra->next || index == ra->end;
}

static unsigned grown(const struct readahead *ra)
{
	if (ra->mode == READAHEAD_SEQUENTIAL)
		return WINDOW_MAX;
	return min(max(ra->window * 2, (unsigned)WINDOW_FIRST), (unsigned)WINDOW_MAX);
}

static void restart(struct readahead *ra, pgoff_t index, unsigned long nr)
{
	ra->next = ra->end = index + nr;
	ra->window = 0;
}

/* Up to where reading is started from @from on: a window ahead, or a little less, if that saves a short last request. */
static pgoff_t window_end(const struct readahead *ra, pgoff_t from)
{
	pgoff_t end = ra->next + ra->window, whole = from + (end - from) / BATCH * BATCH;

	return whole > from && whole >= ra->next + ra->window / 2 ? whole : end;
}

void readahead_access(struct vm_object *obj, struct readahead *ra, pgoff_t index, unsigned long nr)
{
	pgoff_t from;

	if (!obj->ops->read_pages)
		return;
	nr = min(nr, ACCESS_MAX);
	if (ra->mode == READAHEAD_RANDOM || !is_sequential(ra, index)) {
		restart(ra, index, nr);
		readahead_range(obj, index, index + nr - 1);
		return;
	}
	ra->next = index + nr;
	if (ra->end > ra->next + ra->window / 2 && ra->window)
		return;
	ra->window = grown(ra);
	from = max(ra->end, index);
	ra->end = window_end(ra, from);
	readahead_range(obj, from, ra->end - 1);
}
