/*
 * sys_name.c - system calls on names: directories, links, renaming, special files.  Layer 10 (kernel/proc).
 * No locks here: kernel/fs takes them.
 */
#include <arch/uaccess.h>
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "mm/phys/slab.h"

/* A path from user memory together with the directory it starts from. */
struct name {
	char *path;
	struct dentry *dir;
};

static int name_get(struct name *name, int dfd, const char *user)
{
	name->dir = NULL;
	name->path = path_arg(user);
	if (IS_ERR(name->path))
		return (int)PTR_ERR(name->path);
	name->dir = dir_arg(dfd, name->path);
	if (IS_ERR(name->dir)) {
		kfree(name->path);
		return (int)PTR_ERR(name->dir);
	}
	return 0;
}

static void name_put(struct name *name)
{
	dir_arg_put(name->dir);
	kfree(name->path);
}

static int names_get(struct name *from, int fd, const char *user_from, struct name *to, int tfd, const char *user_to)
{
	int err = name_get(from, fd, user_from);

	if (err)
		return err;
	err = name_get(to, tfd, user_to);
	if (err)
		name_put(from);
	return err;
}

static void names_put(struct name *from, struct name *to)
{
	name_put(from);
	name_put(to);
}

/* -- directories and special files ---------------------------------------------------------------------------------- */

long sys_mkdirat(int dfd, const char *user, unsigned mode)
{
	struct name name;
	long ret = name_get(&name, dfd, user);

	if (ret)
		return ret;
	ret = vfs_mkdir(name.dir, name.path, mode & 01777 & ~current_process()->umask);
	name_put(&name);
	return ret;
}

long sys_mkdir(const char *path, unsigned mode)
{
	return sys_mkdirat(AT_FDCWD, path, mode);
}

long sys_mknodat(int dfd, const char *user, unsigned mode, unsigned dev)
{
	unsigned type = mode & S_IFMT;
	struct name name;
	long ret;

	if (type == 0)
		type = S_IFREG;
	if (type == S_IFDIR)
		return -EPERM;
	if (type != S_IFREG && type != S_IFCHR && type != S_IFBLK && type != S_IFIFO && type != S_IFSOCK)
		return -EINVAL;
	ret = name_get(&name, dfd, user);
	if (ret)
		return ret;
	ret = vfs_mknod(name.dir, name.path, type | (mode & 07777 & ~current_process()->umask), dev);
	name_put(&name);
	return ret;
}

long sys_mknod(const char *path, unsigned mode, unsigned dev)
{
	return sys_mknodat(AT_FDCWD, path, mode, dev);
}

long sys_unlinkat(int dfd, const char *user, int flags)
{
	struct name name;
	long ret;

	if (flags & ~AT_REMOVEDIR)
		return -EINVAL;
	ret = name_get(&name, dfd, user);
	if (ret)
		return ret;
	ret = flags & AT_REMOVEDIR ? vfs_rmdir(name.dir, name.path) : vfs_unlink(name.dir, name.path);
	name_put(&name);
	return ret;
}

long sys_unlink(const char *path)
{
	return sys_unlinkat(AT_FDCWD, path, 0);
}

long sys_rmdir(const char *path)
{
	return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* -- two names -------------------------------------------------------------------------------------------------------- */

long sys_renameat2(int dfd, const char *user_from, int tfd, const char *user_to, unsigned flags)
{
	struct name from, to;
	long ret;

	if (flags & ~RENAME_NOREPLACE)
		return -EINVAL;
	ret = names_get(&from, dfd, user_from, &to, tfd, user_to);
	if (ret)
		return ret;
	ret = vfs_rename_flags(from.dir, from.path, to.dir, to.path, flags);
	names_put(&from, &to);
	return ret;
}

long sys_renameat(int dfd, const char *from, int tfd, const char *to)
{
	return sys_renameat2(dfd, from, tfd, to, 0);
}

long sys_rename(const char *from, const char *to)
{
	return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

long sys_linkat(int dfd, const char *user_from, int tfd, const char *user_to, int flags)
{
	struct name from, to;
	long ret;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	ret = names_get(&from, dfd, user_from, &to, tfd, user_to);
	if (ret)
		return ret;
	ret = vfs_link(from.dir, from.path, to.dir, to.path, flags & AT_SYMLINK_FOLLOW);
	names_put(&from, &to);
	return ret;
}

long sys_link(const char *from, const char *to)
{
	return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

long sys_symlinkat(const char *user_target, int dfd, const char *user)
{
	char *target = path_arg(user_target);
	struct name name;
	long ret;

	if (IS_ERR(target))
		return PTR_ERR(target);
	ret = name_get(&name, dfd, user);
	if (!ret) {
		ret = vfs_symlink(target, name.dir, name.path);
		name_put(&name);
	}
	kfree(target);
	return ret;
}

long sys_symlink(const char *target, const char *path)
{
	return sys_symlinkat(target, AT_FDCWD, path);
}

/* The text may be longer than the caller's buffer: it gets what fits. */
static long readlink_name(const struct name *name, char *user, size_t n)
{
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	ssize_t len;

	if (!buf)
		return -ENOMEM;
	len = vfs_readlink(name->dir, name->path, buf, PATH_MAX);
	if (len > 0) {
		len = (ssize_t)min((size_t)len, n);
		if (copy_to_user(user, buf, (size_t)len))
			len = -EFAULT;
	}
	kfree(buf);
	return len;
}

long sys_readlinkat(int dfd, const char *user, char *buf, int n)
{
	struct name name;
	long ret;

	if (n <= 0)
		return -EINVAL;
	ret = name_get(&name, dfd, user);
	if (ret)
		return ret;
	ret = readlink_name(&name, buf, (size_t)n);
	name_put(&name);
	return ret;
}

long sys_readlink(const char *path, char *buf, int n)
{
	return sys_readlinkat(AT_FDCWD, path, buf, n);
}
