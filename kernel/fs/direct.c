/*
 * direct.c - O_DIRECT: between the disk and the caller's pinned pages, past the page cache but never against it.
 *
 * Layer 9 (kernel/fs).  Interface: vfs_internal.h.  For file systems with inode_ops.extent.
 * Lock order: inode lock (held throughout: no block is given away meanwhile), mm->lock for pinning, then, for a
 * write, invalidate_lock, page locks.  The caller's pages are pinned before invalidate_lock is taken: they may be
 * a mapping of the very same file.
 *
 *   read    holes are looked up, then dirty pages of the range go to the disk; what was a hole reads as zeros
 *   write   over blocks that the file has: the range is taken out of all address spaces and of the cache, and
 *           kept out until the disk has the new data.  Everything else (growing, holes, a page into which a device
 *           stores) goes through the cache and is written back at once.
 */
#include "kernel/dev/block.h"
#include "kernel/fs/vfs_internal.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/completion.h"
#include "mm/object/pagecache.h"
#include "mm/service/pin.h"

#define CHUNK_PAGES 64

/* One stretch of the caller's memory, pinned, and its place in the file. */
struct chunk {
	struct inode *inode;
	loff_t pos;
	struct page *pages[CHUNK_PAGES];
	unsigned long nr;
	unsigned head; /* where in the first page it begins */
	size_t bytes;
	bool write;                                              /* to the file */
	bool any_hole;                                           /* of a read: */
	u8 holes[CHUNK_PAGES * (PAGE_SIZE >> SECTOR_SHIFT) / 8]; /* a bit a sector, of those that are in none */
};

/* Requests under way. */
struct flight {
	struct completion done;
	unsigned nr;
	int error; /* of any of them */
};

static bool is_aligned(const void *user, size_t n, loff_t pos)
{
	return IS_ALIGNED((uintptr_t)user | n | (u64)pos, (u64)SECTOR_SIZE);
}

/* -- memory ------------------------------------------------------------------------------------------------------ */

static struct mm *current_mm(void)
{
	return container_of(current_thread()->pt, struct mm, pt);
}

static unsigned pin_flags(const struct chunk *c)
{
	return c->write ? 0 : FOLL_WRITE; /* a read from the file stores into memory */
}

/* Pin at most @n bytes at @user: 0, or an error if not even a sector's worth could be pinned. */
static int chunk_pin(struct chunk *c, const char *user, size_t n)
{
	long got;

	c->head = (unsigned)((uintptr_t)user & (PAGE_SIZE - 1));
	c->bytes = min(n, (size_t)(CHUNK_PAGES * PAGE_SIZE - c->head));
	got = pin_user_pages_fast(current_mm(), (vaddr_t)user, (c->head + c->bytes + PAGE_SIZE - 1) >> PAGE_SHIFT,
	                          pin_flags(c), c->pages);
	if (got < 0)
		return (int)got;
	c->nr = (unsigned long)got;
	c->bytes = min(c->bytes, (size_t)(c->nr << PAGE_SHIFT) - c->head);
	return 0;
}

static void chunk_unpin(struct chunk *c)
{
	unpin_user_pages(c->pages, c->nr, pin_flags(c), !c->write);
}

/* The piece of memory @at bytes into the chunk, at most @n long. */
static struct bio_vec piece_at(const struct chunk *c, size_t at, size_t n)
{
	size_t from = c->head + at;
	unsigned offset = (unsigned)(from & (PAGE_SIZE - 1));

	return (struct bio_vec){.page = c->pages[from >> PAGE_SHIFT],
	                        .offset = offset,
	                        .length = (unsigned)min(n, (size_t)(PAGE_SIZE - offset))};
}

static void zero_memory(const struct chunk *c, size_t at, size_t n)
{
	while (n) {
		struct bio_vec v = piece_at(c, at, n);
		char *va = page_kmap(v.page);

		memset(va + v.offset, 0, v.length);
		page_kunmap(va);
		at += v.length;
		n -= v.length;
	}
}

/* -- requests ---------------------------------------------------------------------------------------------------- */

/* => interrupt context */
static void request_done(struct bio *bio, int error)
{
	struct flight *f = bio->ctx;

	if (error)
		__atomic_store_n(&f->error, error, __ATOMIC_RELAXED);
	bio_free(bio);
	complete(&f->done);
}

/* Start moving [at, at + n) of the chunk from or to @sector on. 0, -ENOMEM. */
static int start_run(struct flight *f, const struct chunk *c, size_t at, size_t n, struct block_device *dev, u64 sector)
{
	while (n) {
		struct bio *bio = bio_alloc(GFP_KERNEL);
		struct bio_vec v;

		if (!bio)
			return -ENOMEM;
		bio->dev = dev;
		bio->sector = sector;
		bio->write = bio->moving = c->write;
		bio->done = request_done;
		bio->ctx = f;
		for (; n; at += v.length, n -= v.length, sector += v.length >> SECTOR_SHIFT) {
			v = piece_at(c, at, n);
			if (!bio_add(bio, v.page, v.offset, v.length))
				break;
		}
		f->nr++;
		block_submit(bio);
	}
	return 0;
}

/* Where the file's bytes from @pos on are; @pos need not be at the start of a block. */
static int extent_at(struct inode *inode, loff_t pos, size_t n, struct file_extent *x)
{
	size_t skip = (size_t)(pos & (loff_t)(inode->super->block_size - 1));
	int err = inode->ops->extent(inode, pos - (loff_t)skip, n + skip, x);

	if (err)
		return err;
	x->sector += skip >> SECTOR_SHIFT;
	x->bytes = min(x->bytes - skip, n);
	return 0;
}

static bool in_hole(const struct chunk *c, size_t at)
{
	return c->holes[at >> SECTOR_SHIFT >> 3] >> (at >> SECTOR_SHIFT & 7) & 1;
}

/* How many bytes from @at on are in a hole, or not, as the first is. */
static size_t alike(const struct chunk *c, size_t at)
{
	size_t end = at;

	if (likely(!c->any_hole))
		return c->bytes - at;
	while (end < c->bytes && in_hole(c, end) == in_hole(c, at))
		end += SECTOR_SIZE;
	return end - at;
}

/* @c->holes; nobody is making a page of the file dirty any more who had given it its block before. */
static int note_holes(struct chunk *c)
{
	struct rwsem *lock = &c->inode->obj.invalidate_lock;
	struct file_extent x;
	int err;

	for (size_t at = 0; at < c->bytes; at += x.bytes) {
		err = extent_at(c->inode, c->pos + (loff_t)at, c->bytes - at, &x);
		if (err)
			return err;
		c->any_hole |= x.hole;
		for (size_t i = at; x.hole && i < at + x.bytes; i += SECTOR_SIZE)
			c->holes[i >> SECTOR_SHIFT >> 3] |= (u8)(1 << (i >> SECTOR_SHIFT & 7));
	}
	rwsem_write_lock(lock); /* whoever stores through a mapping holds it for reading from one to the other */
	rwsem_write_unlock(lock);
	return 0;
}

/* Move all of it, and wait. */
static int chunk_move(const struct chunk *c)
{
	struct flight f = {.nr = 0};
	struct file_extent x;
	int err = 0;

	completion_init(&f.done);
	for (size_t at = 0; at < c->bytes && !err; at += x.bytes) {
		x.bytes = alike(c, at);
		if (in_hole(c, at)) {
			zero_memory(c, at, x.bytes);
			continue;
		}
		err = extent_at(c->inode, c->pos + (loff_t)at, x.bytes, &x);
		if (err)
			break;
		ASSERT(!x.hole);
		err = start_run(&f, c, at, x.bytes, x.dev, x.sector);
	}
	for (unsigned i = 0; i < f.nr; i++)
		completion_wait(&f.done);
	return err ? err : f.error;
}

/* -- reading ----------------------------------------------------------------------------------------------------- */

static pgoff_t page_of(loff_t pos)
{
	return (pgoff_t)((u64)pos >> PAGE_SHIFT);
}

/*
 * A page in a hole gets its block when it becomes dirty, and that block holds anything until the page is written.  So first
 * the holes: whoever stores into one later comes, as far as we are concerned, after us.  What has its block is dirty by
 * the time when we write back, if it is not on the disk.
 */
static int read_chunk(struct chunk *c, char *user, size_t n)
{
	int err = chunk_pin(c, user, n);

	if (err)
		return err;
	err = note_holes(c);
	if (!err)
		err = object_writeback(&c->inode->obj, page_of(c->pos), page_of(c->pos + (loff_t)c->bytes - 1), true);
	SYNC_POINT("direct-read");
	if (!err)
		err = chunk_move(c);
	chunk_unpin(c);
	return err;
}

/* => inode lock */
static ssize_t read_locked(struct inode *inode, char *user, size_t n, loff_t pos)
{
	struct chunk *c;
	size_t done = 0;
	int err = 0;

	c = kmalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	for (; done < n && !err; done += err ? 0 : c->bytes) {
		*c = (struct chunk){.inode = inode, .pos = pos + (loff_t)done};
		err = read_chunk(c, user + done, n - done);
	}
	kfree(c);
	return done ? (ssize_t)done : err;
}

ssize_t direct_read(struct inode *inode, void *user, size_t n, loff_t pos)
{
	loff_t left;
	ssize_t r = 0;

	if (!is_aligned(user, n, pos))
		return -EINVAL;
	rwsem_read_lock(&inode->lock);
	left = inode->obj.size - pos;
	if (n && left > 0) {
		n = (size_t)min((loff_t)n, ALIGN_UP(left, (loff_t)SECTOR_SIZE));
		r = read_locked(inode, user, n, pos);
	}
	rwsem_read_unlock(&inode->lock);
	return r > 0 ? (ssize_t)min((loff_t)r, left) : r;
}

/* -- writing ----------------------------------------------------------------------------------------------------- */

/* Does the file have a block for each byte of [pos, pos + n)? 1, 0, -EIO. */
static int has_blocks(struct inode *inode, loff_t pos, size_t n)
{
	struct file_extent x;

	if (pos + (loff_t)n > inode->obj.size)
		return 0;
	for (size_t at = 0; at < n; at += x.bytes) {
		int err = extent_at(inode, pos + (loff_t)at, n - at, &x);

		if (err)
			return err;
		if (x.hole)
			return 0;
	}
	return 1;
}

static int write_chunk(struct chunk *c, const char *user, size_t n)
{
	struct vm_object *obj = &c->inode->obj;
	int err = chunk_pin(c, user, n);

	if (err)
		return err;
	err = object_evict_begin(obj, page_of(c->pos), page_of(c->pos + (loff_t)c->bytes - 1));
	if (!err) {
		err = chunk_move(c);
		object_evict_end(obj);
	}
	chunk_unpin(c);
	return err;
}

/* Through the cache, and to the disk at once. => inode lock */
static ssize_t write_through(struct inode *inode, const char *user, size_t n, loff_t pos)
{
	ssize_t r = cached_write(inode, user, n, pos);
	pgoff_t first = page_of(pos), last;
	int err;

	if (r <= 0)
		return r;
	last = page_of(pos + r - 1);
	err = object_writeback(&inode->obj, first, last, true);
	if (err)
		return err;
	pagecache_shed(&inode->obj, first, last);
	return r;
}

ssize_t direct_write(struct inode *inode, const void *user, size_t n, loff_t pos)
{
	const char *from = user;
	struct chunk *c;
	size_t done = 0;
	int err;

	if (!is_aligned(user, n, pos))
		return -EINVAL;
	err = has_blocks(inode, pos, n);
	if (err <= 0)
		return err < 0 ? err : write_through(inode, from, n, pos);
	c = kmalloc(sizeof(*c), GFP_KERNEL);
	if (!c)
		return -ENOMEM;
	for (err = 0; done < n && !err; done += err ? 0 : c->bytes) {
		*c = (struct chunk){.inode = inode, .pos = pos + (loff_t)done, .write = true};
		err = write_chunk(c, from + done, n - done);
	}
	kfree(c);
	if (err == -EBUSY) { /* the rest of it */
		ssize_t r = write_through(inode, from + done, n - done, pos + (loff_t)done);

		return r > 0 ? r + (ssize_t)done : done ? (ssize_t)done : r;
	}
	return done ? (ssize_t)done : err;
}
