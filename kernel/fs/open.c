/*
 * open.c - open(2): find or make the file, check the flags against it, make the description.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h.  Lock order: the directory's lock, then the inode's.
 */
#include "kernel/fs/pipe.h"
#include "kernel/fs/vfs_internal.h"

/* The operations of an open file on @inode; NULL: nothing stands behind it (-ENXIO). */
static const struct file_ops *ops_of(const struct inode *inode)
{
	if (S_ISCHR(inode->mode) || S_ISBLK(inode->mode))
		return dev_fops(inode->mode, inode->rdev);
	if (S_ISFIFO(inode->mode))
		return &fifo_file_ops;
	return inode->fops;
}

/* Whether @flags suit what was found. */
static int open_check(const struct inode *inode, unsigned flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);

	if ((flags & O_DIRECTORY) && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (flags & O_PATH)
		return 0;
	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (S_ISDIR(inode->mode) && (writes || (flags & O_CREAT)))
		return -EISDIR;
	return 0;
}

/* Will a regular file be written to? Then its file system must stay writable until the file is closed. */
static bool open_writes(const struct inode *inode, unsigned flags)
{
	return S_ISREG(inode->mode) && !(flags & O_PATH) && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC));
}

static int open_truncate(struct inode *inode)
{
	int err = 0;

	rwsem_write_lock(&inode->lock);
	if (inode->obj.size)
		err = inode_truncate_locked(inode, 0);
	rwsem_write_unlock(&inode->lock);
	return err;
}

static int open_start(struct file *f, unsigned flags)
{
	int err = 0;

	if (flags & O_PATH)
		return 0;
	if (f->ops->open)
		err = f->ops->open(f->inode, f);
	if (!err && (flags & O_TRUNC) && S_ISREG(f->inode->mode)) {
		err = open_truncate(f->inode);
		if (err && f->ops->release)
			f->ops->release(f);
	}
	return err;
}

/* A description for @d (reference consumed). */
static struct file *open_dentry(struct dentry *d, unsigned flags)
{
	const struct file_ops *ops;
	struct file *f;
	bool writer = open_writes(d->inode, flags);
	int err = open_check(d->inode, flags);

	ops = flags & O_PATH ? NULL : ops_of(d->inode);
	if (!err && !ops && !(flags & O_PATH))
		err = -ENXIO;
	if (!err && writer)
		err = super_write_begin(d->inode->super);
	if (err) {
		dentry_put(d);
		return ERR_PTR(err);
	}
	f = file_make(d->inode, ops, flags & ~(unsigned)(O_CREAT | O_EXCL | O_TRUNC), NULL);
	if (IS_ERR(f)) {
		if (writer)
			super_write_end(d->inode->super);
		dentry_put(d);
		return f;
	}
	f->dentry = d;
	f->writer = writer;
	err = open_start(f, flags);
	if (err) {
		f->ops = NULL; /* not open: nothing to release */
		file_put(f);
		return ERR_PTR(err);
	}
	return f;
}

/* Make the regular file that negative @d names. => directory locked */
static int create_locked(struct dentry *d, u32 mode)
{
	struct inode *dir = d->parent->inode, *inode;

	if (!dir->nlink)
		return -ENOENT;
	if (dir->super->read_only)
		return -EROFS;
	if (!dir->ops->create)
		return -EACCES;
	inode = dir->ops->create(dir, d->name, S_IFREG | (mode & 07777), 0);
	if (IS_ERR(inode))
		return (int)PTR_ERR(inode);
	dentry_instantiate(d, inode);
	return 0;
}

/* The last component of @w, made if absent (*@made). Referenced, or ERR_PTR. */
static struct dentry *find_or_create(struct walk *w, unsigned flags, u32 mode, bool *made)
{
	struct inode *dir = w->at->inode;
	struct dentry *d;
	int err = 0;

	if (!S_ISDIR(dir->mode))
		return ERR_PTR(-ENOTDIR);
	rwsem_write_lock(&dir->lock);
	d = dentry_lookup_locked(w->at, w->last, w->last_len);
	if (!IS_ERR(d) && !d->inode) {
		err = w->slash ? -EISDIR : create_locked(d, mode);
		*made = !err;
	}
	rwsem_write_unlock(&dir->lock);
	if (IS_ERR(d))
		return d;
	if (!err && !*made && (flags & O_EXCL))
		err = -EEXIST;
	if (err) {
		dentry_put(d);
		return ERR_PTR(err);
	}
	return dentry_follow_mounts(d);
}

/* O_CREAT, the walk standing before the last component. */
static struct file *open_create(struct walk *w, unsigned flags, u32 mode)
{
	for (;;) {
		struct dentry *d;
		bool made = false;
		int err;

		if (w->last_type != LAST_NORMAL) { /* "/", ".", "..", or a link that led to a file */
			if (w->last_type == LAST_DOTDOT || w->last_type == LAST_DOT)
				return ERR_PTR(flags & O_EXCL ? -EEXIST : -EISDIR);
			dentry_get(w->at);
			return flags & O_EXCL ? (dentry_put(w->at), ERR_PTR(-EEXIST)) : open_dentry(w->at, flags);
		}
		d = find_or_create(w, flags, mode, &made);
		if (IS_ERR(d))
			return ERR_CAST(d);
		if (made)
			return open_dentry(d, flags & ~(unsigned)O_TRUNC);
		if (!S_ISLNK(d->inode->mode) || (flags & O_NOFOLLOW)) {
			if (w->slash && !S_ISDIR(d->inode->mode)) {
				dentry_put(d);
				return ERR_PTR(-ENOTDIR);
			}
			return open_dentry(d, flags);
		}
		err = walk_follow_last(w, d);
		dentry_put(d);
		if (err)
			return ERR_PTR(err);
	}
}

struct file *vfs_open(struct dentry *cwd, const char *path, unsigned flags, u32 mode)
{
	struct dentry *d;
	struct file *f;
	struct walk w;
	int err;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		return ERR_PTR(-EOPNOTSUPP);
	if (!(flags & O_CREAT) || (flags & O_PATH)) {
		flags &= ~(unsigned)O_CREAT;
		d = path_lookup(cwd, path, flags & O_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
		return IS_ERR(d) ? ERR_CAST(d) : open_dentry(d, flags);
	}
	if (flags & O_DIRECTORY)
		return ERR_PTR(-EINVAL);
	err = walk_path(&w, cwd, path, LOOKUP_PARENT);
	if (err)
		return ERR_PTR(err);
	f = open_create(&w, flags, mode);
	walk_end(&w);
	return f;
}
