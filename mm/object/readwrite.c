/*
 * readwrite.c - read(2) and write(2) on an object through its page cache, with user or kernel buffers.
 *
 * Layer 5b (mm/object).  Interface: object.h.
 *
 * The trap: a write whose source is a mapping of its own destination page.  The copy runs with the page
 * locked, so a fault on the source would lock the same page again.  Therefore the source is touched first,
 * the copy runs with faults disabled, and what it could not copy is tried again (RF.22).
 */
#include <arch/uaccess.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "mm/object/dirty.h"
#include "mm/object/object_swap.h"
#include "mm/object/pagecache.h"
#include "mm/object/readahead.h"
#include "mm/phys/lru.h"

#define READ_STEP (512 * 1024)

/* The part of one page that a transfer touches. */
struct piece {
	pgoff_t index;
	unsigned offset, length;
};

static struct piece piece_at(loff_t pos, size_t n)
{
	struct piece p = {.index = (pgoff_t)((u64)pos >> PAGE_SHIFT), .offset = (unsigned)(pos & (PAGE_SIZE - 1))};

	p.length = (unsigned)min(n, (size_t)(PAGE_SIZE - p.offset));
	return p;
}

/* A buffer in either space; the functions return how many bytes could not be copied. */
struct buffer {
	char *base;
	bool user;
};

static size_t buffer_store(struct buffer b, size_t at, const void *src, size_t n)
{
	if (b.user)
		return copy_to_user_some(b.base + at, src, n);
	memcpy(b.base + at, src, n);
	return 0;
}

static size_t buffer_load_nofault(struct buffer b, size_t at, void *dst, size_t n)
{
	size_t left;

	if (!b.user) {
		memcpy(dst, b.base + at, n);
		return 0;
	}
	pagefault_disable();
	left = copy_from_user_some(dst, b.base + at, n);
	pagefault_enable();
	return left;
}

static size_t buffer_clear(struct buffer b, size_t at, size_t n)
{
	static const char zeros[PAGE_SIZE];

	return buffer_store(b, at, zeros, n);
}

/* Bring in the page that holds the first byte of the source. */
static int buffer_touch(struct buffer b, size_t at)
{
	char byte;

	return b.user ? copy_from_user(&byte, b.base + at, 1) : 0;
}

/* The page at @index, uptodate, referenced; NULL: there is none, and none is needed to read zeros. A page is filled under
 * invalidate_lock: who makes a hole and gives its blocks away keeps others from reading them. */
static struct page *get_page(struct vm_object *obj, pgoff_t index)
{
	struct page *page = pagecache_find(obj, index);

	if (page && page_test(page, PG_UPTODATE))
		return page;
	if (page)
		page_put(page);
	if (obj->ops->absent_is_zero && object_blank(obj, index))
		return NULL;
	rwsem_read_lock(&obj->invalidate_lock);
	page = pagecache_read(obj, index);
	rwsem_read_unlock(&obj->invalidate_lock);
	return page;
}

/* Tell the read-ahead of [pos, pos + n), as far as the file goes. */
static void announce(struct vm_object *obj, struct readahead *ra, loff_t pos, size_t n)
{
	loff_t size = READ_ONCE(obj->size);
	pgoff_t first = (pgoff_t)((u64)pos >> PAGE_SHIFT), last;

	if (pos >= size)
		return;
	last = (pgoff_t)((u64)(pos + min((loff_t)n, size - pos) - 1) >> PAGE_SHIFT);
	readahead_access(obj, ra, first, last - first + 1);
}

/* Hand out a part of @page, whose reference goes; bytes that could not be stored. */
static size_t read_piece(struct page *page, struct piece p, struct buffer to, size_t at)
{
	size_t left;
	char *va;

	if (!page)
		return buffer_clear(to, at, p.length);
	va = page_kmap(page);
	left = buffer_store(to, at, va + p.offset, p.length);
	page_kunmap(va);
	lru_accessed(page);
	page_put(page);
	return left;
}

static ssize_t read_pages(struct vm_object *obj, loff_t pos, struct buffer to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		loff_t size = READ_ONCE(obj->size);
		struct piece p;
		struct page *page;
		size_t left;

		if (pos + (loff_t)done >= size)
			break;
		p = piece_at(pos + (loff_t)done, (size_t)min((loff_t)(n - done), size - pos - (loff_t)done));
		page = get_page(obj, p.index);
		if (IS_ERR(page))
			return done ? (ssize_t)done : PTR_ERR(page);
		left = read_piece(page, p, to, done);
		done += p.length - left;
		if (left)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

/* A long read is announced in steps: not all of it has to be in memory at once. */
static ssize_t read_steps(struct vm_object *obj, loff_t pos, struct buffer to, size_t n, struct readahead *ra)
{
	size_t done = 0;

	while (done < n) {
		size_t step = min(n - done, (size_t)READ_STEP);
		ssize_t r;

		announce(obj, ra, pos + (loff_t)done, step);
		r = read_pages(obj, pos + (loff_t)done, (struct buffer){to.base + done, to.user}, step);
		if (r < 0)
			return done ? (ssize_t)done : r;
		done += (size_t)r;
		if ((size_t)r < step)
			break;
	}
	return (ssize_t)done;
}

ssize_t object_read_user(struct vm_object *obj, loff_t pos, void *user, size_t n, struct readahead *ra)
{
	return read_steps(obj, pos, (struct buffer){user, true}, n, ra);
}

ssize_t object_read(struct vm_object *obj, loff_t pos, void *buf, size_t n)
{
	struct readahead ra = {.next = (pgoff_t)((u64)pos >> PAGE_SHIFT)};

	return read_steps(obj, pos, (struct buffer){buf, false}, n, &ra);
}

static bool is_uptodate(const struct page *page)
{
	return page_test(page, PG_UPTODATE);
}

static bool is_dirty_and_idle(const struct page *page)
{
	return page_test(page, PG_UPTODATE) && page_test(page, PG_DIRTY) && !page_test(page, PG_WRITEBACK) &&
	       !page_test(page, PG_LOCKED);
}

/* How many of the bytes, from the first on, are in pages that @is_fit. */
static size_t count_ready(struct vm_object *obj, loff_t pos, size_t n, bool (*is_fit)(const struct page *page))
{
	size_t ready = 0;

	while (ready < n) {
		struct piece p = piece_at(pos + (loff_t)ready, n - ready);
		struct page *page = pagecache_find(obj, p.index);
		bool fit = page && is_fit(page);

		if (page)
			page_put(page);
		if (!fit)
			break;
		ready += p.length;
	}
	return ready;
}

size_t object_ready(struct vm_object *obj, loff_t pos, size_t n)
{
	return obj->tracks_dirty || READ_ONCE(obj->nr_slots) ? count_ready(obj, pos, n, is_uptodate) : n;
}

size_t object_ready_for_write(struct vm_object *obj, loff_t pos, size_t n)
{
	loff_t left = obj->size - pos;

	if (!obj->tracks_dirty)
		return n;
	if (left <= 0 || dirty_over_background())
		return 0;
	return count_ready(obj, pos, (size_t)min((loff_t)n, left), is_dirty_and_idle);
}

static loff_t piece_end(struct piece p, size_t copied)
{
	return ((loff_t)p.index << PAGE_SHIFT) + p.offset + (loff_t)copied;
}

/* Copy into the locked page; returns the bytes copied. */
static size_t load_piece(struct page *page, struct piece p, struct buffer from, size_t at)
{
	char *va = page_kmap(page);
	size_t copied = p.length - buffer_load_nofault(from, at, va + p.offset, p.length);

	page_kunmap(va);
	return copied;
}

/*
 * A page that will be replaced whole need not be read first.  It is filled while it is still not uptodate,
 * so that nobody sees it; if the source cannot be copied whole just now, its content is worth nothing and
 * the careful way (read it, then copy) is taken instead.  Returns true if the page is now as wanted.
 */
static bool replace_whole(struct vm_object *obj, struct page *page, struct piece p, struct buffer from, size_t at)
{
	if (p.offset || (p.length < PAGE_SIZE && piece_end(p, p.length) < obj->size))
		return false;
	page_zero(page);
	return load_piece(page, p, from, at) == p.length;
}

static int bring_uptodate(struct vm_object *obj, struct page *page, struct piece p)
{
	if (page_test(page, PG_UPTODATE))
		return 0;
	if (((loff_t)p.index << PAGE_SHIFT) < obj->size)
		return obj->ops->read_page(obj, page);
	page_zero(page);
	page_set(page, PG_UPTODATE);
	return 0;
}

/* One locked page's worth of write: bytes copied (0: touch the source and come back), or an error. */
static ssize_t write_locked(struct vm_object *obj, struct page *page, struct piece p, struct buffer from, size_t at)
{
	bool replaced = !page_test(page, PG_UPTODATE) && replace_whole(obj, page, p, from, at);
	size_t copied = p.length;
	int err = replaced ? 0 : bring_uptodate(obj, page, p);

	if (!err)
		err = pagecache_reserve(obj, page);
	if (err)
		return err;
	if (replaced)
		page_set(page, PG_UPTODATE);
	else
		copied = load_piece(page, p, from, at);
	pagecache_set_dirty(page);
	if (copied && piece_end(p, copied) > obj->size)
		WRITE_ONCE(obj->size, piece_end(p, copied));
	return (ssize_t)copied;
}

static ssize_t write_piece(struct vm_object *obj, struct piece p, struct buffer from, size_t at)
{
	struct page *page = pagecache_get_locked(obj, p.index);
	ssize_t r;

	if (IS_ERR(page))
		return PTR_ERR(page);
	r = write_locked(obj, page, p, from, at);
	lru_accessed(page);
	page_unlock(page);
	page_put(page);
	return r;
}

static ssize_t write_pages(struct vm_object *obj, loff_t pos, struct buffer from, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = buffer_touch(from, done);

		if (!r)
			r = write_piece(obj, piece_at(pos + (loff_t)done, n - done), from, done);
		if (r < 0)
			return done ? (ssize_t)done : r;
		done += (size_t)r;
		dirty_throttle();
	}
	return (ssize_t)done;
}

ssize_t object_write_user(struct vm_object *obj, loff_t pos, const void *user, size_t n)
{
	return write_pages(obj, pos, (struct buffer){(char *)user, true}, n);
}

ssize_t object_write(struct vm_object *obj, loff_t pos, const void *buf, size_t n)
{
	return write_pages(obj, pos, (struct buffer){(char *)buf, false}, n);
}
