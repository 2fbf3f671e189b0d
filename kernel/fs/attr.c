/*
 * attr.c - attributes of inodes: stat, chmod, chown, utimens, access.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h.  Lock order: the inode lock, then the file system's own.
 * Everything runs as root, so permission bits restrict nothing but execution.
 */
#include "kernel/fs/vfs_internal.h"

void inode_stat(struct inode *inode, struct kstat *st)
{
	struct super *sb = inode->super;

	*st = (struct kstat){
		.dev = sb ? sb->dev : 1,
		.ino = inode->ino,
		.rdev = inode->rdev,
		.blocks = inode->blocks,
		.mode = inode->mode,
		.nlink = inode->nlink,
		.uid = inode->uid,
		.gid = inode->gid,
		.blksize = sb && sb->block_size ? sb->block_size : PAGE_SIZE,
		.size = inode->obj.size,
		.atime = inode->atime,
		.mtime = inode->mtime,
		.ctime = inode->ctime,
	};
	if (sb && !sb->has_device && S_ISREG(inode->mode))
		st->blocks = ((u64)inode->obj.nr_pages + inode->obj.nr_slots) * (PAGE_SIZE / 512);
}

static int attr_begin(struct inode *inode)
{
	if (inode->super && inode->super->read_only)
		return -EROFS;
	rwsem_write_lock(&inode->lock);
	return 0;
}

static int attr_end(struct inode *inode)
{
	int err;

	inode->ctime = vfs_now();
	err = inode->ops && inode->ops->setattr ? inode->ops->setattr(inode) : 0;
	rwsem_write_unlock(&inode->lock);
	return err;
}

int inode_chmod(struct inode *inode, u32 mode)
{
	int err = attr_begin(inode);

	if (err)
		return err;
	inode->mode = (inode->mode & S_IFMT) | (mode & 07777);
	return attr_end(inode);
}

int inode_chown(struct inode *inode, u32 uid, u32 gid)
{
	int err = attr_begin(inode);

	if (err)
		return err;
	if (uid != (u32)-1)
		inode->uid = uid;
	if (gid != (u32)-1)
		inode->gid = gid;
	if (S_ISREG(inode->mode)) /* as Linux: a new owner gets no set-id program for free */
		inode->mode &= ~(u32)(S_ISUID | ((inode->mode & 010) ? S_ISGID : 0));
	return attr_end(inode);
}

int inode_utimens(struct inode *inode, const struct timespec64 *atime, const struct timespec64 *mtime)
{
	int err = attr_begin(inode);

	if (err)
		return err;
	if (!atime && !mtime)
		inode->atime = inode->mtime = vfs_now();
	if (atime)
		inode->atime = *atime;
	if (mtime)
		inode->mtime = *mtime;
	return attr_end(inode);
}

/* The inode at @path, referenced. */
static struct inode *path_inode(struct dentry *cwd, const char *path)
{
	struct dentry *d = path_lookup(cwd, path, LOOKUP_FOLLOW);
	struct inode *inode;

	if (IS_ERR(d))
		return ERR_CAST(d);
	inode = d->inode;
	inode_get(inode);
	dentry_put(d);
	return inode;
}

int vfs_chmod(struct dentry *cwd, const char *path, u32 mode)
{
	struct inode *inode = path_inode(cwd, path);
	int err;

	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	err = inode_chmod(inode, mode);
	inode_put(inode);
	return err;
}

int inode_access(struct inode *inode, unsigned mask)
{
	struct super *sb = inode->super;
	bool special = !S_ISREG(inode->mode) && !S_ISDIR(inode->mode) && !S_ISLNK(inode->mode);

	if ((mask & W_OK) && sb && sb->read_only && !special)
		return -EROFS;
	if ((mask & X_OK) && !S_ISDIR(inode->mode)) {
		if (!(inode->mode & 0111) || (sb && sb->noexec && S_ISREG(inode->mode)))
			return -EACCES;
	}
	return 0;
}
