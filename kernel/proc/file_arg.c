/*
 * file_arg.c - arguments of the system calls on files.  Layer 10 (kernel/proc).  Takes no locks of its own.
 */
#include "kernel/proc/file_arg.h"
#include <arch/uaccess.h>
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/process.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "mm/phys/slab.h"

/* -- descriptors ---------------------------------------------------------------------------------------------- */

static bool file_serves(const struct file *f, enum file_need need)
{
	unsigned mode = f->flags & O_ACCMODE;

	if (need == FILE_ANY)
		return true;
	if (f->flags & O_PATH)
		return false;
	return need == FILE_OPEN || (need == FILE_READ ? mode != O_WRONLY : mode == O_WRONLY || mode == O_RDWR);
}

struct file *file_arg(int fd, enum file_need need)
{
	struct file *f = fd_get(current_process()->files, (unsigned)fd);

	if (f && !file_serves(f, need)) {
		file_put(f);
		return NULL;
	}
	return f;
}

struct inode *file_arg_inode(int fd, enum file_need need)
{
	struct file *f = file_arg(fd, need);
	struct inode *inode;

	if (!f)
		return ERR_PTR(-EBADF);
	inode = f->inode;
	inode_get(inode);
	file_put(f);
	return inode;
}

bool file_seekable(struct file *f)
{
	return S_ISREG(f->inode->mode) || file_llseek(f, 0, SEEK_CUR) != -ESPIPE;
}

long file_to_fd(struct file *f, bool cloexec)
{
	int fd;

	if (IS_ERR(f))
		return PTR_ERR(f);
	fd = fd_install(current_process()->files, f, cloexec);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* -- paths ------------------------------------------------------------------------------------------------------ */

char *path_arg_empty_ok(const char *user, bool null_ok)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	ssize_t len;

	if (!path)
		return ERR_PTR(-ENOMEM);
	path[0] = 0;
	if (!user && null_ok)
		return path;
	len = strncpy_from_user(path, user, PATH_MAX);
	if (len < 0) {
		kfree(path);
		return ERR_PTR(len);
	}
	return path;
}

char *path_arg(const char *user)
{
	char *path = path_arg_empty_ok(user, false);

	if (!IS_ERR(path) && !path[0]) {
		kfree(path);
		return ERR_PTR(-ENOENT);
	}
	return path;
}

struct dentry *dir_arg(int dfd, const char *path)
{
	struct dentry *dir;
	struct file *f;

	if (path[0] == '/')
		return NULL;
	if (dfd == AT_FDCWD)
		return process_cwd_get(current_process());
	f = file_arg(dfd, FILE_ANY);
	if (!f)
		return ERR_PTR(-EBADF);
	dir = f->dentry;
	if (dir && S_ISDIR(f->inode->mode))
		dentry_get(dir);
	else
		dir = ERR_PTR(-ENOTDIR);
	file_put(f);
	return dir;
}

void dir_arg_put(struct dentry *dir)
{
	if (dir)
		dentry_put(dir);
}

struct dentry *dentry_arg(int dfd, const char *user, unsigned lookup_flags)
{
	struct dentry *dir, *found;
	char *path = path_arg(user);

	if (IS_ERR(path))
		return ERR_CAST(path);
	dir = dir_arg(dfd, path);
	found = dir;
	if (!IS_ERR(dir)) {
		found = path_lookup(dir, path, lookup_flags);
		dir_arg_put(dir);
	}
	kfree(path);
	if (!IS_ERR(found) && !found->inode) {
		dentry_put(found);
		found = ERR_PTR(-ENOENT);
	}
	return found;
}

/* The inode behind a descriptor itself. */
static struct inode *inode_of_fd(int fd)
{
	struct inode *inode;
	struct dentry *cwd;

	if (fd != AT_FDCWD)
		return file_arg_inode(fd, FILE_ANY);
	cwd = process_cwd_get(current_process());
	inode = cwd ? cwd->inode : vfs_root()->inode;
	inode_get(inode);
	dir_arg_put(cwd);
	return inode;
}

struct inode *inode_arg(int dfd, const char *user, unsigned at_flags)
{
	struct inode *inode;
	struct dentry *d;
	char first;

	if (at_flags & AT_EMPTY_PATH) {
		if (!user)
			return inode_of_fd(dfd);
		if (get_user(first, user))
			return ERR_PTR(-EFAULT);
		if (!first)
			return inode_of_fd(dfd);
	}
	d = dentry_arg(dfd, user, at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW);
	if (IS_ERR(d))
		return ERR_CAST(d);
	inode = d->inode;
	inode_get(inode);
	dentry_put(d);
	return inode;
}

/* -- buffers ------------------------------------------------------------------------------------------------------ */

/* Check the copied vectors, and cut them off where the total would pass MAX_RW_COUNT. */
static int iov_check(struct iov *iov)
{
	for (unsigned i = 0; i < iov->count; i++) {
		struct abi_iovec *v = &iov->v[i];

		if ((long)v->iov_len < 0)
			return -EINVAL;
		if (!user_range_ok(v->iov_base, v->iov_len))
			return -EFAULT;
		v->iov_len = min(v->iov_len, (unsigned long)(MAX_RW_COUNT - iov->total));
		iov->total += v->iov_len;
	}
	return 0;
}

int iov_arg(struct iov *iov, const struct abi_iovec *user, int count)
{
	size_t size = (size_t)count * sizeof(*user);
	int err;

	if (count < 0 || count > IOV_MAX)
		return -EINVAL;
	iov->count = (unsigned)count;
	iov->total = 0;
	iov->v = count <= IOV_INLINE ? iov->first : kmalloc(size, GFP_KERNEL);
	if (!iov->v)
		return -ENOMEM;
	err = copy_from_user(iov->v, user, size);
	if (!err)
		err = iov_check(iov);
	if (err)
		iov_release(iov);
	return err;
}

void iov_release(struct iov *iov)
{
	if (iov->v != iov->first)
		kfree(iov->v);
}
