/*
 * mount.c - mounts: a file system's root covers a directory; and the first ones.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h.
 * Lock order: mount_lock (outermost), then directory locks, then the dentry lock.
 *
 * A file system is mounted at one place.  The covered directory and the root hold each other in place by a
 * reference each (dentry_cover); the mount's own reference to the root is sb->root_dentry's.
 */
#include "kernel/fs/swapfile.h"
#include "kernel/fs/vfs_internal.h"

struct mutex mount_lock = MUTEX_INIT(mount_lock, LOCK_MOUNT);
static struct list supers = LIST_INIT(supers); /* mounted, oldest first; mount_lock */

static const struct fs_type *const fs_types[] = {&ext2_type, &tmpfs_type, &procfs_type, &sysfs_type};

static void file_ref_put(struct file *f)
{
	file_put(f);
}

static int file_ref_fsync(struct file *f, pgoff_t first, pgoff_t last)
{
	return file_fsync_range(f, first, last, true);
}

static struct readahead *file_ref_readahead(struct file *f)
{
	return &f->ra;
}

static int file_ref_punch(struct file *f, pgoff_t first, pgoff_t last)
{
	loff_t from = (loff_t)((u64)first << PAGE_SHIFT), to = (loff_t)(((u64)last + 1) << PAGE_SHIFT);

	return (int)file_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from);
}

static const struct mm_file_ops vfs_mm_file_ops = {.get = file_get,
                                                   .put = file_ref_put,
                                                   .fsync = file_ref_fsync,
                                                   .readahead = file_ref_readahead,
                                                   .punch = file_ref_punch};

/* -- attaching ------------------------------------------------------------------------------------------------ */

/* Give @sb its root dentry, once. */
static int super_make_root(struct super *sb)
{
	if (!sb->root_dentry)
		sb->root_dentry = dentry_make_root(sb);
	return sb->root_dentry ? 0 : -ENOMEM;
}

/* Let @sb cover @dir (reference consumed on success). The directory's lock: rmdir(2) looks whether it is a mount
 * point under it. => mount_lock */
static int attach(struct super *sb, struct dentry *dir)
{
	int err = super_make_root(sb);

	if (err)
		return err;
	rwsem_write_lock(&dir->inode->lock);
	if (dir->inode->nlink)
		dentry_cover(dir, sb->root_dentry);
	else
		err = -ENOENT;
	rwsem_write_unlock(&dir->inode->lock);
	if (!err)
		list_add_tail(&sb->link, &supers);
	return err;
}

static struct super *super_mount(const char *type, const char *source, unsigned long flags)
{
	struct super *sb;

	if (!strcmp(type, "devtmpfs"))
		return devfs_super();
	if (!strcmp(type, "ramfs"))
		type = "tmpfs";
	for (unsigned i = 0; i < ARRAY_SIZE(fs_types); i++) {
		if (strcmp(type, fs_types[i]->name))
			continue;
		sb = fs_types[i]->mount(source, flags & MS_RDONLY);
		if (!IS_ERR(sb)) {
			sb->has_device = fs_types[i]->needs_device;
			sb->noexec = flags & MS_NOEXEC;
			sb->read_only |= !!(flags & MS_RDONLY);
		}
		return sb;
	}
	return ERR_PTR(-ENODEV);
}

/* Everything of @sb that is in memory goes. => nothing refers to it */
static void super_destroy(struct super *sb)
{
	struct dentry *root = sb->root_dentry;

	dentry_prune(sb);
	sb->root_dentry = NULL;
	if (root)
		dentry_put(root);
	inode_put(sb->root);
	inodes_wait_gone(sb);
	if (sb->ops->unmount)
		sb->ops->unmount(sb);
	super_free(sb);
}

static bool super_mounted(const struct super *sb)
{
	return sb->root_dentry && (sb->root_dentry->covers || sb->root_dentry == root_dentry);
}

/* Is the same thing mounted on exactly @dir (a root) already? */
static bool mounted_here(struct dentry *dir, const char *type, const char *source)
{
	struct super *sb = dir->super;

	return dir->covers && !strcmp(sb->type, type) && strcmp(type, "tmpfs") && !strcmp(sb->source, source);
}

/* Takes over the reference to @dir. => mount_lock */
static int mount_at(struct dentry *dir, const char *source, const char *type, unsigned long flags)
{
	struct super *sb;
	int err = -EBUSY;

	if (!S_ISDIR(dir->inode->mode))
		err = -ENOTDIR;
	else if (dir != root_dentry && !mounted_here(dir, type, source) && !swapfile_uses(source))
		err = 0;
	if (!err) {
		sb = super_mount(type, source, flags);
		err = IS_ERR(sb) ? (int)PTR_ERR(sb) : super_mounted(sb) ? -EBUSY : 0;
		if (!err) {
			err = attach(sb, dir);
			if (err && sb != devfs_super())
				super_destroy(sb);
		}
	}
	if (err)
		dentry_put(dir);
	return err;
}

static int remount(struct dentry *root, unsigned long flags)
{
	struct super *sb = root->super;
	bool read_only = flags & MS_RDONLY;
	int err = 0;

	if (sb->root_dentry != root)
		return -EINVAL;
	if (read_only && !sb->read_only)
		err = super_close(sb);
	if (!err && read_only != sb->read_only && sb->ops->remount)
		err = sb->ops->remount(sb, read_only);
	if (!err) {
		WRITE_ONCE(sb->read_only, read_only);
		sb->noexec = flags & MS_NOEXEC;
	}
	WRITE_ONCE(sb->closing, false);
	return err;
}

int vfs_mount(const char *source, const char *target, const char *type, unsigned long flags)
{
	struct dentry *dir = path_lookup(NULL, target, LOOKUP_FOLLOW);
	int err;

	if (IS_ERR(dir))
		return (int)PTR_ERR(dir);
	mutex_lock(&mount_lock);
	dir = dentry_follow_mounts(dir); /* somebody may have been faster */
	if (flags & MS_REMOUNT) {
		err = remount(dir, flags);
		dentry_put(dir);
	} else {
		err = mount_at(dir, source && *source ? source : "none", type ? type : "", flags);
	}
	mutex_unlock(&mount_lock);
	return err;
}

/* => mount_lock */
static int umount_locked(struct dentry *root)
{
	struct super *sb = root->super;
	struct dentry *dir = NULL;
	int err;

	if (sb->root_dentry != root)
		return -EINVAL;
	if (root == root_dentry || root->mount_root)
		return -EBUSY;
	err = vfs_sync_super(sb);
	if (err)
		printk("%s: unmounting %s: error %d\n", sb->type, sb->source, err);
	/* References: the mount's and our caller's. Counting and uncovering are one step: afterwards no path leads in. */
	for (int tries = 0; tries < 3 && !dir; tries++) {
		dentry_prune(sb);
		dir = dentry_uncover(root, 2);
	}
	if (!dir)
		return -EBUSY;
	dentry_put(dir);
	list_del_init(&sb->link);
	return 0;
}

int vfs_umount(const char *target)
{
	struct dentry *root = path_lookup(NULL, target, LOOKUP_FOLLOW);
	struct super *sb;
	int err;

	if (IS_ERR(root))
		return (int)PTR_ERR(root);
	sb = root->super;
	mutex_lock(&mount_lock);
	err = umount_locked(root);
	dentry_put(root);
	if (!err && sb != devfs_super())
		super_destroy(sb);
	mutex_unlock(&mount_lock);
	return err;
}

/* -- all of them ---------------------------------------------------------------------------------------------- */

int vfs_sync_super(struct super *sb)
{
	writeback_sync_all();
	return sb->ops->sync && !sb->read_only ? sb->ops->sync(sb) : 0;
}

int file_syncfs(struct file *f)
{
	struct super *sb = f->inode->super;
	int err = sb ? vfs_sync_super(sb) : 0;
	int earlier = sb ? errseq_advance(&sb->wb_err, &f->fs_seen) : 0;

	return err ? err : earlier;
}

/* => mount_lock */
static void each_locked(void (*fn)(struct super *sb))
{
	struct super *sb;

	list_for_each_entry(sb, &supers, link)
		fn(sb);
}

static void each_super(void (*fn)(struct super *sb))
{
	mutex_lock(&mount_lock);
	each_locked(fn);
	mutex_unlock(&mount_lock);
}

static void sync_one(struct super *sb)
{
	if (sb->ops->sync && !sb->read_only)
		(void)sb->ops->sync(sb);
}

static void drop_pages_of(struct super *sb)
{
	if (sb->has_device)
		inodes_shed_pages(sb);
}

static void drop_names_of(struct super *sb)
{
	if (sb->has_device)
		dentry_prune(sb);
}

static void shut_down_one(struct super *sb)
{
	if (sb->ops->shutdown && !sb->read_only)
		sb->ops->shutdown(sb);
	sb->read_only = true;
}

void vfs_sync(void)
{
	writeback_sync_all();
	each_super(sync_one);
}

void vfs_drop_pages(void)
{
	each_super(drop_pages_of);
}

void vfs_drop_names(void)
{
	each_super(drop_names_of);
}

void vfs_flush_round(void)
{
	/* The flusher must not wait for this lock: its holder may wait for the lock of an inode (rename, of the file it
	 * replaces), and that one's holder, a writer over the dirty limit, for the flusher. */
	if (!mutex_trylock(&mount_lock))
		return;
	each_locked(sync_one);
	mutex_unlock(&mount_lock);
}

void vfs_shutdown(void)
{
	swapfile_shutdown();
	vfs_sync();
	each_super(shut_down_one);
}

bool device_is_mounted(const char *name)
{
	bool found = false;
	struct super *sb;

	mutex_lock(&mount_lock);
	list_for_each_entry(sb, &supers, link) {
		const char *source = strncmp(sb->source, "/dev/", 5) ? sb->source : sb->source + 5;

		found |= sb->has_device && !strcmp(source, name);
	}
	mutex_unlock(&mount_lock);
	return found;
}

void mounts_show_each(void (*show)(void *ctx, const char *source, const char *target, const struct super *sb),
                      void *ctx)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	struct super *sb;

	if (!path)
		return;
	mutex_lock(&mount_lock);
	list_for_each_entry(sb, &supers, link)
		if (dentry_path(sb->root_dentry, path, PATH_MAX) > 0)
			show(ctx, sb->source, path, sb);
	mutex_unlock(&mount_lock);
	kfree(path);
}

/* -- start-up ------------------------------------------------------------------------------------------------- */

static struct super *must_mount(const char *type, const char *source)
{
	struct super *sb = super_mount(type, source, 0);

	if (IS_ERR(sb))
		panic("vfs: cannot make the first %s: %ld\n", type, PTR_ERR(sb));
	return sb;
}

static void must_mount_at(const char *type, const char *source, const char *target)
{
	struct dentry *dir;

	(void)vfs_mkdir(NULL, target, 0755);
	dir = path_lookup(NULL, target, LOOKUP_FOLLOW);
	if (IS_ERR(dir) || attach(must_mount(type, source), dir))
		panic("vfs: cannot mount %s\n", target);
}

void vfs_init(void)
{
	struct super *sb;

	mm_file_ops = &vfs_mm_file_ops;
	dev_init();
	procfs_init();
	sysfs_init();
	sb = must_mount("tmpfs", "rootfs");
	if (super_make_root(sb))
		panic("vfs: no memory for the root\n");
	root_dentry = sb->root_dentry;
	list_add_tail(&sb->link, &supers);
	must_mount_at("devtmpfs", "devtmpfs", "/dev");
	must_mount_at("proc", "proc", "/proc");
	must_mount_at("sysfs", "sysfs", "/sys");
	must_mount_at("tmpfs", "tmpfs", "/tmp");
	(void)vfs_chmod(NULL, "/tmp", 01777);
	(void)vfs_mkdir(NULL, "/dev/shm", 01777);
	(void)vfs_mkdir(NULL, "/mnt", 0755);
	(void)vfs_mkdir(NULL, "/with", 0755);
}

/*
 * The directory @name in the root of @sb, for a mount that moves there: made if it is missing, and if it cannot
 * be made (a read-only disk), a directory of the old root's file system that is only known to the cache.
 */
static struct dentry *dir_for_move(struct super *sb, const char *name, struct dentry *stand_in)
{
	struct dentry *root = sb->root_dentry, *d;
	struct inode *dir = root->inode;

	(void)vfs_mkdir(root, name, 0755);
	rwsem_write_lock(&dir->lock);
	d = dentry_lookup_locked(root, name, strlen(name));
	if (!IS_ERR(d) && !d->inode) {
		inode_get(stand_in->inode);
		dentry_instantiate(d, stand_in->inode);
	}
	rwsem_write_unlock(&dir->lock);
	return d;
}

/* Move the mount on /@name onto the new root. => mount_lock not needed: no process runs yet */
static void move_mount(struct super *sb, const char *name)
{
	struct dentry *old = dentry_lookup(root_dentry, name, strlen(name));
	struct dentry *root, *dir;

	if (IS_ERR(old))
		return;
	root = old->mount_root;
	dir = root ? dir_for_move(sb, name, old) : ERR_PTR(-ENOENT);
	if (!IS_ERR(dir) && dir->inode && S_ISDIR(dir->inode->mode)) {
		dentry_put(dentry_uncover(root, root->refs));
		dentry_cover(dir, root);
	} else if (!IS_ERR(dir)) {
		printk("vfs: /%s is no directory on %s\n", name, sb->source);
		dentry_put(dir);
	}
	dentry_put(old);
}

int vfs_mount_root(const char *source)
{
	static const char *const moved[] = {"dev", "proc", "sys", "tmp"};
	struct super *sb = super_mount("ext2", source, 0), *old = root_dentry->super;
	int err = IS_ERR(sb) ? (int)PTR_ERR(sb) : super_make_root(sb);

	if (err)
		return err;
	for (unsigned i = 0; i < ARRAY_SIZE(moved); i++)
		move_mount(sb, moved[i]);
	mutex_lock(&mount_lock);
	root_dentry = sb->root_dentry;
	list_del_init(&old->link); /* the first root stays behind, unreachable */
	list_add(&sb->link, &supers);
	mutex_unlock(&mount_lock);
	(void)vfs_mkdir(NULL, "/mnt", 0755);
	return 0;
}
