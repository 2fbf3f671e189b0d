/*
 * data.c - ext2: pages of files: reading, reserving space, writing back, changing the size.
 *
 * Layer 9 (kernel/fs).  Locks: see ext2.h; page locks are held by the callers as object.h says.
 *
 * A page of 4 KiB is 1, 2 or 4 blocks, each anywhere on the disk or nowhere (a hole).  Consecutive blocks, also
 * of consecutive pages, travel in one request.
 *
 * page->private (page lock) counts the page's first blocks that are known to be on the disk: a store to a page that
 * has all it needs wants nothing of meta, which all files share.  A block goes together with its page; where the page
 * stays - the new last one after truncation, the one at which a write ended early - the count is corrected before
 * (forget_blocks()).
 */
#include "kernel/fs/ext2/ext2.h"
#include "kernel/sync/completion.h"

#define BLOCKS_MAX 4 /* in a page */
#define IN_FLIGHT 16

static unsigned blocks_per_page(const struct ext2_fs *fs)
{
	return (unsigned)(PAGE_SIZE >> fs->block_shift);
}

/* File block at the start of @page. Sizes are limited so that it fits. */
static u32 first_block(const struct ext2_fs *fs, const struct page *page)
{
	return (u32)((u64)page->index << (PAGE_SHIFT - fs->block_shift));
}

/* How many blocks of @page lie below @size. */
static unsigned blocks_below(const struct ext2_fs *fs, const struct page *page, loff_t size)
{
	loff_t left = size - ((loff_t)page->index << PAGE_SHIFT);

	if (left <= 0)
		return 0;
	return (unsigned)min((left + fs->block_size - 1) >> fs->block_shift, (loff_t)blocks_per_page(fs));
}

/* These are @page's first @n blocks; 0: a hole. => page locked */
static void remember_blocks(struct page *page, unsigned n, const u32 *block)
{
	unsigned known = 0;

	while (known < n && block[known])
		known++;
	page->private = known;
}

/* The disk blocks of the first @n blocks of @page; 0: a hole. */
static int map_page(struct inode *inode, struct page *page, unsigned n, u32 block[BLOCKS_MAX])
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	u32 index = first_block(fs, page);
	int err = 0;

	memset(block, 0, BLOCKS_MAX * sizeof(block[0]));
	mutex_lock(&fs->meta);
	for (unsigned i = 0; i < n && !err; i++)
		err = ext2_map(inode, index + i, false, &block[i], NULL);
	mutex_unlock(&fs->meta);
	return err;
}

static u64 sector_of(const struct ext2_fs *fs, u32 block)
{
	return (u64)block << (fs->block_shift - SECTOR_SHIFT);
}

/* -- reading --------------------------------------------------------------------------------------------------- */

/* How many blocks from block[@i] on follow one another on the disk (or are holes). */
static unsigned run_length(const u32 *block, unsigned i, unsigned n)
{
	unsigned len = 1;

	while (i + len < n && (block[i] ? block[i + len] == block[i] + len : !block[i + len]))
		len++;
	return len;
}

static void zero_range(struct page *page, unsigned from, unsigned to)
{
	char *va;

	if (from >= to)
		return;
	va = page_kmap(page);
	memset(va + from, 0, to - from);
	page_kunmap(va);
}

static int read_page(struct vm_object *obj, struct page *page)
{
	struct inode *inode = inode_of(obj);
	struct ext2_fs *fs = ext2_fs_of(inode);
	loff_t size = READ_ONCE(obj->size), start = (loff_t)page->index << PAGE_SHIFT;
	unsigned n = blocks_below(fs, page, size), len;
	u32 block[BLOCKS_MAX];
	int err = map_page(inode, page, n, block);

	for (unsigned i = 0; i < n && !err; i += len) {
		len = run_length(block, i, n);
		if (block[i])
			err = block_rw_sync(fs->dev, sector_of(fs, block[i]), page, i << fs->block_shift, len << fs->block_shift,
			                    false);
		else
			zero_range(page, i << fs->block_shift, (i + len) << fs->block_shift);
	}
	if (err)
		return err;
	remember_blocks(page, n, block);
	/* Beyond the end of file nothing but zeros is ever seen, whatever the disk has. */
	zero_range(page, start >= size ? 0 : (unsigned)min(size - start, (loff_t)PAGE_SIZE), PAGE_SIZE);
	page_set(page, PG_UPTODATE);
	return 0;
}

/* -- reserving ------------------------------------------------------------------------------------------------- */

/*
 * Only some of the page's blocks could be had, so it will not be written to.  The new ones must hold zeros on the
 * disk: by writeback if the page is the truth, else (its content is about to be discarded) at once.
 */
static void undo_reserve(struct inode *inode, struct page *page, const u32 *block, unsigned fresh)
{
	struct ext2_fs *fs = ext2_fs_of(inode);

	if (fresh && page_test(page, PG_UPTODATE)) {
		pagecache_set_dirty(page);
		return;
	}
	for (unsigned i = 0; i < BLOCKS_MAX; i++) {
		unsigned offset = i << fs->block_shift;

		if (!(fresh & 1u << i))
			continue;
		zero_range(page, offset, offset + fs->block_size);
		(void)block_rw_sync(fs->dev, sector_of(fs, block[i]), page, offset, fs->block_size, true);
	}
}

static int page_mkwrite(struct vm_object *obj, struct page *page)
{
	struct inode *inode = inode_of(obj);
	struct ext2_fs *fs = ext2_fs_of(inode);
	loff_t end = max(READ_ONCE(obj->size), READ_ONCE(ext2_inode_of(inode)->reserve_end));
	unsigned n = blocks_below(fs, page, end), fresh = 0;
	u32 block[BLOCKS_MAX] = {0}, index = first_block(fs, page);
	bool new;
	int err;

	if (page->private >= n && !READ_ONCE(fs->sb->read_only))
		return 0;
	err = ext2_begin(fs);
	if (err)
		return err;
	for (unsigned i = 0; i < n && !err; i++) {
		err = ext2_map(inode, index + i, true, &block[i], &new);
		if (!err && new)
			fresh |= 1u << i;
	}
	mutex_unlock(&fs->meta);
	if (err)
		undo_reserve(inode, page, block, fresh);
	else
		remember_blocks(page, n, block);
	return err;
}

/* The page that holds byte @at is about to lose its blocks beyond the end of file: it counts only what is left, and no
 * request for it is under way any more. => inode lock */
static void forget_blocks(struct inode *inode, loff_t at)
{
	struct vm_object *obj = &inode->obj;
	struct page *page = pagecache_find(obj, (pgoff_t)((u64)at >> PAGE_SHIFT));

	if (!page)
		return;
	page_lock(page);
	if (page->object == obj)
		page->private = min(page->private, (unsigned long)blocks_below(ext2_fs_of(inode), page, obj->size));
	page_unlock(page);
	page_wait_writeback(page);
	page_put(page);
}

int ext2_write_begin(struct inode *inode, loff_t pos, size_t n)
{
	struct ext2_inode *ei = ext2_inode_of(inode);

	ei->reserve_start = pos;
	ei->reserve_end = pos + (loff_t)n;
	return 0;
}

static u32 size_in_blocks(const struct inode *inode)
{
	const struct ext2_fs *fs = ext2_fs_of(inode);

	return (u32)((inode->obj.size + fs->block_size - 1) >> fs->block_shift);
}

/* What was reserved and not reached goes back. => inode lock */
void ext2_write_end(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	struct ext2_inode *ei = ext2_inode_of(inode);
	bool short_of = ei->reserve_end > inode->obj.size;

	ei->reserve_end = 0;
	if (!short_of)
		return;
	forget_blocks(inode, ei->reserve_start); /* if it has written nothing */
	forget_blocks(inode, inode->obj.size);
	if (ext2_begin(fs))
		return;
	(void)ext2_unmap(inode, size_in_blocks(inode), EXT2_END);
	mutex_unlock(&fs->meta);
}

/*
 * The file is about to grow from @old to reserve_end.  The page that holds the old end may be dirty or writable through
 * a mapping already, with blocks only up to that end: it gets the rest now, for nobody will ask for it again.
 */
static int reserve_old_tail(struct inode *inode, loff_t old)
{
	struct vm_object *obj = &inode->obj;
	struct page *page;
	int err = 0;

	if (!(old & (loff_t)(PAGE_SIZE - 1)) || ext2_fs_of(inode)->block_size == PAGE_SIZE)
		return 0;
	page = pagecache_find(obj, (pgoff_t)((u64)old >> PAGE_SHIFT));
	if (!page)
		return 0;
	page_lock(page);
	if (page->object == obj && page_test(page, PG_UPTODATE) &&
	    (page_test(page, PG_DIRTY) || page->mapcount || page->pins_w)) {
		page_wait_writeback(page);
		err = page_mkwrite(obj, page);
		if (!err)
			pagecache_set_dirty(page);
	}
	page_unlock(page);
	page_put(page);
	return err;
}

static int shrink(struct inode *inode, loff_t size)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	int err;

	object_truncate(&inode->obj, size);
	forget_blocks(inode, size);
	err = ext2_begin(fs);
	if (err)
		return err;
	err = ext2_unmap(inode, size_in_blocks(inode), EXT2_END);
	mutex_unlock(&fs->meta);
	return err;
}

/* Until the size is what it will be, reserve_end is: who makes a page writable meanwhile gets blocks up to there, and who
 * writes one back writes them all, or what is new in them would be lost when the page is clean. */
static int grow(struct inode *inode, loff_t old, loff_t size)
{
	struct ext2_inode *ei = ext2_inode_of(inode);
	int err;

	WRITE_ONCE(ei->reserve_end, size);
	err = reserve_old_tail(inode, old);
	if (!err)
		object_truncate(&inode->obj, size);
	WRITE_ONCE(ei->reserve_end, 0);
	if (err)
		(void)shrink(inode, old);
	return err;
}

int ext2_truncate(struct inode *inode, loff_t size)
{
	loff_t old = inode->obj.size;
	int err = 0;

	if (size < old)
		err = shrink(inode, size);
	else if (size > old)
		err = grow(inode, old, size);
	return err ? err : ext2_setattr(inode);
}

/* -- writing back ------------------------------------------------------------------------------------------------ */

/* One call of write_pages(): requests under way and the one being filled. */
struct writer {
	struct ext2_fs *fs;
	struct page **pages;
	int *error;      /* per page */
	struct bio *bio; /* being filled; NULL: none */
	u64 next_sector; /* behind it */
	unsigned nr;
	struct completion done;
	struct {
		struct bio *bio;
		unsigned first, last; /* pages it has parts of */
		int error;
	} part[IN_FLIGHT];
};

static void write_done(struct bio *bio, int error)
{
	struct writer *w = bio->ctx;

	for (unsigned i = 0; i < IN_FLIGHT; i++)
		if (w->part[i].bio == bio)
			w->part[i].error = error;
	complete(&w->done);
}

static void submit(struct writer *w)
{
	struct bio *bio = w->bio;

	if (!bio)
		return;
	w->bio = NULL;
	block_submit(bio);
}

static void wait_all(struct writer *w)
{
	submit(w);
	for (unsigned i = 0; i < w->nr; i++)
		completion_wait(&w->done);
	for (unsigned i = 0; i < w->nr; i++) {
		for (unsigned p = w->part[i].first; w->part[i].error && p <= w->part[i].last; p++)
			w->error[p] = w->part[i].error;
		bio_free(w->part[i].bio);
		w->part[i].bio = NULL;
	}
	w->nr = 0;
}

/* A request to fill, for page number @p on; false: no memory. */
static bool begin(struct writer *w, unsigned p, u64 sector)
{
	submit(w);
	if (w->nr == IN_FLIGHT)
		wait_all(w);
	w->bio = bio_alloc(GFP_KERNEL);
	if (!w->bio)
		return false;
	w->bio->dev = w->fs->dev;
	w->bio->sector = sector;
	w->bio->write = true;
	w->bio->done = write_done;
	w->bio->ctx = w;
	w->part[w->nr].first = w->part[w->nr].last = p;
	w->part[w->nr].error = 0;
	w->part[w->nr++].bio = w->bio;
	w->next_sector = sector;
	return true;
}

/* Blocks [i, i + len) of page number @p to @block. */
static void write_run(struct writer *w, unsigned p, unsigned i, unsigned len, u32 block)
{
	struct page *page = w->pages[p];
	unsigned offset = i << w->fs->block_shift, length = len << w->fs->block_shift;
	u64 sector = sector_of(w->fs, block);

	if (!w->bio || sector != w->next_sector || !bio_add(w->bio, page, offset, length)) {
		if (!begin(w, p, sector) || !bio_add(w->bio, page, offset, length)) {
			int err = block_rw_sync(w->fs->dev, sector, page, offset, length, true);

			if (err)
				w->error[p] = err;
			return;
		}
	}
	w->part[w->nr - 1].last = p;
	w->next_sector = sector + (length >> SECTOR_SHIFT);
}

static bool is_zero(struct page *page, unsigned offset, unsigned length)
{
	char *va = page_kmap(page);
	bool zero = !memchr_inv(va + offset, 0, length);

	page_kunmap(va);
	return zero;
}

/*
 * A dirty page with a hole in it: the part there is zero (truncation dirties the last page for its tail only), or
 * the rule "a page has blocks before it is dirty" was broken; then a block late is better than lost data.
 */
static int fill_holes(struct inode *inode, struct page *page, unsigned n, u32 block[BLOCKS_MAX])
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	int err = 0;

	for (unsigned i = 0; i < n && !err; i++) {
		if (block[i] || is_zero(page, i << fs->block_shift, fs->block_size))
			continue;
		WARN_ON_ONCE(true);
		err = ext2_begin(fs);
		if (err)
			break;
		err = ext2_map(inode, first_block(fs, page) + i, true, &block[i], NULL);
		mutex_unlock(&fs->meta);
	}
	return err;
}

static void write_one(struct writer *w, struct inode *inode, unsigned p)
{
	struct page *page = w->pages[p];
	loff_t size = READ_ONCE(inode->obj.size), end = max(size, READ_ONCE(ext2_inode_of(inode)->reserve_end));
	unsigned n = blocks_below(w->fs, page, end), len;
	u32 block[BLOCKS_MAX];
	int err = map_page(inode, page, n, block);

	if (!err)
		err = fill_holes(inode, page, blocks_below(w->fs, page, size), block);
	if (err) {
		w->error[p] = err;
		return;
	}
	for (unsigned i = 0; i < n; i += len) {
		len = run_length(block, i, n);
		if (block[i])
			write_run(w, p, i, len, block[i]);
	}
}

static void write_some(struct vm_object *obj, struct page **pages, unsigned n)
{
	struct inode *inode = inode_of(obj);
	int error[64] = {0};
	struct writer w = {.fs = ext2_fs_of(inode), .pages = pages, .error = error};

	completion_init(&w.done);
	for (unsigned p = 0; p < n; p++)
		write_one(&w, inode, p);
	wait_all(&w);
	for (unsigned p = 0; p < n; p++)
		object_writeback_done(obj, pages[p], error[p]);
}

static void write_pages(struct vm_object *obj, struct page **pages, unsigned n)
{
	for (unsigned at = 0; at < n; at += 64)
		write_some(obj, pages + at, min(n - at, 64u));
}

static int sync_meta(struct vm_object *obj, bool data_only)
{
	struct ext2_fs *fs = ext2_fs_of(inode_of(obj));

	return fs->sb->read_only ? 0 : ext2_sync_meta(fs);
}

const struct object_ops ext2_data_ops = {.read_page = read_page,
                                         .read_pages = mpage_read,
                                         .write_pages = write_pages,
                                         .page_mkwrite = page_mkwrite,
                                         .sync_meta = sync_meta,
                                         .hold = inode_object_hold,
                                         .release = inode_object_release};

static int no_page(struct vm_object *obj, struct page *page)
{
	return -EIO;
}

/* Directories and special files keep nothing in the page cache. */
const struct object_ops ext2_nodata_ops = {.read_page = no_page, .sync_meta = sync_meta};
