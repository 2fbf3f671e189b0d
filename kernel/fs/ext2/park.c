/*
 * park.c - ext2: another name for files that rename has replaced, until they are deleted on the disk.
 *
 * Layer 9 (kernel/fs).  Locks: meta held throughout; sleeps for the device.
 *
 * Between the write of a directory in which a name leads to another file now and that of the replaced file's inode, that
 * file has no name.  e2fsck -p stops at such an inode, and with its blocks still there no order of these two writes
 * avoids it (the other way round a cut loses the name).  So during a commit a block of lost+found that has no entries
 * gets one for each such file, where e2fsck -y would put it: written before the directories, and emptied when the
 * inodes are deleted.  A cut leaves a name too many, which e2fsck -p puts right, or one that leads to nothing, which it
 * drops.  In memory the block is always empty.
 *
 * Without lost+found or an empty block in it (mke2fs makes some), or with more files than such a block has room for,
 * some stay without, as it is for directories, which must not have two names.
 */
#include "kernel/fs/ext2/ext2.h"
#include "kernel/lib/mutation.h"

/* One entry, and it leads nowhere. */
static bool is_empty(const struct ext2_fs *fs, const char *data)
{
	const struct ext2_disk_dirent *e = (const struct ext2_disk_dirent *)data;

	return e->inode == 0 && e->rec_len == fs->block_size;
}

/* @block if it is an empty one of a directory, and is on the disk as it is here; else NULL. */
static struct buffer *usable(struct ext2_fs *fs, u32 block)
{
	struct buffer *b;

	if (ext2_block_in_use(fs, block) <= 0)
		return NULL;
	b = buffer_read(&fs->cache, block);
	if (IS_ERR(b))
		return NULL;
	if (!b->dirty && is_empty(fs, b->data))
		return b;
	buffer_put(&fs->cache, b);
	return NULL;
}

/* An empty block of lost+found as it was committed, referenced, or NULL. */
static struct buffer *find_block(struct ext2_fs *fs)
{
	struct ext2_disk_inode *d;
	struct buffer *table, *found = NULL;
	u32 ino;

	if (ext2_dir_find(fs->sb->root, "lost+found", &ino) || ino < fs->first_ino || ino > fs->inodes_count)
		return NULL;
	table = ext2_table_read(fs, ino, &d);
	if (IS_ERR(table))
		return NULL;
	if (table->kept)
		d = (struct ext2_disk_inode *)(table->kept + ((char *)d - table->data));
	for (unsigned i = 1; S_ISDIR(d->mode) && d->links && i < EXT2_NDIR && !found; i++)
		if (d->size >= (i + 1) << fs->block_shift)
			found = usable(fs, d->block[i]);
	buffer_put(&fs->cache, table);
	return found;
}

/* Is @h's file one that will have no name when the directories are written? */
static bool to_be_parked(struct ext2_fs *fs, const struct ext2_held *h)
{
	struct ext2_disk_inode *now;
	struct buffer *b;
	bool gone;

	if (!h->replaced || S_ISDIR(((const struct ext2_disk_inode *)h->committed)->mode))
		return false;
	b = ext2_table_read(fs, h->ino, &now);
	if (IS_ERR(b))
		return false;
	gone = now->links == 0;
	buffer_put(&fs->cache, b);
	return gone;
}

/* Append "#<number>" at @at; where the next one goes, or @at if there is no room. */
static unsigned add_entry(struct ext2_fs *fs, char *data, unsigned at, const struct ext2_held *h)
{
	char name[16];
	unsigned len = (unsigned)snprintf(name, sizeof(name), "#%llu", (unsigned long long)h->ino);
	struct ext2_disk_dirent *e = (struct ext2_disk_dirent *)(data + at);

	if (at + EXT2_DIRENT_SIZE(len) > fs->block_size)
		return at;
	e->inode = (u32)h->ino;
	e->rec_len = (u16)EXT2_DIRENT_SIZE(len);
	e->name_len = (u8)len;
	e->file_type = ext2_file_type(fs, ((const struct ext2_disk_inode *)h->committed)->mode);
	memcpy(e->name, name, len);
	return at + e->rec_len;
}

/* Entries for all of them; false: there are none. The last one has the rest of the block. */
static bool fill(struct ext2_fs *fs, char *data)
{
	struct ext2_held *h;
	unsigned at = 0, last = 0, next;

	list_for_each_entry(h, &fs->held, link) {
		if (!to_be_parked(fs, h))
			continue;
		next = add_entry(fs, data, at, h);
		if (next == at)
			break;
		last = at;
		at = next;
	}
	if (at)
		((struct ext2_disk_dirent *)(data + last))->rec_len = (u16)(fs->block_size - last);
	return at > 0;
}

static bool any_replaced(struct ext2_fs *fs)
{
	struct ext2_held *h;

	list_for_each_entry(h, &fs->held, link)
		if (to_be_parked(fs, h))
			return true;
	return false;
}

static void empty(struct ext2_fs *fs, char *data)
{
	memset(data, 0, fs->block_size);
	((struct ext2_disk_dirent *)data)->rec_len = (u16)fs->block_size;
}

struct buffer *ext2_park(struct ext2_fs *fs)
{
	/* M155: nobody gives them another name */
	struct buffer *b = !MUTATION(155) && any_replaced(fs) ? find_block(fs) : NULL;

	if (!b)
		return NULL;
	if (fill(fs, b->data)) {
		(void)buffer_write(&fs->cache, b); /* if it fails, it is as without */
		fs->unflushed = true;
	}
	empty(fs, b->data);
	return b;
}

int ext2_unpark(struct ext2_fs *fs, struct buffer *b)
{
	int err = buffer_write(&fs->cache, b);

	fs->unflushed = true;
	buffer_put(&fs->cache, b);
	return err;
}
