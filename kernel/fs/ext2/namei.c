/*
 * namei.c - ext2: the operations on names.
 *
 * Layer 9 (kernel/fs).  Locks: the VFS holds the inode locks; meta is taken here, for one step at a time.
 * A new inode has nlink 0 until its name is there: dropping it undoes everything.
 *
 * What a power cut may leave is decided by commit.c, within which these do not fit; they commit first:
 *   - a name in a directory that is not on the disk yet: the file might get there without it
 *   - a file that is not on the disk takes over the name of one that may be
 *   - a file on the disk moves to another directory block: the old name must not go before the new one is there
 *   - of two names one goes, and the other may not be on the disk yet
 *   - a directory is removed that has names on the disk: their files must go first
 */
#include "kernel/fs/ext2/ext2.h"

/*
 * A directory that is found in @dir must say that @dir is its parent.  Otherwise the tree of a damaged disk might
 * have loops, and whoever locks parent and child would wait for itself.  => @dir locked (so no rename moves it)
 */
static int check_parent(struct inode *dir, struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	u32 parent = 0;
	int err = 0;

	mutex_lock(&fs->meta);
	if (inode != dir && inode->ino != EXT2_ROOT_INO)
		err = ext2_dir_find(inode, "..", &parent);
	if (!err && parent == dir->ino)
		goto out;
	if (!err || err == -ENOENT)
		err = ext2_corrupt(fs, "parent of directory", inode->ino);
out:
	mutex_unlock(&fs->meta);
	return err;
}

static struct inode *ext2_lookup(struct inode *dir, const char *name)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	struct inode *inode;
	u32 ino;
	int err;

	mutex_lock(&fs->meta);
	err = ext2_dir_find(dir, name, &ino);
	mutex_unlock(&fs->meta);
	if (err)
		return ERR_PTR(err);
	inode = ext2_iget(dir->super, ino);
	if (IS_ERR(inode) || !S_ISDIR(inode->mode))
		return inode;
	err = check_parent(dir, inode);
	if (!err)
		return inode;
	inode_put(inode);
	return ERR_PTR(err);
}

/* @dir is about to get a name, so it must be on the disk. => meta */
static void commit_parent(struct inode *dir)
{
	if (ext2_is_new(dir))
		(void)ext2_commit(ext2_fs_of(dir)); /* a disk that fails keeps no order */
}

/* @inode is about to lose a name; if it has more, one of them may be so new that it is not on the disk. => meta */
static void commit_links(struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(inode);

	if (inode->nlink > 1 && fs->link_epoch == fs->epoch)
		(void)ext2_commit(fs);
}

/* Enter the new @inode, a directory with "." and "..". => meta */
static int enter(struct inode *dir, const char *name, struct inode *inode)
{
	bool is_dir = S_ISDIR(inode->mode);
	int err;

	commit_parent(dir);
	err = is_dir ? ext2_dir_make_empty(inode, (u32)dir->ino) : 0;
	if (!err)
		err = ext2_dir_add(dir, name, (u32)inode->ino, inode->mode);
	if (err)
		return err;
	ext2_still_new(inode);
	inode->nlink = is_dir ? 2 : 1;
	if (is_dir) {
		dir->nlink++;
		(void)ext2_store(dir);
	}
	return ext2_store(inode);
}

static struct inode *enter_or_drop(struct inode *dir, const char *name, struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	int err;

	err = ext2_begin(fs);
	if (!err) {
		err = enter(dir, name, inode);
		mutex_unlock(&fs->meta);
	}
	if (!err)
		return inode;
	inode_put(inode);
	return ERR_PTR(err);
}

static struct inode *ext2_create(struct inode *dir, const char *name, u32 mode, u64 rdev)
{
	struct inode *inode;

	if (S_ISDIR(mode) && dir->nlink >= EXT2_LINK_MAX)
		return ERR_PTR(-EMLINK);
	inode = ext2_inode_new(dir, mode, rdev);
	return IS_ERR(inode) ? inode : enter_or_drop(dir, name, inode);
}

/* The text of a symlink: in the inode if it fits, else in a block. */
static int set_target(struct inode *inode, const char *target, size_t len)
{
	struct ext2_inode *ei = ext2_inode_of(inode);
	ssize_t n;

	if (len < sizeof(ei->block)) {
		memcpy(ei->block, target, len);
		inode->obj.size = (loff_t)len;
		return 0;
	}
	rwsem_write_lock_nested(&inode->lock);
	(void)ext2_write_begin(inode, 0, len);
	n = object_write(&inode->obj, 0, target, len);
	ext2_write_end(inode);
	rwsem_write_unlock(&inode->lock);
	if (n != (ssize_t)len)
		return n < 0 ? (int)n : -ENOSPC;
	return object_writeback(&inode->obj, 0, 0, true); /* before the inode: e2fsck stops at a link without a text */
}

static struct inode *ext2_symlink(struct inode *dir, const char *name, const char *target)
{
	size_t len = strlen(target);
	struct inode *inode;
	int err;

	if (len >= ext2_fs_of(dir)->block_size)
		return ERR_PTR(-ENAMETOOLONG);
	inode = ext2_inode_new(dir, S_IFLNK | 0777, 0);
	if (IS_ERR(inode))
		return inode;
	err = set_target(inode, target, len);
	if (err) {
		inode_put(inode);
		return ERR_PTR(err);
	}
	return enter_or_drop(dir, name, inode);
}

static int ext2_link(struct inode *dir, const char *name, struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	int err;

	if (inode->nlink >= EXT2_LINK_MAX)
		return -EMLINK;
	err = ext2_begin(fs);
	if (err)
		return err;
	commit_parent(dir);
	err = ext2_dir_add(dir, name, (u32)inode->ino, inode->mode);
	if (!err) {
		if (!ext2_is_new(inode))
			fs->link_epoch = fs->epoch;
		inode->nlink++;
		inode->ctime = vfs_now();
		err = ext2_store(inode);
	}
	mutex_unlock(&fs->meta);
	return err;
}

/* One name less. => meta */
static int drop_link(struct inode *inode)
{
	if (inode->nlink && --inode->nlink == 0)
		ext2_orphan(inode);
	inode->ctime = vfs_now();
	return ext2_store(inode);
}

static int ext2_unlink(struct inode *dir, const char *name, struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	int err;

	err = ext2_begin(fs);
	if (err)
		return err;
	commit_links(inode);
	err = ext2_dir_remove(dir, name);
	if (!err)
		err = drop_link(inode);
	mutex_unlock(&fs->meta);
	return err;
}

/* An empty directory loses its name: @dir's count of subdirectories follows. => meta */
static int drop_dir(struct inode *dir, struct inode *inode)
{
	inode->nlink = 0;
	ext2_orphan(inode);
	inode->ctime = vfs_now();
	if (dir->nlink)
		dir->nlink--;
	(void)ext2_store(inode);
	return ext2_store(dir);
}

static int ext2_rmdir(struct inode *dir, const char *name, struct inode *inode)
{
	struct ext2_fs *fs = ext2_fs_of(dir);
	int err;

	err = ext2_begin(fs);
	if (err)
		return err;
	err = ext2_dir_is_empty(inode);
	err = err < 0 ? err : err ? 0 : -ENOTEMPTY;
	if (!err && !ext2_is_new(inode) && ext2_dir_unwritten(inode))
		(void)ext2_commit(fs);
	if (!err)
		err = ext2_dir_remove(dir, name);
	if (!err)
		err = drop_dir(dir, inode);
	mutex_unlock(&fs->meta);
	return err;
}

/* The new name leads to @inode, in @victim's place if there is one. => meta */
static int rename_to(struct inode *to, const char *name, struct inode *inode, struct inode *victim)
{
	struct ext2_fs *fs = ext2_fs_of(to);
	int err;

	commit_parent(to);
	if (!victim)
		return ext2_dir_add(to, name, (u32)inode->ino, inode->mode);
	if (S_ISDIR(victim->mode)) {
		err = ext2_dir_is_empty(victim);
		if (err <= 0)
			return err ? err : -ENOTEMPTY;
	}
	if (ext2_is_new(inode))
		(void)ext2_commit(fs);
	commit_links(victim);
	err = ext2_is_new(victim) ? 0 : ext2_hold(fs, victim->ino, true);
	if (!err)
		err = ext2_dir_replace(to, name, (u32)inode->ino, inode->mode);
	if (err)
		return err;
	return S_ISDIR(victim->mode) ? drop_dir(to, victim) : drop_link(victim);
}

/* The old name of @inode goes, which is @to's @new_name now too. => meta */
static int rename_from(struct inode *from, const char *name, struct inode *to, const char *new_name,
                       struct inode *inode)
{
	if (!ext2_is_new(inode) && ext2_dir_where(from, name) != ext2_dir_where(to, new_name))
		(void)ext2_commit(ext2_fs_of(from));
	return ext2_dir_remove(from, name);
}

/* A directory changed its parent. => meta */
static int reparent(struct inode *from, struct inode *to, struct inode *inode)
{
	int err = ext2_dir_replace(inode, "..", (u32)to->ino, S_IFDIR);

	if (from->nlink)
		from->nlink--;
	to->nlink++;
	(void)ext2_store(from);
	(void)ext2_store(to);
	return err;
}

static int ext2_rename(struct inode *from, const char *name, struct inode *to, const char *new_name,
                       struct inode *inode, struct inode *victim)
{
	struct ext2_fs *fs = ext2_fs_of(from);
	bool moves = S_ISDIR(inode->mode) && from != to;
	int err;

	if (moves && !victim && to->nlink >= EXT2_LINK_MAX)
		return -EMLINK;
	err = ext2_begin(fs);
	if (err)
		return err;
	err = rename_to(to, new_name, inode, victim);
	if (!err)
		err = rename_from(from, name, to, new_name, inode);
	if (!err && moves)
		err = reparent(from, to, inode);
	if (!err) {
		inode->ctime = vfs_now();
		err = ext2_store(inode);
	}
	mutex_unlock(&fs->meta);
	return err;
}

const struct inode_ops ext2_dir_inode_ops = {.lookup = ext2_lookup,
                                             .create = ext2_create,
                                             .link = ext2_link,
                                             .unlink = ext2_unlink,
                                             .rmdir = ext2_rmdir,
                                             .symlink = ext2_symlink,
                                             .rename = ext2_rename,
                                             .setattr = ext2_setattr};
