/*
 * names.c - calls that change directories: mknod, mkdir, unlink, rmdir, link, symlink, rename.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h.
 * Lock order: mount_lock (rename only: the shape of the tree stands still), directories from the root down (or
 * by address when neither is above the other), then the inode that is unlinked or replaced.
 */
#include "kernel/fs/vfs_internal.h"

/* The directory and last component for making a name. Errors as mkdir(2) and kin. */
static int parent_for_create(struct walk *w, struct dentry *cwd, const char *path)
{
	int err = walk_path(w, cwd, path, LOOKUP_PARENT);

	if (err)
		return err;
	if (w->last_type != LAST_NORMAL)
		err = -EEXIST;
	else if (!S_ISDIR(w->at->inode->mode))
		err = -ENOTDIR;
	if (err)
		walk_end(w);
	return err;
}

/* The negative dentry for a new name. @is_dir: a trailing slash is fine. => directory locked for writing */
static struct dentry *new_name_locked(struct walk *w, bool is_dir)
{
	struct inode *dir = w->at->inode;
	struct dentry *d = dentry_lookup_locked(w->at, w->last, w->last_len);
	int err = 0;

	if (IS_ERR(d))
		return d;
	if (d->inode)
		err = -EEXIST;
	else if ((w->slash && !is_dir) || !dir->nlink)
		err = -ENOENT;
	else if (dir->super->read_only)
		err = -EROFS;
	if (!err)
		return d;
	dentry_put(d);
	return ERR_PTR(err);
}

/* What a new name shall be. */
struct new_node {
	u32 mode;
	u64 rdev;
	const char *target;  /* symlink */
	struct inode *inode; /* hard link */
};

static struct inode *make_node(struct inode *dir, const char *name, const struct new_node *n)
{
	int err;

	if (n->target)
		return dir->ops->symlink ? dir->ops->symlink(dir, name, n->target) : ERR_PTR(-EPERM);
	if (!n->inode)
		return dir->ops->create ? dir->ops->create(dir, name, n->mode, n->rdev) : ERR_PTR(-EPERM);
	if (!dir->ops->link || S_ISDIR(n->inode->mode))
		return ERR_PTR(-EPERM);
	rwsem_write_lock_nested(&n->inode->lock);
	err = n->inode->nlink ? dir->ops->link(dir, name, n->inode) : -ENOENT;
	rwsem_write_unlock(&n->inode->lock);
	if (err)
		return ERR_PTR(err);
	inode_get(n->inode);
	return n->inode;
}

static int add_name(struct dentry *cwd, const char *path, const struct new_node *n)
{
	struct inode *inode;
	struct dentry *d;
	struct walk w;
	int err = parent_for_create(&w, cwd, path);

	if (err)
		return err;
	rwsem_write_lock(&w.at->inode->lock);
	d = new_name_locked(&w, S_ISDIR(n->mode));
	err = IS_ERR(d) ? (int)PTR_ERR(d) : 0;
	if (!err && n->inode && n->inode->super != w.at->super)
		err = -EXDEV;
	if (!err) {
		inode = make_node(w.at->inode, d->name, n);
		if (IS_ERR(inode))
			err = (int)PTR_ERR(inode);
		else
			dentry_instantiate(d, inode);
	}
	rwsem_write_unlock(&w.at->inode->lock);
	if (!IS_ERR(d))
		dentry_put(d);
	walk_end(&w);
	return err;
}

int vfs_mknod(struct dentry *cwd, const char *path, u32 mode, u64 rdev)
{
	if (!(mode & S_IFMT))
		mode |= S_IFREG;
	if (S_ISDIR(mode))
		return -EPERM;
	return add_name(cwd, path, &(struct new_node){.mode = mode, .rdev = rdev});
}

int vfs_mkdir(struct dentry *cwd, const char *path, u32 mode)
{
	return add_name(cwd, path, &(struct new_node){.mode = S_IFDIR | (mode & 07777)});
}

int vfs_symlink(const char *target, struct dentry *cwd, const char *path)
{
	if (!*target)
		return -ENOENT;
	if (strnlen(target, PATH_MAX) >= PATH_MAX)
		return -ENAMETOOLONG;
	return add_name(cwd, path, &(struct new_node){.mode = S_IFLNK | 0777, .target = target});
}

int vfs_link(struct dentry *from_cwd, const char *from, struct dentry *to_cwd, const char *to, bool follow)
{
	struct dentry *d = path_lookup(from_cwd, from, follow ? LOOKUP_FOLLOW : 0);
	int err;

	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	err = add_name(to_cwd, to, &(struct new_node){.mode = S_IFREG, .inode = d->inode});
	dentry_put(d);
	return err;
}

/* -- removal -------------------------------------------------------------------------------------------------- */

static int unlink_locked(struct inode *dir, struct dentry *d, bool slash)
{
	struct inode *inode = d->inode;
	int err;

	if (!inode)
		return -ENOENT;
	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (slash)
		return -ENOTDIR;
	if (dir->super->read_only)
		return -EROFS;
	if (!dir->ops->unlink)
		return -EPERM;
	rwsem_write_lock_nested(&inode->lock);
	err = inode->swap ? -EPERM : dir->ops->unlink(dir, d->name, inode);
	rwsem_write_unlock(&inode->lock);
	return err;
}

static int rmdir_locked(struct inode *dir, struct dentry *d)
{
	struct inode *inode = d->inode;
	int err;

	if (!inode)
		return -ENOENT;
	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (dir->super->read_only)
		return -EROFS;
	if (!dir->ops->rmdir)
		return -EPERM;
	rwsem_write_lock_nested(&inode->lock);
	err = dentry_is_mountpoint(d) ? -EBUSY : dir->ops->rmdir(dir, d->name, inode);
	rwsem_write_unlock(&inode->lock);
	return err;
}

static int remove_name(struct dentry *cwd, const char *path, bool is_dir)
{
	struct inode *dir;
	struct dentry *d;
	struct walk w;
	int err = walk_path(&w, cwd, path, LOOKUP_PARENT);

	if (err)
		return err;
	if (w.last_type != LAST_NORMAL) {
		err = !is_dir ? -EISDIR : w.last_type == LAST_DOT ? -EINVAL : w.last_type == LAST_DOTDOT ? -ENOTEMPTY : -EBUSY;
		walk_end(&w);
		return err;
	}
	dir = w.at->inode;
	if (!S_ISDIR(dir->mode)) {
		walk_end(&w);
		return -ENOTDIR;
	}
	rwsem_write_lock(&dir->lock);
	d = dentry_lookup_locked(w.at, w.last, w.last_len);
	if (IS_ERR(d)) {
		err = (int)PTR_ERR(d);
	} else {
		err = is_dir ? rmdir_locked(dir, d) : unlink_locked(dir, d, w.slash);
		if (!err)
			dentry_kill(d);
	}
	rwsem_write_unlock(&dir->lock);
	if (!IS_ERR(d)) {
		if (!err && is_dir)
			dentry_prune_below(d);
		dentry_put(d);
	}
	walk_end(&w);
	return err;
}

int vfs_unlink(struct dentry *cwd, const char *path)
{
	return remove_name(cwd, path, false);
}

int vfs_rmdir(struct dentry *cwd, const char *path)
{
	return remove_name(cwd, path, true);
}

/* -- rename --------------------------------------------------------------------------------------------------- */

/* Lock both directories: the upper one first. => mount_lock */
static void lock_pair(struct dentry *a, struct dentry *b)
{
	if (a->inode == b->inode) {
		rwsem_write_lock(&a->inode->lock);
		return;
	}
	if (!dentry_is_ancestor(a, b) && (dentry_is_ancestor(b, a) || a->inode > b->inode)) {
		struct dentry *t = a;

		a = b;
		b = t;
	}
	rwsem_write_lock(&a->inode->lock);
	rwsem_write_lock_nested(&b->inode->lock);
}

static void unlock_pair(struct dentry *a, struct dentry *b)
{
	if (a->inode != b->inode)
		rwsem_write_unlock(&b->inode->lock);
	rwsem_write_unlock(&a->inode->lock);
}

/* May @old become @new? 1: they are the same file already, nothing to do. => both directories locked */
static int rename_check(struct walk *from, struct dentry *old, struct walk *to, struct dentry *new, unsigned flags)
{
	bool is_dir;

	if (!old->inode)
		return -ENOENT;
	is_dir = S_ISDIR(old->inode->mode);
	if (!is_dir && (from->slash || to->slash))
		return -ENOTDIR;
	if (new->inode && (flags & RENAME_NOREPLACE))
		return -EEXIST;
	/* The inodes too: a damaged disk may give a directory two names, and its lock must not be taken twice. */
	if (dentry_is_ancestor(old, to->at) || old->inode == to->at->inode)
		return -EINVAL; /* into itself */
	if (new->inode &&
	    (dentry_is_ancestor(new, from->at) || new->inode == from->at->inode || new->inode == to->at->inode))
		return -ENOTEMPTY;
	if (!to->at->inode->nlink)
		return -ENOENT;
	if (from->at->super->read_only)
		return -EROFS;
	if (new->inode == old->inode)
		return 1;
	if (new->inode && is_dir != S_ISDIR(new->inode->mode))
		return is_dir ? -ENOTDIR : -EISDIR;
	if (dentry_is_mountpoint(old) || dentry_is_mountpoint(new))
		return -EBUSY;
	return from->at->inode->ops->rename ? 0 : -EPERM;
}

/* => both directories locked, rename_check() passed */
static int rename_commit(struct walk *from, struct dentry *old, struct walk *to, struct dentry *new)
{
	char *name = kstrdup(new->name, GFP_KERNEL);
	struct inode *victim = new->inode;
	int err;

	if (!name)
		return -ENOMEM;
	if (victim)
		rwsem_write_lock_nested(&victim->lock);
	err = from->at->inode->ops->rename(from->at->inode, old->name, to->at->inode, new->name, old->inode, victim);
	if (victim)
		rwsem_write_unlock(&victim->lock);
	if (err) {
		kfree(name);
		return err;
	}
	dentry_kill(new);
	dentry_move(old, to->at, name);
	return 0;
}

/* *@replaced: the name that was in the way, referenced, or NULL. */
static int rename_locked(struct walk *from, struct walk *to, unsigned flags, struct dentry **replaced)
{
	struct dentry *old, *new;
	int err;

	old = dentry_lookup_locked(from->at, from->last, from->last_len);
	if (IS_ERR(old))
		return (int)PTR_ERR(old);
	new = dentry_lookup_locked(to->at, to->last, to->last_len);
	err = IS_ERR(new) ? (int)PTR_ERR(new) : rename_check(from, old, to, new, flags);
	if (!err)
		err = rename_commit(from, old, to, new);
	*replaced = IS_ERR(new) ? NULL : new;
	dentry_put(old);
	return err > 0 ? 0 : err;
}

static int rename_walks(struct walk *from, struct walk *to, unsigned flags)
{
	struct dentry *replaced = NULL;
	int err;

	if (from->last_type != LAST_NORMAL || to->last_type != LAST_NORMAL)
		return (flags & RENAME_NOREPLACE) && from->last_type == LAST_NORMAL ? -EEXIST : -EBUSY;
	if (from->at->super != to->at->super)
		return -EXDEV;
	if (!S_ISDIR(from->at->inode->mode) || !S_ISDIR(to->at->inode->mode))
		return -ENOTDIR;
	mutex_lock(&mount_lock);
	lock_pair(from->at, to->at);
	err = rename_locked(from, to, flags, &replaced);
	unlock_pair(from->at, to->at);
	mutex_unlock(&mount_lock);
	if (replaced) {
		if (!err && replaced->dead)
			dentry_prune_below(replaced);
		dentry_put(replaced);
	}
	return err;
}

int vfs_rename_flags(struct dentry *from_cwd, const char *from, struct dentry *to_cwd, const char *to, unsigned flags)
{
	struct walk wf, wt;
	int err;

	if (flags & ~(unsigned)RENAME_NOREPLACE)
		return -EINVAL;
	err = walk_path(&wf, from_cwd, from, LOOKUP_PARENT);
	if (err)
		return err;
	err = walk_path(&wt, to_cwd, to, LOOKUP_PARENT);
	if (!err) {
		err = rename_walks(&wf, &wt, flags);
		walk_end(&wt);
	}
	walk_end(&wf);
	return err;
}

int vfs_rename(struct dentry *from_cwd, const char *from, struct dentry *to_cwd, const char *to)
{
	return vfs_rename_flags(from_cwd, from, to_cwd, to, 0);
}
