/*
 * inode.c - ext2: inodes between memory and their tables.
 *
 * Layer 9 (kernel/fs).  Locks: see ext2.h.  Every change of an inode is stored at once into its (cached) table
 * block, so sync has nothing to collect.
 */
#include <arch/irq.h>

#include "kernel/fs/ext2/ext2.h"

struct buffer *ext2_table_read(struct ext2_fs *fs, u64 ino, struct ext2_disk_inode **disk)
{
	u32 group = (u32)(ino - 1) / fs->inodes_per_group, index = (u32)(ino - 1) % fs->inodes_per_group;
	u32 per_block = fs->block_size / fs->inode_size;
	struct buffer *b = buffer_read(&fs->cache, ext2_group(fs, group)->inode_table + index / per_block);

	if (!IS_ERR(b))
		*disk = (struct ext2_disk_inode *)(b->data + index % per_block * fs->inode_size);
	return b;
}

static u64 decode_dev(const u32 block[2])
{
	return block[0] ? block[0] : block[1];
}

static bool is_special(u32 mode)
{
	return !S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode);
}

static void load(struct inode *inode, const struct ext2_disk_inode *d)
{
	struct ext2_inode *ei = ext2_inode_of(inode);

	inode->mode = d->mode;
	inode->uid = d->uid | (u32)d->uid_high << 16;
	inode->gid = d->gid | (u32)d->gid_high << 16;
	inode->nlink = d->links;
	inode->blocks = d->blocks;
	inode->atime = (struct timespec64){.sec = (s32)d->atime};
	inode->mtime = (struct timespec64){.sec = (s32)d->mtime};
	inode->ctime = (struct timespec64){.sec = (s32)d->ctime};
	inode->obj.size = d->size | (S_ISREG(d->mode) ? (loff_t)d->size_high << 32 : 0);
	ei->flags = d->flags;
	ei->file_acl = d->file_acl;
	memcpy(ei->block, d->block, sizeof(ei->block));
	if (is_special(d->mode))
		inode->rdev = decode_dev(d->block);
}

static void store(const struct inode *inode, struct ext2_disk_inode *d)
{
	const struct ext2_inode *ei = ext2_inode_of(inode);

	d->mode = (u16)inode->mode;
	d->uid = (u16)inode->uid;
	d->uid_high = (u16)(inode->uid >> 16);
	d->gid = (u16)inode->gid;
	d->gid_high = (u16)(inode->gid >> 16);
	d->links = (u16)inode->nlink;
	d->blocks = (u32)inode->blocks;
	d->atime = (u32)inode->atime.sec;
	d->mtime = (u32)inode->mtime.sec;
	d->ctime = (u32)inode->ctime.sec;
	d->size = (u32)inode->obj.size;
	if (S_ISREG(inode->mode))
		d->size_high = (u32)((u64)inode->obj.size >> 32);
	d->flags = ei->flags;
	d->file_acl = ei->file_acl;
	memcpy(d->block, ei->block, sizeof(d->block));
}

int ext2_store(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	struct ext2_disk_inode *d;
	struct buffer *b;

	ASSERT(mutex_held(&fs->meta));
	if (fs->sb->read_only)
		return -EROFS;
	b = ext2_table_read(fs, inode->ino, &d);
	if (IS_ERR(b))
		return (int)PTR_ERR(b);
	ext2_dirty_keep(fs, b, EXT2_TABLE);
	store(inode, d);
	buffer_put(&fs->cache, b);
	if (inode->obj.size > 0x7fffffff && fs->super->rev_level && !(fs->super->feature_ro_compat & EXT2_RO_LARGE_FILE)) {
		fs->super->feature_ro_compat |= EXT2_RO_LARGE_FILE;
		ext2_super_dirty(fs);
	}
	return 0;
}

int ext2_setattr(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	int err;

	mutex_lock(&fs->meta);
	err = ext2_store(inode);
	mutex_unlock(&fs->meta);
	return err;
}

/* -- operations ----------------------------------------------------------------------------------------------- */

/* Is the text of a symlink in the inode itself? */
static bool has_blocks(const struct inode *inode)
{
	const struct ext2_fs *fs = ext2_fs_of(inode);
	u64 acl = ext2_inode_of(inode)->file_acl ? fs->block_size / 512 : 0;

	return !is_special(inode->mode) && inode->blocks > acl;
}

/* Symlinks are told apart here. */
static ssize_t ext2_readlink(struct inode *inode, char *buf, size_t n)
{
	n = min(n, (size_t)inode->obj.size);
	if (has_blocks(inode))
		return object_read(&inode->obj, 0, buf, n);
	if (n > sizeof(ext2_inode_of(inode)->block))
		return -EIO;
	memcpy(buf, ext2_inode_of(inode)->block, n);
	return (ssize_t)n;
}

static const struct inode_ops file_inode_ops = {.truncate = ext2_truncate,
                                                .setattr = ext2_setattr,
                                                .write_begin = ext2_write_begin,
                                                .write_end = ext2_write_end,
                                                .extent = ext2_extent};
static const struct inode_ops link_inode_ops = {.readlink = ext2_readlink,
                                                .setattr = ext2_setattr,
                                                .write_begin = ext2_write_begin,
                                                .write_end = ext2_write_end,
                                                .extent = ext2_extent};
static const struct inode_ops special_inode_ops = {.setattr = ext2_setattr};
static const struct file_ops file_fops = {.read = generic_read, .write = generic_write, .fallocate = ext2_fallocate};

void ext2_set_ops(struct inode *inode)
{
	loff_t size = inode->obj.size;
	bool data = S_ISREG(inode->mode) || S_ISLNK(inode->mode);

	object_init(&inode->obj, data ? &ext2_data_ops : &ext2_nodata_ops, inode, data);
	inode->obj.fs_err = &inode->super->wb_err;
	inode->obj.size = size;
	if (S_ISREG(inode->mode)) {
		inode->ops = &file_inode_ops;
		inode->fops = &file_fops;
	} else if (S_ISDIR(inode->mode)) {
		inode->ops = &ext2_dir_inode_ops;
		inode->fops = &ext2_dir_fops;
	} else {
		inode->ops = S_ISLNK(inode->mode) ? &link_inode_ops : &special_inode_ops;
	}
}

/* -- reading in ------------------------------------------------------------------------------------------------ */

static struct inode *new_memory(struct super *sb, u64 ino)
{
	struct inode *inode = inode_alloc(sb, 0);

	if (!inode)
		return NULL;
	inode->private = kzalloc(sizeof(struct ext2_inode), GFP_KERNEL);
	if (!inode->private) {
		inode_free(inode);
		return NULL;
	}
	inode->ino = ino;
	return inode;
}

static void free_memory(struct inode *inode)
{
	kfree(inode->private);
	inode_free(inode);
}

/* What nothing below would survive. => meta */
static int check_loaded(struct ext2_fs *fs, const struct inode *inode)
{
	if (inode->nlink == 0)
		return ext2_corrupt(fs, "a name leads to deleted inode", inode->ino);
	if (inode->obj.size < 0 || inode->obj.size > fs->sb->max_size ||
	    (S_ISDIR(inode->mode) && inode->obj.size % fs->block_size))
		return ext2_corrupt(fs, "size of inode", inode->ino);
	return 0;
}

/* Was the entry @d of @b free at the last commit? */
static bool was_unused(const struct buffer *b, const struct ext2_disk_inode *d)
{
	if (!b->dirty || !b->kept)
		return false;
	return ((const struct ext2_disk_inode *)(b->kept + ((const char *)d - b->data)))->links == 0;
}

static struct inode *read_inode(struct super *sb, u64 ino)
{
	struct ext2_fs *fs = sb->private;
	struct inode *inode = new_memory(sb, ino);
	struct ext2_disk_inode *d;
	struct buffer *b;
	int err;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	mutex_lock(&fs->meta);
	b = ext2_table_read(fs, ino, &d);
	err = IS_ERR(b) ? (int)PTR_ERR(b) : 0;
	if (!err) {
		load(inode, d);
		if (was_unused(b, d))
			ext2_inode_of(inode)->born = fs->epoch;
		buffer_put(&fs->cache, b);
		err = check_loaded(fs, inode);
	}
	mutex_unlock(&fs->meta);
	if (err) {
		free_memory(inode);
		return ERR_PTR(err);
	}
	ext2_set_ops(inode);
	inode_hash(inode);
	return inode;
}

struct inode *ext2_iget(struct super *sb, u64 ino)
{
	struct ext2_fs *fs = sb->private;
	struct inode *inode;

	if (ino == 0 || ino > fs->inodes_count || (ino < fs->first_ino && ino != EXT2_ROOT_INO)) {
		mutex_lock(&fs->meta);
		ext2_corrupt(fs, "a name leads to inode", ino);
		mutex_unlock(&fs->meta);
		return ERR_PTR(-EIO);
	}
	mutex_lock(&sb->load_lock);
	inode = inode_find(sb, ino);
	if (!inode)
		inode = read_inode(sb, ino);
	mutex_unlock(&sb->load_lock);
	return inode;
}

/* -- new and gone ---------------------------------------------------------------------------------------------- */

/* The table entry may hold a former inode's rest: extra attributes inside a large inode must not come back. */
static int clear_entry(struct ext2_fs *fs, struct inode *inode)
{
	struct ext2_disk_inode *d;
	struct buffer *b = ext2_table_read(fs, inode->ino, &d);
	u32 generation;

	if (IS_ERR(b))
		return (int)PTR_ERR(b);
	ext2_dirty_keep(fs, b, EXT2_TABLE);
	generation = d->generation + 1;
	memset(d, 0, fs->inode_size);
	d->generation = generation;
	buffer_put(&fs->cache, b);
	return ext2_store(inode);
}

/* A number and an empty table entry. => meta */
static int number_new(struct ext2_fs *fs, struct inode *dir, struct inode *inode)
{
	bool is_dir = S_ISDIR(inode->mode);
	int err = ext2_inode_alloc(fs, dir->ino, is_dir, &inode->ino);

	if (err)
		return err;
	if (inode_is_live(dir->super, inode->ino))
		return ext2_corrupt(fs, "inode bitmap: free and in use", inode->ino); /* and stays marked as used */
	ext2_inode_of(inode)->born = fs->epoch;
	err = ext2_hold(fs, inode->ino, false);
	if (!err)
		err = clear_entry(fs, inode);
	if (err)
		ext2_inode_free(fs, inode->ino, is_dir);
	return err;
}

struct inode *ext2_inode_new(struct inode *dir, u32 mode, u64 rdev)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	struct inode *inode = new_memory(dir->super, 0);
	int err;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->mode = mode;
	inode->nlink = 0;
	inode->rdev = rdev;
	if (is_special(mode))
		ext2_encode_dev(rdev, ext2_inode_of(inode)->block);
	err = ext2_begin(fs);
	if (!err) {
		err = number_new(fs, dir, inode);
		mutex_unlock(&fs->meta);
	}
	if (err) {
		free_memory(inode);
		return ERR_PTR(err);
	}
	ext2_set_ops(inode);
	inode_hash(inode);
	return inode;
}

/* The block of extended attributes is shared; the last user frees it. => meta */
static void drop_xattrs(struct ext2_fs *fs, struct inode *inode)
{
	u32 block = ext2_inode_of(inode)->file_acl;
	struct ext2_disk_xattr *x;
	struct buffer *b;

	if (!block)
		return;
	b = ext2_block_valid(fs, block) ? buffer_read(&fs->cache, block) : ERR_PTR(-EIO);
	if (IS_ERR(b)) {
		ext2_corrupt(fs, "attribute block of inode", inode->ino);
		return;
	}
	x = (struct ext2_disk_xattr *)b->data;
	if (x->magic == EXT2_XATTR_MAGIC && x->refcount > 1) {
		ext2_dirty(fs, b, EXT2_COUNTS);
		x->refcount--;
		buffer_put(&fs->cache, b);
	} else {
		buffer_put(&fs->cache, b);
		ext2_block_free(fs, block);
	}
	ext2_inode_of(inode)->file_acl = 0;
	inode->blocks -= min(inode->blocks, (u64)(fs->block_size / 512));
}

void ext2_orphan(struct inode *inode)
{
	struct ext2_inode *ei = ext2_inode_of(inode);

	if (!ei->orphan)
		ext2_fs_of(inode)->orphans++;
	ei->orphan = true;
}

/* => meta */
static void delete_locked(struct ext2_fs *fs, struct inode *inode)
{
	struct ext2_disk_inode *d;
	struct buffer *b;

	if (has_blocks(inode))
		(void)ext2_unmap(inode, 0, EXT2_END);
	drop_xattrs(fs, inode);
	inode->obj.size = 0;
	b = ext2_table_read(fs, inode->ino, &d);
	if (!IS_ERR(b)) {
		ext2_dirty_keep(fs, b, EXT2_TABLE);
		store(inode, d);
		d->dtime = (u32)vfs_now().sec;
		buffer_put(&fs->cache, b);
	}
	ext2_inode_free(fs, inode->ino, S_ISDIR(inode->mode));
	if (ext2_inode_of(inode)->orphan)
		fs->orphans--;
	ext2_inode_of(inode)->orphan = false;
}

/* The next inode of hash list @i that is an orphan, referenced, or NULL. */
static struct inode *next_orphan(struct super *sb, unsigned i)
{
	struct inode *inode, *found = NULL;

	spin_lock(&sb->inodes_lock);
	list_for_each_entry(inode, &sb->inodes[i], hash_link) {
		/* Without a reference its private part may just go. One that is no orphan keeps it: the machine stops. */
		if (inode_try_get(inode) && ext2_inode_of(inode)->orphan) {
			found = inode;
			break;
		}
	}
	spin_unlock(&sb->inodes_lock);
	return found;
}

void ext2_delete_orphans(struct super *sb)
{
	struct ext2_fs *fs = sb->private;
	struct inode *inode;

	for (unsigned i = 0; i < INODE_HASH; i++) {
		while ((inode = next_orphan(sb, i))) {
			mutex_lock(&fs->meta);
			if (ext2_inode_of(inode)->orphan)
				delete_locked(fs, inode);
			mutex_unlock(&fs->meta);
			/* The reference stays: it must not be evicted, that is deleted, again. */
		}
	}
}

void ext2_evict(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(inode);
	int err;

	if (inode->nlink == 0 && !fs->sb->read_only) {
		object_destroy(&inode->obj); /* no page may be on its way to a block that is freed */
		if (!ext2_begin(fs)) {
			delete_locked(fs, inode);
			mutex_unlock(&fs->meta);
		}
	} else if (!fs->sb->read_only) {
		err = object_writeback(&inode->obj, 0, ~0UL, true);
		if (err)
			printk("ext2: %s: lost data of inode %llu (%d)\n", fs->sb->source, (unsigned long long)inode->ino, err);
	}
	kfree(inode->private);
	inode->private = NULL;
}
