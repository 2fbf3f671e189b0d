/*
 * writeback.c - dirty pages to the device: on demand (msync, fsync, sync) and by the flusher thread.
 *
 * Layer 5b (mm/object).  Interface: object.h.
 * Lock order: page lock, maps.lock, PTL, pages_lock.
 *
 * One page's way, all under its page lock:
 *
 *   1. mkclean: write-protect every entry, flush; if any was dirty or writable the page is dirty
 *   2. test and clear PG_DIRTY: the one serialisation point.  A store that came before step 1 is in the page;
 *      a store that comes after it faults, and waits for the page lock
 *   3. a page under a write pin stays dirty: its device stores without faulting (thread 1)
 *   4. PG_WRITEBACK set, page unlocked, I/O submitted; completion clears it
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/trace.h"
#include "mm/object/dirty.h"
#include "mm/object/pagecache.h"
#include "mm/object/pin_witness.h"

#define WRITE_BATCH 64

/* Step 3: may a device store into the page?  The Dekker pair of page_pinned(): every entry was cleared and flushed in
 * step 1, and a pin counts itself before it looks at the entry again.  So a pin that is not seen here finds no writable
 * entry, and comes through page_mkwrite, after the clearing of PG_DIRTY (R1.2): the page lock is ours until then. */
static bool stays_dirty(const struct page *page)
{
	SYNC_POINT("mkclean-before-pin");
	return page_write_pinned(page);
}

/* Step 1; debug builds: with the witness, who says what a verdict from mapcounts would be. */
static bool clean_entries(struct vm_object *obj, struct page *page, struct pin_witness *w, unsigned *entries)
{
	if (!DEBUG)
		return rmap_mkclean(&obj->maps, page, NULL);
	pin_witness_begin(w, page);
	SYNC_POINT("mkclean-begins");
	return rmap_mkclean(&obj->maps, page, entries);
}

/* Steps 1 to 3: is there anything to write? => page locked, not under writeback */
static bool clear_dirty_for_io(struct vm_object *obj, struct page *page)
{
	bool leased = MUTATION(12) && stays_dirty(page), counted, dirty; /* M12: the pins first, and then the entries */
	struct pin_witness witness;
	unsigned entries;

	if (clean_entries(obj, page, &witness, &entries))
		pagecache_set_dirty(page);
	dirty = page_test_and_clear(page, PG_DIRTY);
	if (dirty && !MUTATION(12))
		leased = stays_dirty(page);
	counted = DEBUG && pin_witness_end(&witness, entries);
	if (MUTATION(11)) /* M11: the verdict from mapcounts */
		leased = counted;
	if (dirty && leased)
		page_set(page, PG_DIRTY);
	TRACE(TRACE_VERDICT, NULL, 0, page_to_pfn(page), (unsigned)page->pins_w, leased);
	return dirty;
}

/* Step 4's bookkeeping. */
static void start_writeback(struct vm_object *obj, struct page *page)
{
	unsigned long flags;

	page_set(page, PG_WRITEBACK);
	page_get(page);
	flags = spin_lock_irqsave(&obj->pages_lock);
	radix_mark(&obj->pages, page->index, RADIX_MARK_WRITEBACK);
	if (!page_test(page, PG_DIRTY))
		pagecache_unmark_dirty(obj, page->index);
	obj->nr_writeback++;
	dirty_count(&dirty_stat.writeback, 1);
	spin_unlock_irqrestore(&obj->pages_lock, flags);
}

/* => pages_lock */
static void note_failure(struct vm_object *obj, int error)
{
	obj->wb_failures++;
	errseq_set(&obj->wb_err, error);
	if (obj->fs_err)
		errseq_set(obj->fs_err, error);
}

void object_writeback_done(struct vm_object *obj, struct page *page, int error)
{
	unsigned long flags = spin_lock_irqsave(&obj->pages_lock);

	if (error)
		note_failure(obj, error);
	if (page->object == obj) {
		radix_unmark(&obj->pages, page->index, RADIX_MARK_WRITEBACK);
		if (error)
			pagecache_mark_dirty(obj, page->index);
	}
	obj->nr_writeback--;
	dirty_count(&dirty_stat.writeback, -1);
	spin_unlock_irqrestore(&obj->pages_lock, flags);
	if (error) { /* still newer than the file: a later attempt may succeed */
		page_set(page, PG_ERROR);
		page_set(page, PG_DIRTY);
	} else {
		page_clear(page, PG_ERROR);
		dirty_count(&dirty_stat.written, 1);
	}
	page_end_writeback(page);
	page_put(page);
}

/* Prepare @page for I/O; true if it must be written. @wait: also when it is already being written. */
static bool prepare_for_io(struct vm_object *obj, struct page *page, bool wait)
{
	bool write = false;

	page_lock(page);
	if (wait)
		page_wait_writeback(page);
	if (page->object == obj && !page_test(page, PG_WRITEBACK))
		write = clear_dirty_for_io(obj, page);
	if (write)
		start_writeback(obj, page);
	page_unlock(page);
	return write;
}

/* Pages on their way to one write_pages() call: consecutive, so that they may share a request. */
struct batch {
	struct vm_object *obj;
	struct page *pages[WRITE_BATCH];
	unsigned nr;
};

static void batch_submit(struct batch *b)
{
	if (b->nr)
		b->obj->ops->write_pages(b->obj, b->pages, b->nr);
	b->nr = 0;
}

static void batch_add(struct batch *b, struct page *page)
{
	if (b->nr == WRITE_BATCH || (b->nr && b->pages[b->nr - 1]->index + 1 != page->index))
		batch_submit(b);
	b->pages[b->nr++] = page;
}

static void write_range(struct vm_object *obj, pgoff_t first, pgoff_t last, bool wait)
{
	struct batch b = {.obj = obj};
	unsigned long index = first;
	struct page *page;

	for (; (page = pagecache_next(obj, &index, last, RADIX_MARK_DIRTY)); index++) {
		/* Never wait for one page's I/O while holding others back: submit them first. */
		if (wait && page_test(page, PG_WRITEBACK))
			batch_submit(&b);
		if (prepare_for_io(obj, page, wait))
			batch_add(&b, page);
		page_put(page);
		if (index == last)
			break;
	}
	batch_submit(&b);
}

void object_wait_writeback(struct vm_object *obj, pgoff_t first, pgoff_t last)
{
	unsigned long index = first;
	struct page *page;

	for (; (page = pagecache_next(obj, &index, last, RADIX_MARK_WRITEBACK)); index++) {
		page_wait_writeback(page);
		page_put(page);
		if (index == last)
			break;
	}
}

int object_writeback(struct vm_object *obj, pgoff_t first, pgoff_t last, bool wait)
{
	unsigned long failures = READ_ONCE(obj->wb_failures);

	if (!obj->tracks_dirty)
		return 0;
	if (wait)
		atomic_inc(&obj->syncing);
	write_range(obj, first, last, wait);
	if (wait) {
		object_wait_writeback(obj, first, last);
		atomic_dec(&obj->syncing);
	}
	dirty_list_renew(obj);
	return READ_ONCE(obj->wb_failures) == failures ? 0 : errseq_last(&obj->wb_err);
}

int object_fsync(struct vm_object *obj, pgoff_t first, pgoff_t last, bool data_only)
{
	int err = object_writeback(obj, first, last, true);
	int meta = obj->ops->sync_meta ? obj->ops->sync_meta(obj, data_only) : 0;

	return err ? err : meta;
}
