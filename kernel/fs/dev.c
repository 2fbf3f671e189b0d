/*
 * dev.c - device nodes: the table from device number to operations, /dev itself, and the memory devices.
 *
 * Layer 9 (kernel/fs).  Interface: vfs.h (dev_register).
 * Lock order: dev_lock is a leaf; /dev's directory locks as any.
 *
 * /dev is a tmpfs that exists from the first dev_register() on, whether mounted or not.  A device inode on any
 * file system leads to the same table.
 */
#include <arch/cpu.h>
#include <arch/irq.h>
#include <arch/uaccess.h>

#include "kernel/dev/random.h"
#include "kernel/fs/vfs_internal.h"

struct dev_node {
	struct list link;
	u64 rdev;
	bool block;
	const struct file_ops *fops;
};

static struct list devices = LIST_INIT(devices);
static spinlock_t dev_lock = SPINLOCK_INIT(LOCK_INODE_TABLE);

const struct file_ops *dev_fops(u32 mode, u64 rdev)
{
	const struct file_ops *fops = NULL;
	struct dev_node *n;

	spin_lock(&dev_lock);
	list_for_each_entry(n, &devices, link)
		if (n->rdev == rdev && n->block == S_ISBLK(mode))
			fops = n->fops;
	spin_unlock(&dev_lock);
	return fops;
}

/* Make the directories that @name lies in. */
static void make_parents(struct dentry *dev, const char *name)
{
	const char *slash = name;
	char path[64];

	while ((slash = strchr(slash, '/'))) {
		strlcpy(path, name, min(sizeof(path), (size_t)(slash - name) + 1));
		(void)vfs_mkdir(dev, path, 0755);
		slash++;
	}
}

void dev_register(const char *name, unsigned major, unsigned minor, u32 mode, const struct file_ops *fops)
{
	struct dev_node *n = kzalloc(sizeof(*n), GFP_KERNEL);
	struct dentry *dev = devfs_super()->root_dentry;
	int err = -ENOMEM;

	if (!(mode & S_IFMT))
		mode |= S_IFCHR;
	if (n) {
		n->rdev = DEV(major, minor);
		n->block = S_ISBLK(mode);
		n->fops = fops;
		spin_lock(&dev_lock);
		list_add_tail(&n->link, &devices);
		spin_unlock(&dev_lock);
		make_parents(dev, name);
		err = vfs_mknod(dev, name, mode, DEV(major, minor));
	}
	if (err)
		printk("dev: cannot register %s: %d\n", name, err);
}

/* -- null, zero, full, random --------------------------------------------------------------------------------- */

static ssize_t null_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	return 0;
}

static ssize_t null_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	return (ssize_t)n;
}

static ssize_t zero_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	return clear_user(user, n) ? -EFAULT : (ssize_t)n;
}

static ssize_t full_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	return n ? -ENOSPC : 0;
}

static loff_t null_llseek(struct file *f, loff_t off, int whence)
{
	f->pos = 0;
	return 0;
}

static ssize_t random_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	char chunk[256];
	size_t done = 0;

	while (done < n) {
		size_t len = min(n - done, sizeof(chunk)), left;

		random_bytes(chunk, len);
		left = copy_to_user_some((char *)user + done, chunk, len);
		done += len - left;
		if (left)
			return done ? (ssize_t)done : -EFAULT;
	}
	return (ssize_t)done;
}

static const struct file_ops null_fops = {
	.read = null_read, .write = null_write, .llseek = null_llseek, .no_mmap = true};
static const struct file_ops zero_fops = {
	.read = zero_read, .write = null_write, .llseek = null_llseek, .zero_mmap = true, .no_mmap = true};
static const struct file_ops full_fops = {
	.read = zero_read, .write = full_write, .llseek = null_llseek, .no_mmap = true};
static const struct file_ops random_fops = {
	.read = random_read, .write = null_write, .llseek = null_llseek, .no_mmap = true};

void dev_init(void)
{
	dev_register("null", 1, 3, 0666, &null_fops);
	dev_register("zero", 1, 5, 0666, &zero_fops);
	dev_register("full", 1, 7, 0666, &full_fops);
	dev_register("random", 1, 8, 0666, &random_fops);
	dev_register("urandom", 1, 9, 0666, &random_fops);
	(void)vfs_symlink("/proc/self/fd", devfs_super()->root_dentry, "fd");
	(void)vfs_symlink("/proc/self/fd/0", devfs_super()->root_dentry, "stdin");
	(void)vfs_symlink("/proc/self/fd/1", devfs_super()->root_dentry, "stdout");
	(void)vfs_symlink("/proc/self/fd/2", devfs_super()->root_dentry, "stderr");
}
