/*
 * commit.c - ext2: in what order changed metadata reaches the disk, so that a power cut loses nothing.
 *
 * Layer 9 (kernel/fs).  Locks: meta held throughout; sleeps for the device.
 *
 * Changes gather in memory.  A commit takes all of them to the disk, in stages with a flush of the device between
 * them, so that e2fsck -p can put right whatever a cut leaves:
 *
 *   1. fresh blocks, which nothing leads to yet (and the data that was written before the commit); other names for files
 *      that rename has replaced (park.c)
 *   2. indirect blocks
 *   3. inode tables and all that e2fsck can work out; entries that are held show what they were before
 *   4. directories
 *   5. the entries that were held
 *   6. those other names go
 *
 * Held are new inodes, which so have a name before they are there (e2fsck drops a name that leads to nothing, but
 * stops at an inode without a name), and those whose name rename gave to another file (one of the two is always
 * there).  A deleted inode goes before its name.
 *
 * What a stage cannot express is not gathered: the operation commits first (ext2/namei.c says where and why).
 *
 * Blocks and inode numbers that were freed are not used again before the commit that makes that durable: the
 * bitmaps as of the last commit are kept (buffer->kept) and looked at too.  Otherwise a cut could leave a file
 * with what was written for another.
 *
 * After an error the later stages are written nevertheless: one bad sector must not keep everything else from the
 * disk.  But nothing counts as committed then.
 */
#include "kernel/fs/ext2/ext2.h"
#include "kernel/lib/mutation.h"

int ext2_hold(struct ext2_fs *fs, u64 ino, bool replaced)
{
	struct ext2_held *h = kmalloc(sizeof(*h) + fs->inode_size, GFP_KERNEL);
	struct ext2_disk_inode *disk;
	struct buffer *b;

	if (!h)
		return -ENOMEM;
	b = ext2_table_read(fs, ino, &disk);
	if (IS_ERR(b)) {
		kfree(h);
		return (int)PTR_ERR(b);
	}
	h->ino = ino;
	h->replaced = replaced;
	memcpy(h->committed, (b->kept ? b->kept : b->data) + ((char *)disk - b->data), fs->inode_size);
	list_add_tail(&h->link, &fs->held);
	buffer_put(&fs->cache, b);
	return 0;
}

void ext2_still_new(struct inode *inode)
{
	if (ext2_is_new(inode))
		return;
	(void)ext2_hold(ext2_fs_of(inode), inode->ino, false); /* without memory there is no order */
	ext2_inode_of(inode)->born = ext2_fs_of(inode)->epoch;
}

void ext2_drop_held(struct ext2_fs *fs)
{
	struct ext2_held *h, *next;

	list_for_each_entry_safe(h, next, &fs->held, link) {
		list_del(&h->link);
		kfree(h);
	}
}

/* Let the tables be written with the held entries as they were. */
static void hide_held(struct ext2_fs *fs)
{
	struct ext2_held *h;
	struct buffer *b;

	list_for_each_entry(b, &fs->cache.dirty[EXT2_TABLE], dirty_link)
		if (b->kept)
			memcpy(b->kept, b->data, fs->block_size);
	/* The first one of an inode that was held twice is the older one: it comes last. */
	list_for_each_entry_reverse(h, &fs->held, link)
	{
		struct ext2_disk_inode *disk;

		b = ext2_table_read(fs, h->ino, &disk);
		if (IS_ERR(b))
			continue;
		if (b->dirty && b->kept && !MUTATION(153)) { /* M153: all inodes are written before the directories */
			memcpy(b->kept + ((char *)disk - b->data), h->committed, fs->inode_size);
			b->write_kept = true;
		}
		buffer_put(&fs->cache, b);
	}
}

static void show_held(struct ext2_fs *fs)
{
	struct buffer *b;

	list_for_each_entry(b, &fs->cache.dirty[EXT2_TABLE], dirty_link)
		b->write_kept = false;
}

/* What was written so far is durable before anything else is written. */
static int flush_writes(struct ext2_fs *fs)
{
	int err;

	if (!fs->unflushed)
		return 0;
	err = block_flush(fs->dev);
	if (!err)
		fs->unflushed = false;
	return err;
}

static int between_stages(struct ext2_fs *fs)
{
	return MUTATION(152) ? 0 : flush_writes(fs); /* M152: the stages are in any order */
}

static int write_stage(struct ext2_fs *fs, enum ext2_stage stage)
{
	if (list_empty(&fs->cache.dirty[stage]))
		return 0;
	fs->unflushed = true;
	return buffer_sync(&fs->cache, stage);
}

static int first_error(int a, int b)
{
	return a ? a : b;
}

static int write_all(struct ext2_fs *fs)
{
	struct buffer *parked = ext2_park(fs);
	int err = write_stage(fs, EXT2_FRESH);

	err = first_error(err, between_stages(fs));
	err = first_error(err, write_stage(fs, EXT2_INDIRECT));
	err = first_error(err, between_stages(fs));
	hide_held(fs);
	err = first_error(err, write_stage(fs, EXT2_COUNTS));
	err = first_error(err, write_stage(fs, EXT2_TABLE));
	err = first_error(err, between_stages(fs));
	err = first_error(err, write_stage(fs, EXT2_DIR));
	err = first_error(err, between_stages(fs));
	show_held(fs);
	err = first_error(err, write_stage(fs, EXT2_TABLE));
	if (parked) {
		err = first_error(err, between_stages(fs));
		err = first_error(err, ext2_unpark(fs, parked));
	}
	return first_error(err, MUTATION(154) ? 0 : flush_writes(fs)); /* M154: nobody waits for the end */
}

int ext2_commit(struct ext2_fs *fs)
{
	int err;

	ASSERT(mutex_held(&fs->meta));
	fs->unflushed = true; /* data, whose writers do not tell */
	err = write_all(fs);
	if (err)
		return err;
	ext2_drop_held(fs);
	buffer_drop_kept(&fs->cache);
	fs->epoch++;
	return 0;
}

int ext2_sync_meta(struct ext2_fs *fs)
{
	int err;

	mutex_lock(&fs->meta);
	err = ext2_commit(fs);
	mutex_unlock(&fs->meta);
	return err;
}

bool ext2_commit_frees(struct ext2_fs *fs)
{
	return !list_empty(&fs->cache.kept) && ext2_commit(fs) == 0;
}
