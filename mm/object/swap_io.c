/*
 * swap_io.c - pages to and from their slots, as many as possible in one request.
 *
 * Layer 5b (mm/object).  Interface: swap.h.
 *
 * Writing: the reclaimer collects pages; slots are given one after another, so a batch is usually one request.  Reading: with
 * the page that is needed come its neighbours in an aligned window of slots, if somebody still refers to them; what was
 * swapped out together tends to be wanted together.
 *
 * An error.  Writing: the page stays in memory, dirty, mapped by who comes; it will be tried again.  Reading: the page leaves
 * the cache, who needs it gets SIGBUS, and the next attempt asks the device again.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/failpoint.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/swap_area.h"
#include "mm/phys/lru.h"

#define WINDOW 8 /* slots */

static void count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* Does an entry refer to it, does it exist at all? */
static bool wanted(swap_entry_t entry)
{
	struct page *page;
	unsigned n;

	return swap_slot_look(entry, &n, &page) && n;
}

/* -- out ------------------------------------------------------------------------------------------------------------ */

void swap_submit(struct swap_io *io)
{
	struct swap_area *area;
	unsigned n = io->nr;

	if (!n)
		return;
	io->nr = 0;
	area = swap_area_of(swap_page_entry(io->pages[0]));
	area->ops->write(area->host, swap_slot_of(swap_page_entry(io->pages[0])), io->pages, n);
}

void swap_write(struct swap_io *io, struct page *page)
{
	ASSERT(page_test(page, PG_LOCKED) && page_test(page, PG_SWAPCACHE) && !page_test(page, PG_WRITEBACK));
	ASSERT(page->mapcount == 0);
	if (io->nr == SWAP_BATCH || (io->nr && io->pages[io->nr - 1]->private + 1 != page->private))
		swap_submit(io);
	page_clear(page, PG_DIRTY);
	page_set(page, PG_WRITEBACK);
	page_get(page);
	page_unlock(page);
	io->pages[io->nr++] = page;
}

/* Who referred to it may have gone while it was written. */
static void drop_if_unwanted(swap_entry_t entry)
{
	struct page *page = wanted(entry) ? NULL : swap_find(entry);

	if (page) {
		swap_drop_unused(page);
		page_put(page);
	}
}

/* Our reference goes first: who waits for the end wants to find nobody's but his own and the cache's, which keeps the page
 * as long as it is under writeback. */
void swap_write_done(struct page *page, int error)
{
	swap_entry_t entry = swap_page_entry(page);

	if (error) {
		page_set(page, PG_ERROR);
		page_set(page, PG_DIRTY);
	} else {
		page_clear(page, PG_ERROR);
		count(&swap_pages_out);
	}
	page_put(page);
	page_end_writeback(page);
	drop_if_unwanted(entry);
}

/* -- in -------------------------------------------------------------------------------------------------------------- */

/* As above; here it is the page lock that keeps the page in the cache. */
void swap_read_done(struct page *page, int error)
{
	swap_entry_t entry = swap_page_entry(page);

	if (!error) {
		page_set(page, PG_UPTODATE);
		count(&swap_pages_in);
	} else if (error != -ENOMEM) { /* no memory for a request says nothing about the device */
		page_set(page, PG_ERROR);
	}
	page_put(page);
	page_unlock(page);
	drop_if_unwanted(entry);
}

/* A new page in the cache for @entry, locked by nobody the validator knows, with a reference; ERR_PTR(-EEXIST, -ENOENT,
 * -ENOMEM). */
static struct page *enter_new(swap_entry_t entry, enum gfp gfp)
{
	struct page *page = page_alloc(0, gfp);
	int err;

	if (!page)
		return ERR_PTR(-ENOMEM);
	page->flags = BIT(PG_LOCKED) | BIT(PG_ANON) | BIT(PG_SWAPBACKED);
	err = swap_cache_insert(page, entry, false);
	if (!err) {
		lru_add(page);
		return page;
	}
	page_unlock(page);
	page_put(page);
	return ERR_PTR(err);
}

/* Does anybody refer to the slot, and is its page not here? */
static bool missing(swap_entry_t entry)
{
	struct page *page;
	unsigned n;

	return swap_slot_look(entry, &n, &page) && n && !page;
}

/* Start reading the slots of the window around @entry that need it. 0; -ENOMEM: @entry's own page could not be had. */
static int read_window(swap_entry_t entry)
{
	struct swap_area *area = swap_area_of(entry);
	unsigned long slot = ALIGN_DOWN(swap_slot_of(entry), (unsigned long)WINDOW), end = slot + WINDOW;
	struct page *run[WINDOW];
	unsigned n = 0;
	int err = 0;

	for (; slot < end; slot++) {
		bool needed = slot == swap_slot_of(entry);
		struct page *page = ERR_PTR(-ENOENT);

		if (missing(swap_entry(area, slot)))
			page = enter_new(swap_entry(area, slot), needed ? GFP_USER : GFP_USER | GFP_NOWARN);
		if (!IS_ERR(page)) {
			run[n++] = page;
			continue;
		}
		if (needed && PTR_ERR(page) == -ENOMEM)
			err = -ENOMEM;
		if (n)
			area->ops->read(area->host, slot - n, run, n);
		n = 0;
	}
	if (n)
		area->ops->read(area->host, slot - n, run, n);
	return err;
}

void swap_prefetch(swap_entry_t entry)
{
	struct page *page = swap_find(entry);

	if (page)
		page_put(page);
	else
		(void)read_window(entry);
}

/* Wait for a page that was found: true if it is there. Else *@err. => referenced */
static bool await(struct page *page, swap_entry_t entry, int *err)
{
	bool good = false;

	*err = page_lock_killable(page);
	if (*err)
		return false;
	if (swap_page_is(page, entry)) {
		good = page_test(page, PG_UPTODATE);
		if (!good && page_test(page, PG_SWAPCACHE)) {
			swap_cache_remove(page);
			page_put(page);
			*err = page_test(page, PG_ERROR) ? -EIO : -ENOMEM;
		}
	}
	page_unlock(page);
	return good;
}

struct page *swap_read(swap_entry_t entry)
{
	bool asked = false; /* an error that we find is the answer to our own question, not a neighbour's read-ahead */

	for (;;) {
		struct page *page = swap_find(entry);
		int err = 0;

		if (page) {
			if (await(page, entry, &err))
				return page;
			page_put(page);
			if (err && (asked || err == -EINTR))
				return ERR_PTR(err);
			continue; /* it left the cache meanwhile */
		}
		if (!wanted(entry))
			return NULL;
		asked = true;
		err = read_window(entry);
		if (err)
			return ERR_PTR(err);
	}
}
