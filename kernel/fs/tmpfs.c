/*
 * tmpfs.c - a file system in memory: page cache without a disk.  Also /dev.
 *
 * Layer 9 (kernel/fs).  Lock order: the inode lock guards a directory's entries; nothing below but the page
 * cache.  An entry holds its inode, so an inode lives as long as it has a name or a user.
 */
#include "kernel/fs/vfs_internal.h"

#include "kernel/fs/tmpfs.h"
#include "kernel/lib/atomic.h"

#define TMPFS_MAGIC 0x01021994

/* A name in a directory. */
struct tmpfs_entry {
	struct list link;    /* dir->entries, by cookie */
	struct inode *inode; /* reference owned */
	loff_t cookie;       /* readdir's position behind this entry */
	char name[];
};

struct tmpfs_dir {
	struct list entries;
	loff_t next_cookie;
	u64 parent_ino;
};

static int next_ino = 1;

static const struct inode_ops tmpfs_dir_ops, tmpfs_file_ops_inode, tmpfs_symlink_ops;
static const struct file_ops tmpfs_dir_fops;

/* -- pages ---------------------------------------------------------------------------------------------------- */

static int tmpfs_read_page(struct vm_object *obj, struct page *page)
{
	page_zero(page);
	page_set(page, PG_UPTODATE);
	return 0;
}

static const struct object_ops tmpfs_object_ops = {
	.read_page = tmpfs_read_page, .absent_is_zero = true, .hold = inode_object_hold, .release = inode_object_release};

/* -- inodes --------------------------------------------------------------------------------------------------- */

static int make_dir(struct inode *inode, u64 parent_ino)
{
	struct tmpfs_dir *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return -ENOMEM;
	list_init(&d->entries);
	d->next_cookie = 2; /* 0 and 1 lie behind nothing and behind "." */
	d->parent_ino = parent_ino;
	inode->private = d;
	inode->nlink = 2;
	inode->ops = &tmpfs_dir_ops;
	inode->fops = &tmpfs_dir_fops;
	return 0;
}

struct inode *tmpfs_inode_make(struct super *sb, u32 mode)
{
	struct inode *inode = inode_alloc(sb, mode);

	if (!inode)
		return NULL;
	object_init(&inode->obj, &tmpfs_object_ops, inode, false);
	inode->ino = (u64)(unsigned)atomic_fetch_add(&next_ino, 1);
	inode->ops = &tmpfs_file_ops_inode;
	inode->fops = &tmpfs_file_fops;
	return inode;
}

static void tmpfs_evict(struct inode *inode)
{
	ASSERT(!S_ISDIR(inode->mode) || !inode->private || list_empty(&((struct tmpfs_dir *)inode->private)->entries));
	kfree(inode->private);
}

/* -- directories ---------------------------------------------------------------------------------------------- */

static struct tmpfs_entry *find_entry(struct inode *dir, const char *name)
{
	struct tmpfs_dir *d = dir->private;
	struct tmpfs_entry *e;

	list_for_each_entry(e, &d->entries, link)
		if (!strcmp(e->name, name))
			return e;
	return NULL;
}

static struct inode *tmpfs_lookup(struct inode *dir, const char *name)
{
	struct tmpfs_entry *e = find_entry(dir, name);

	if (!e)
		return ERR_PTR(-ENOENT);
	inode_get(e->inode);
	return e->inode;
}

static void dir_changed(struct inode *dir, int delta)
{
	dir->obj.size += delta * 20;
	dir->mtime = dir->ctime = vfs_now();
}

/* The entry takes a reference to @inode. */
static int add_entry(struct inode *dir, const char *name, struct inode *inode)
{
	struct tmpfs_dir *d = dir->private;
	size_t n = strlen(name) + 1;
	struct tmpfs_entry *e = kmalloc(sizeof(*e) + n, GFP_KERNEL);

	if (!e)
		return -ENOMEM;
	memcpy(e->name, name, n);
	inode_get(inode);
	e->inode = inode;
	e->cookie = ++d->next_cookie;
	list_add_tail(&e->link, &d->entries);
	dir_changed(dir, 1);
	return 0;
}

static void del_entry(struct inode *dir, const char *name)
{
	struct tmpfs_entry *e = find_entry(dir, name);

	ASSERT(e);
	list_del(&e->link);
	dir_changed(dir, -1);
	inode_put(e->inode);
	kfree(e);
}

static struct inode *tmpfs_create(struct inode *dir, const char *name, u32 mode, u64 rdev)
{
	struct inode *inode = tmpfs_inode_make(dir->super, mode);
	int err;

	if (!inode)
		return ERR_PTR(-ENOMEM);
	inode->rdev = rdev;
	err = S_ISDIR(mode) ? make_dir(inode, dir->ino) : 0;
	if (!err)
		err = add_entry(dir, name, inode);
	if (err) {
		inode_put(inode);
		return ERR_PTR(err);
	}
	if (S_ISDIR(mode))
		dir->nlink++;
	return inode;
}

static struct inode *tmpfs_symlink(struct inode *dir, const char *name, const char *target)
{
	char *copy = kstrdup(target, GFP_KERNEL);
	struct inode *inode;

	if (!copy)
		return ERR_PTR(-ENOMEM);
	inode = tmpfs_create(dir, name, S_IFLNK | 0777, 0);
	if (IS_ERR(inode)) {
		kfree(copy);
		return inode;
	}
	inode->private = copy;
	inode->obj.size = (loff_t)strlen(copy);
	inode->ops = &tmpfs_symlink_ops;
	return inode;
}

static ssize_t tmpfs_readlink(struct inode *inode, char *buf, size_t n)
{
	n = min(n, (size_t)inode->obj.size);
	memcpy(buf, inode->private, n);
	return (ssize_t)n;
}

static int tmpfs_link(struct inode *dir, const char *name, struct inode *inode)
{
	int err = add_entry(dir, name, inode);

	if (!err) {
		inode->nlink++;
		inode->ctime = vfs_now();
	}
	return err;
}

static int tmpfs_unlink(struct inode *dir, const char *name, struct inode *inode)
{
	inode->nlink--;
	inode->ctime = vfs_now();
	del_entry(dir, name);
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, const char *name, struct inode *inode)
{
	struct tmpfs_dir *d = inode->private;

	if (!list_empty(&d->entries))
		return -ENOTEMPTY;
	inode->nlink = 0;
	dir->nlink--;
	del_entry(dir, name);
	return 0;
}

static int tmpfs_rename(struct inode *from, const char *name, struct inode *to, const char *new_name,
                        struct inode *inode, struct inode *victim)
{
	int err;

	if (victim && S_ISDIR(victim->mode) && !list_empty(&((struct tmpfs_dir *)victim->private)->entries))
		return -ENOTEMPTY;
	if (victim) {
		struct tmpfs_entry *e = find_entry(to, new_name);

		inode_get(inode); /* the entry changes hands: it cannot fail */
		e->inode = inode;
		if (S_ISDIR(victim->mode)) {
			victim->nlink = 0;
			to->nlink--;
		} else {
			victim->nlink--;
		}
		victim->ctime = vfs_now();
		dir_changed(to, 0);
		inode_put(victim);
	} else {
		err = add_entry(to, new_name, inode);
		if (err)
			return err;
	}
	del_entry(from, name);
	if (S_ISDIR(inode->mode) && from != to) {
		from->nlink--;
		to->nlink++;
		((struct tmpfs_dir *)inode->private)->parent_ino = to->ino;
	}
	inode->ctime = vfs_now();
	return 0;
}

static int tmpfs_readdir(struct file *f, bool (*emit)(void *ctx, const char *name, u64 ino, u8 type, loff_t next),
                         void *ctx)
{
	struct tmpfs_dir *d = f->inode->private;
	struct tmpfs_entry *e;

	if (f->pos <= 0 && !emit(ctx, ".", f->inode->ino, DT_DIR, 1))
		return 0;
	if (f->pos <= 1 && !emit(ctx, "..", d->parent_ino, DT_DIR, 2))
		return 0;
	list_for_each_entry(e, &d->entries, link)
		if (e->cookie > f->pos && !emit(ctx, e->name, e->inode->ino, mode_to_dt(e->inode->mode), e->cookie))
			break;
	return 0;
}

/* -- regular files -------------------------------------------------------------------------------------------- */

static int tmpfs_truncate(struct inode *inode, loff_t size)
{
	object_truncate(&inode->obj, size);
	return 0;
}

static int punch_hole(struct inode *inode, loff_t off, loff_t end)
{
	loff_t first = ALIGN_UP(off, (loff_t)PAGE_SIZE), last = ALIGN_DOWN(end, (loff_t)PAGE_SIZE);
	int err;

	if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	err = object_zero(&inode->obj, off, min(end, first));
	if (!err && last >= first)
		err = object_zero(&inode->obj, last, end);
	if (!err && last > first)
		object_punch(&inode->obj, (pgoff_t)((u64)first >> PAGE_SHIFT), (pgoff_t)((u64)last >> PAGE_SHIFT) - 1);
	return err;
}

/* Make the pages of [off, end) exist; zeros come into them when somebody needs them. */
static int preallocate(struct inode *inode, loff_t off, loff_t end)
{
	pgoff_t last = (pgoff_t)((u64)(end - 1) >> PAGE_SHIFT);

	for (pgoff_t i = (pgoff_t)((u64)off >> PAGE_SHIFT);; i++) {
		struct page *page = pagecache_get_locked(&inode->obj, i);

		if (IS_ERR(page))
			return PTR_ERR(page) == -ENOMEM ? -ENOSPC : (int)PTR_ERR(page);
		page_unlock(page);
		page_put(page);
		if (i == last)
			return 0;
	}
}

static int allocate(struct inode *inode, int mode, loff_t off, loff_t end)
{
	loff_t old = inode->obj.size;
	int err;

	if ((inode->seals & F_SEAL_GROW) && end > old)
		return -EPERM;
	err = preallocate(inode, off, end);
	if (!err && end > old && !(mode & FALLOC_FL_KEEP_SIZE))
		object_truncate(&inode->obj, end);
	else if (err)
		object_truncate(&inode->obj, old); /* pages beyond the end go again */
	return err;
}

static long tmpfs_fallocate(struct file *f, int mode, loff_t off, loff_t len)
{
	struct inode *inode = f->inode;
	int err;

	rwsem_write_lock(&inode->lock);
	err = mode & FALLOC_FL_PUNCH_HOLE ? punch_hole(inode, off, off + len) : allocate(inode, mode, off, off + len);
	if (!err)
		inode_touch(inode);
	rwsem_write_unlock(&inode->lock);
	return err;
}

static int tmpfs_fsync(struct file *f, pgoff_t first, pgoff_t last, bool data_only)
{
	return 0;
}

const struct file_ops tmpfs_file_fops = {
	.read = generic_read, .write = generic_write, .fsync = tmpfs_fsync, .fallocate = tmpfs_fallocate};
static const struct file_ops tmpfs_dir_fops = {.readdir = tmpfs_readdir, .fsync = tmpfs_fsync};
static const struct inode_ops tmpfs_file_ops_inode = {.truncate = tmpfs_truncate};
static const struct inode_ops tmpfs_symlink_ops = {.readlink = tmpfs_readlink};
static const struct inode_ops tmpfs_dir_ops = {.lookup = tmpfs_lookup,
                                               .create = tmpfs_create,
                                               .link = tmpfs_link,
                                               .unlink = tmpfs_unlink,
                                               .rmdir = tmpfs_rmdir,
                                               .symlink = tmpfs_symlink,
                                               .rename = tmpfs_rename};

/* -- the file system ------------------------------------------------------------------------------------------ */

static int tmpfs_statfs(struct super *sb, struct statfs_info *st)
{
	struct phys_stat phys;

	phys_stat(&phys);
	st->type = TMPFS_MAGIC;
	st->blocks = phys.total;
	st->bfree = st->bavail = phys.free;
	st->files = phys.total;
	st->ffree = phys.free;
	return 0;
}

static void drop_tree(struct inode *dir)
{
	struct tmpfs_dir *d = dir->private;
	struct tmpfs_entry *e, *tmp;

	list_for_each_entry_safe(e, tmp, &d->entries, link) {
		if (S_ISDIR(e->inode->mode))
			drop_tree(e->inode);
		list_del(&e->link);
		inode_put(e->inode);
		kfree(e);
	}
}

/* The root's reference is the caller's to drop: its entries go first. */
static void tmpfs_evict_root(struct inode *inode)
{
	if (inode == inode->super->root)
		drop_tree(inode);
	tmpfs_evict(inode);
}

static const struct super_ops tmpfs_super_ops = {.evict = tmpfs_evict_root, .statfs = tmpfs_statfs};

struct super *tmpfs_make(const char *type, const char *source)
{
	struct super *sb = super_alloc(type, &tmpfs_super_ops, source);

	if (!sb)
		return ERR_PTR(-ENOMEM);
	sb->max_size = (loff_t)((1ull << 43) - PAGE_SIZE); /* page numbers fit on every width */
	sb->root = tmpfs_inode_make(sb, S_IFDIR | 0755);
	if (sb->root && !make_dir(sb->root, sb->root->ino))
		return sb;
	if (sb->root) {
		struct inode *root = sb->root;

		sb->root = NULL;
		inode_put(root);
	}
	super_free(sb);
	return ERR_PTR(-ENOMEM);
}

static struct super *tmpfs_mount(const char *source, bool read_only)
{
	return tmpfs_make("tmpfs", source);
}

const struct fs_type tmpfs_type = {.name = "tmpfs", .mount = tmpfs_mount};

struct super *devfs_super(void)
{
	static struct super *devfs;

	if (!devfs) {
		dentry_init_cache();
		devfs = tmpfs_make("devtmpfs", "devtmpfs");
		if (IS_ERR(devfs) || !(devfs->root_dentry = dentry_make_root(devfs)))
			panic("vfs: no memory for /dev\n");
	}
	return devfs;
}
