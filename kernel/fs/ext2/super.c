/*
 * super.c - ext2: mounting, feature checks, the super block and group descriptors, sync, statfs.
 *
 * Layer 9 (kernel/fs).  Locks: see ext2.h.
 *
 * The state word: the first change after a sync marks the disk "not clean" before anything else is written; a
 * complete sync, a remount to read-only and an unmount mark it clean again (if it was when it was mounted).  So
 * a machine that is switched off after sync(2) leaves a clean file system.
 */
#include "kernel/fs/ext2/ext2.h"

static struct ext2_fs *all; /* mounted ones; mount_lock (or before the first process) */

/* -- the super block and the descriptors in memory ------------------------------------------------------------ */

int ext2_corrupt(struct ext2_fs *fs, const char *what, u64 where)
{
	if (!fs->complained)
		printk("ext2: %s: corrupt: %s (%llu)\n", fs->sb->source, what, (unsigned long long)where);
	fs->complained = true;
	fs->was_valid = false;
	if (!fs->sb->read_only) {
		fs->super->state |= EXT2_ERROR_FS;
		ext2_super_dirty(fs);
	}
	return -EIO;
}

int ext2_begin(struct ext2_fs *fs)
{
	mutex_lock(&fs->meta);
	if (!fs->sb->read_only)
		return 0;
	mutex_unlock(&fs->meta);
	return -EROFS;
}

/* Write the super block with or without the clean flag. => meta */
static int write_state(struct ext2_fs *fs, bool valid)
{
	int err;

	fs->super->state = (u16)((fs->super->state & ~EXT2_VALID_FS) | (valid ? EXT2_VALID_FS : 0));
	fs->super->wtime = (u32)vfs_now().sec;
	buffer_dirty(&fs->cache, fs->super_buffer, EXT2_COUNTS);
	err = buffer_write(&fs->cache, fs->super_buffer);
	if (!err)
		fs->marked_valid = valid;
	fs->unflushed = true;
	return err;
}

void ext2_dirty(struct ext2_fs *fs, struct buffer *b, enum ext2_stage stage)
{
	ASSERT(mutex_held(&fs->meta) && !fs->sb->read_only);
	if (fs->marked_valid)
		(void)write_state(fs, false);
	buffer_dirty(&fs->cache, b, stage);
}

void ext2_dirty_keep(struct ext2_fs *fs, struct buffer *b, enum ext2_stage stage)
{
	buffer_keep(&fs->cache, b);
	ext2_dirty(fs, b, stage);
}

void ext2_super_dirty(struct ext2_fs *fs)
{
	ext2_dirty(fs, fs->super_buffer, EXT2_COUNTS);
}

struct ext2_disk_group *ext2_group(struct ext2_fs *fs, u32 group)
{
	u32 per_block = fs->block_size / sizeof(struct ext2_disk_group);

	ASSERT(group < fs->groups);
	return (struct ext2_disk_group *)fs->desc_buffers[group / per_block]->data + group % per_block;
}

void ext2_group_dirty(struct ext2_fs *fs, u32 group)
{
	ext2_dirty(fs, fs->desc_buffers[group / (fs->block_size / sizeof(struct ext2_disk_group))], EXT2_COUNTS);
}

u32 ext2_group_blocks(const struct ext2_fs *fs, u32 group)
{
	u32 first = fs->first_data_block + group * fs->blocks_per_group;

	return min(fs->blocks_per_group, fs->blocks_count - first);
}

static bool power_of(u32 n, u32 base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

static bool group_has_super(const struct ext2_fs *fs, u32 group)
{
	if (group <= 1 || !(fs->super->rev_level && (fs->super->feature_ro_compat & EXT2_RO_SPARSE_SUPER)))
		return true;
	return power_of(group, 3) || power_of(group, 5) || power_of(group, 7);
}

/* -- sync ------------------------------------------------------------------------------------------------------ */

/* => meta */
static int sync_locked(struct ext2_fs *fs)
{
	int err = ext2_commit(fs);

	if (!err && !fs->marked_valid && fs->was_valid && !fs->orphans) {
		err = write_state(fs, true);
		if (!err)
			err = block_flush(fs->dev);
	}
	return err;
}

static int ext2_sync(struct super *sb)
{
	struct ext2_fs *fs = sb->private;
	int err;

	mutex_lock(&fs->meta);
	err = sync_locked(fs);
	mutex_unlock(&fs->meta);
	return err;
}

static int ext2_remount(struct super *sb, bool read_only)
{
	struct ext2_fs *fs = sb->private;
	int err;

	if (!read_only)
		return fs->must_be_read_only || fs->dev->read_only ? -EROFS : 0;
	writeback_sync_all();
	/* Nobody is in the middle of a change, and who comes later sees the flag: ext2_begin(). */
	mutex_lock(&fs->meta);
	err = fs->orphans ? -EBUSY : sync_locked(fs);
	if (!err)
		sb->read_only = true;
	mutex_unlock(&fs->meta);
	return err;
}

static void ext2_shutdown(struct super *sb)
{
	ext2_delete_orphans(sb);
	if (ext2_sync(sb))
		printk("ext2: %s: not everything could be written\n", sb->source);
}

static int ext2_statfs(struct super *sb, struct statfs_info *st)
{
	struct ext2_fs *fs = sb->private;
	u32 free, reserved = fs->super->r_blocks_count;

	mutex_lock(&fs->meta);
	free = fs->super->free_blocks;
	st->ffree = fs->super->free_inodes;
	mutex_unlock(&fs->meta);
	st->type = EXT2_MAGIC;
	st->bsize = fs->block_size;
	st->blocks = fs->blocks_count - fs->overhead;
	st->bfree = free;
	st->bavail = free > reserved ? free - reserved : 0;
	st->files = fs->inodes_count;
	return 0;
}

/* -- mount ----------------------------------------------------------------------------------------------------- */

static int refuse(struct ext2_fs *fs, const char *why)
{
	printk("ext2: %s: %s\n", fs->dev->name, why);
	return -EINVAL;
}

/* Find the block size: the super block itself lies at a fixed place. */
static int read_geometry(struct ext2_fs *fs)
{
	struct page *page = page_alloc(0, GFP_KERNEL);
	struct ext2_disk_super *s;
	int err;

	if (!page)
		return -ENOMEM;
	err = block_rw_meta(fs->dev, EXT2_SUPER_OFFSET >> SECTOR_SHIFT, page, 0, EXT2_SUPER_OFFSET, false);
	s = page_address(page);
	if (err)
		printk("ext2: %s: cannot read the super block (%d)\n", fs->dev->name, err);
	else if (s->magic != EXT2_MAGIC)
		err = refuse(fs, "not an ext2 file system");
	else if (s->log_block_size > 2)
		err = refuse(fs, "block size is not 1, 2 or 4 KiB");
	else
		fs->block_shift = 10 + s->log_block_size;
	page_put(page);
	fs->block_size = 1u << fs->block_shift;
	return err;
}

/* Numbers that the rest divides by and indexes with. */
static int check_super(struct ext2_fs *fs, const struct ext2_disk_super *s)
{
	u32 bits = fs->block_size * 8;
	u64 device_blocks = fs->dev->sectors >> (fs->block_shift - SECTOR_SHIFT);

	if (s->rev_level > 1)
		return refuse(fs, "unknown revision");
	fs->inode_size = s->rev_level ? s->inode_size : 128;
	fs->first_ino = s->rev_level ? s->first_ino : 11;
	if (fs->inode_size < 128 || fs->inode_size > fs->block_size || (fs->inode_size & (fs->inode_size - 1)))
		return refuse(fs, "bad inode size");
	if (fs->first_ino < 11 || fs->first_ino > s->inodes_count)
		return refuse(fs, "bad first inode");
	if (s->first_data_block != (fs->block_size == 1024 ? 1u : 0u) || s->blocks_count <= s->first_data_block + 1)
		return refuse(fs, "bad first block or block count");
	if (!s->blocks_per_group || s->blocks_per_group > bits || s->blocks_per_group % 8 || !s->inodes_per_group ||
	    s->inodes_per_group > bits || s->inodes_per_group % 8)
		return refuse(fs, "bad group size");
	if (s->blocks_count > device_blocks)
		return refuse(fs, "larger than its device");
	fs->blocks_count = s->blocks_count;
	fs->first_data_block = s->first_data_block;
	fs->blocks_per_group = s->blocks_per_group;
	fs->inodes_per_group = s->inodes_per_group;
	fs->inodes_count = s->inodes_count;
	fs->groups = DIV_ROUND_UP(s->blocks_count - s->first_data_block, s->blocks_per_group);
	if ((u64)fs->groups * fs->inodes_per_group != s->inodes_count)
		return refuse(fs, "inode count does not match the groups");
	fs->addrs = fs->block_size / 4;
	fs->itable_blocks = DIV_ROUND_UP(fs->inodes_per_group * fs->inode_size, fs->block_size);
	return 0;
}

static int check_features(struct ext2_fs *fs, const struct ext2_disk_super *s)
{
	u32 incompat = s->rev_level ? s->feature_incompat : 0;
	u32 ro = s->rev_level ? s->feature_ro_compat : 0;

	if (incompat & ~(u32)EXT2_INCOMPAT_KNOWN) {
		printk("ext2: %s: unknown features 0x%x: refused\n", fs->dev->name, incompat & ~(u32)EXT2_INCOMPAT_KNOWN);
		return -EINVAL;
	}
	fs->filetype = incompat & EXT2_INCOMPAT_FILETYPE;
	if (ro & ~(u32)EXT2_RO_KNOWN) {
		printk("ext2: %s: unknown features 0x%x: read-only\n", fs->dev->name, ro & ~(u32)EXT2_RO_KNOWN);
		fs->must_be_read_only = true;
	}
	return 0;
}

static int read_descriptors(struct ext2_fs *fs)
{
	u32 per_block = fs->block_size / sizeof(struct ext2_disk_group);
	u32 nr = DIV_ROUND_UP(fs->groups, per_block);

	fs->desc_buffers = kzalloc(nr * sizeof(fs->desc_buffers[0]), GFP_KERNEL);
	if (!fs->desc_buffers)
		return -ENOMEM;
	for (u32 i = 0; i < nr; i++) {
		struct buffer *b = buffer_read(&fs->cache, fs->first_data_block + 1 + i);

		if (IS_ERR(b))
			return (int)PTR_ERR(b);
		fs->desc_buffers[fs->nr_desc_buffers++] = b;
	}
	for (u32 g = 0; g < fs->groups; g++) {
		struct ext2_disk_group *d = ext2_group(fs, g);
		u32 last = fs->blocks_count - 1;

		if (d->block_bitmap <= fs->first_data_block || d->block_bitmap > last ||
		    d->inode_bitmap <= fs->first_data_block || d->inode_bitmap > last ||
		    d->inode_table <= fs->first_data_block || d->inode_table > last ||
		    fs->itable_blocks > fs->blocks_count - d->inode_table)
			return refuse(fs, "bad group descriptor");
		fs->overhead += 2 + fs->itable_blocks + (group_has_super(fs, g) ? 1 + nr : 0);
	}
	fs->overhead += fs->first_data_block;
	return 0;
}

static int read_super(struct ext2_fs *fs)
{
	u32 block = fs->block_size == 1024 ? 1 : 0;
	struct buffer *b = buffer_read(&fs->cache, block);
	int err;

	if (IS_ERR(b))
		return (int)PTR_ERR(b);
	fs->super_buffer = b;
	fs->super = (struct ext2_disk_super *)(b->data + (block ? 0 : EXT2_SUPER_OFFSET));
	err = check_super(fs, fs->super);
	if (!err)
		err = check_features(fs, fs->super);
	if (!err)
		err = read_descriptors(fs);
	return err;
}

/* => nobody uses it any more */
static void fs_free(struct ext2_fs *fs)
{
	for (unsigned i = 0; i < fs->nr_desc_buffers; i++)
		buffer_put(&fs->cache, fs->desc_buffers[i]);
	kfree(fs->desc_buffers);
	if (fs->super_buffer)
		buffer_put(&fs->cache, fs->super_buffer);
	ext2_drop_held(fs);
	buffer_cache_destroy(&fs->cache);
	kfree(fs);
}

static void ext2_unmount(struct super *sb)
{
	struct ext2_fs *fs = sb->private;

	if (!sb->read_only && ext2_sync(sb))
		printk("ext2: %s: lost changes at unmount\n", sb->source);
	for (struct ext2_fs **p = &all; *p; p = &(*p)->next) {
		if (*p == fs) {
			*p = fs->next;
			break;
		}
	}
	fs_free(fs);
}

static const struct super_ops ext2_super_ops = {.evict = ext2_evict,
                                                .sync = ext2_sync,
                                                .statfs = ext2_statfs,
                                                .remount = ext2_remount,
                                                .shutdown = ext2_shutdown,
                                                .unmount = ext2_unmount};

static void note_state(struct ext2_fs *fs)
{
	fs->was_valid = (fs->super->state & EXT2_VALID_FS) && !(fs->super->state & EXT2_ERROR_FS);
	fs->marked_valid = fs->super->state & EXT2_VALID_FS;
	if (!fs->was_valid)
		printk("ext2: %s: was not cleanly unmounted; e2fsck is advised\n", fs->dev->name);
}

static struct super *make_super(struct ext2_fs *fs, const char *source, bool read_only)
{
	struct super *sb = super_alloc("ext2", &ext2_super_ops, source);

	if (!sb)
		return ERR_PTR(-ENOMEM);
	fs->sb = sb;
	sb->private = fs;
	sb->dev = DEV(254, fs->dev->minor);
	sb->block_size = fs->block_size;
	sb->read_only = true; /* until we know that we want it: a disk that is refused is not written to */
	sb->max_size = ext2_max_size(fs);
	note_state(fs);
	sb->root = ext2_iget(sb, EXT2_ROOT_INO);
	if (!IS_ERR(sb->root) && !S_ISDIR(sb->root->mode)) {
		inode_put(sb->root);
		sb->root = ERR_PTR(refuse(fs, "the root is no directory"));
	}
	if (IS_ERR(sb->root)) {
		int err = (int)PTR_ERR(sb->root);

		super_free(sb);
		return ERR_PTR(err);
	}
	sb->read_only = read_only || fs->must_be_read_only || fs->dev->read_only;
	return sb;
}

static struct super *ext2_mount(const char *source, bool read_only)
{
	struct block_device *dev = block_find(source);
	struct super *sb;
	struct ext2_fs *fs;
	int err;

	if (!dev)
		return ERR_PTR(-ENOENT);
	for (fs = all; fs; fs = fs->next)
		if (fs->dev == dev)
			return ERR_PTR(-EBUSY);
	fs = kzalloc(sizeof(*fs), GFP_KERNEL);
	if (!fs)
		return ERR_PTR(-ENOMEM);
	fs->dev = dev;
	fs->epoch = 1;
	list_init(&fs->held);
	mutex_init(&fs->meta, LOCK_FS_META);
	err = read_geometry(fs);
	if (err) {
		kfree(fs);
		return ERR_PTR(err);
	}
	buffer_cache_init(&fs->cache, dev, fs->block_size);
	err = read_super(fs);
	sb = err ? ERR_PTR(err) : make_super(fs, source, read_only);
	if (IS_ERR(sb)) {
		fs_free(fs);
		return sb;
	}
	fs->next = all;
	all = fs;
	return sb;
}

const struct fs_type ext2_type = {.name = "ext2", .needs_device = true, .mount = ext2_mount};
