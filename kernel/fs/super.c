/*
 * super.c - file systems in use: made, found, synced, their statistics.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h, vfs_internal.h.
 */
#include "kernel/fs/vfs_internal.h"
#include "kernel/lib/atomic.h"

static int next_dev = 2;

struct super *super_alloc(const char *type, const struct super_ops *ops, const char *source)
{
	struct super *sb = kzalloc(sizeof(*sb), GFP_KERNEL);

	if (!sb)
		return NULL;
	sb->type = type;
	sb->ops = ops;
	strlcpy(sb->source, source, sizeof(sb->source));
	sb->dev = DEV(0, (unsigned)atomic_fetch_add(&next_dev, 1));
	sb->block_size = PAGE_SIZE;
	for (unsigned i = 0; i < INODE_HASH; i++)
		list_init(&sb->inodes[i]);
	spin_init(&sb->inodes_lock, LOCK_INODE_TABLE);
	mutex_init(&sb->load_lock, LOCK_INODE_LOAD);
	wait_queue_init(&sb->evicted);
	list_init(&sb->link);
	return sb;
}

void super_free(struct super *sb)
{
	for (unsigned i = 0; i < INODE_HASH; i++)
		ASSERT(list_empty(&sb->inodes[i]));
	kfree(sb);
}

/*
 * Who changes the file system against who makes it read-only:
 *
 *	writers++                         closing = true
 *	full barrier                      full barrier
 *	closing or read_only? then back   writers? then not
 */
int super_write_begin(struct super *sb)
{
	for (;;) {
		atomic_inc(&sb->writers);
		atomic_fence();
		if (!READ_ONCE(sb->closing) && !READ_ONCE(sb->read_only))
			return 0;
		super_write_end(sb);
		if (READ_ONCE(sb->read_only))
			return -EROFS;
		mutex_lock(&mount_lock); /* until it is decided */
		mutex_unlock(&mount_lock);
	}
}

void super_write_end(struct super *sb)
{
	ASSERT(atomic_read(&sb->writers) > 0);
	atomic_dec(&sb->writers);
}

int super_close(struct super *sb)
{
	ASSERT(mutex_held(&mount_lock));
	WRITE_ONCE(sb->closing, true);
	atomic_fence();
	if (!atomic_read(&sb->writers))
		return 0;
	WRITE_ONCE(sb->closing, false);
	return -EBUSY;
}

int vfs_statfs(struct inode *inode, struct statfs_info *st)
{
	struct super *sb = inode->super;

	*st = (struct statfs_info){.type = 0x50495045 /* pipefs */, .bsize = PAGE_SIZE, .namelen = NAME_MAX};
	if (!sb)
		return 0;
	st->flags = 0x20 | (sb->read_only ? MS_RDONLY : 0) | (sb->noexec ? MS_NOEXEC : 0); /* ST_VALID */
	return sb->ops->statfs ? sb->ops->statfs(sb, st) : 0;
}
