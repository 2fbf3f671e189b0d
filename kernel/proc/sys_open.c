/*
 * sys_open.c - system calls that make a descriptor from a name, and access(2).  Layer 10 (kernel/proc).  No locks here.
 */
#include <arch/uaccess.h>
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "mm/phys/slab.h"

#define MEMFD_NAME_MAX 249

/* What cannot be seen in a long needs O_LARGEFILE, which 64-bit programs always mean. */
static unsigned open_flags(int flags)
{
	if (sizeof(long) == 8)
		flags |= O_LARGEFILE;
	if ((flags & O_PATH) == O_PATH)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	return (unsigned)flags;
}

static bool too_large(const struct file *f)
{
	return !(f->flags & (O_LARGEFILE | O_PATH)) && S_ISREG(f->inode->mode) && f->inode->obj.size > 0x7fffffff;
}

static struct file *open_at(int dfd, const char *path, unsigned flags, unsigned mode)
{
	struct dentry *dir = dir_arg(dfd, path);
	struct file *f;

	if (IS_ERR(dir))
		return ERR_CAST(dir);
	f = vfs_open(dir, path, flags & ~O_CLOEXEC, mode & 07777 & ~current_process()->umask);
	dir_arg_put(dir);
	if (!IS_ERR(f) && too_large(f)) {
		file_put(f);
		return ERR_PTR(-EOVERFLOW);
	}
	return f;
}

/* The number first: when there is none, nothing must have been created or truncated. */
static long open_fd(int dfd, const char *path, unsigned flags, unsigned mode)
{
	struct files *files = current_process()->files;
	int fd = fd_alloc_from(files, 0, flags & O_CLOEXEC);
	struct file *f;

	if (fd < 0)
		return fd;
	f = open_at(dfd, path, flags, mode);
	if (IS_ERR(f)) {
		fd_cancel(files, fd);
		return PTR_ERR(f);
	}
	fd_commit(files, fd, f);
	return fd;
}

long sys_openat(int dfd, const char *user, int raw_flags, unsigned mode)
{
	unsigned flags = open_flags(raw_flags);
	char *path;
	long ret;

	if ((flags & O_TMPFILE) == O_TMPFILE)
		return -EOPNOTSUPP;
	path = path_arg(user);
	if (IS_ERR(path))
		return PTR_ERR(path);
	ret = open_fd(dfd, path, flags, mode);
	kfree(path);
	return ret;
}

long sys_open(const char *path, int flags, unsigned mode)
{
	return sys_openat(AT_FDCWD, path, flags, mode);
}

long sys_creat(const char *path, unsigned mode)
{
	return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

long sys_memfd_create(const char *user, unsigned flags)
{
	char name[MEMFD_NAME_MAX + 2];
	ssize_t len;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC))
		return -EINVAL;
	if ((flags & MFD_EXEC) && (flags & MFD_NOEXEC_SEAL))
		return -EINVAL;
	len = strncpy_from_user(name, user, sizeof(name));
	if (len == -ENAMETOOLONG || len > MEMFD_NAME_MAX)
		return -EINVAL;
	if (len < 0)
		return len;
	return file_to_fd(memfd_make(name, flags), flags & MFD_CLOEXEC);
}

long sys_faccessat2(int dfd, const char *path, int mode, int flags)
{
	struct inode *inode;
	long ret;

	if ((mode & ~(R_OK | W_OK | X_OK)) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	inode = inode_arg(dfd, path, (unsigned)flags);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	ret = inode_access(inode, (unsigned)mode);
	inode_put(inode);
	return ret;
}

long sys_faccessat(int dfd, const char *path, int mode)
{
	return sys_faccessat2(dfd, path, mode, 0);
}

long sys_access(const char *path, int mode)
{
	return sys_faccessat2(AT_FDCWD, path, mode, 0);
}
