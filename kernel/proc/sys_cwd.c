/*
 * sys_cwd.c - where a process is: chdir, getcwd, chroot; mount, umount; swapon, swapoff.  Layer 10 (kernel/proc).
 * No locks here.
 */
#include <arch/uaccess.h>
#include "kernel/fs/swapfile.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "mm/phys/slab.h"

#define UMOUNT_FLAGS 0xf /* MNT_FORCE, MNT_DETACH, MNT_EXPIRE, UMOUNT_NOFOLLOW */
#define MOUNT_TYPE_MAX 64

long sys_chdir(const char *path)
{
	struct dentry *d = dentry_arg(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);

	if (IS_ERR(d))
		return PTR_ERR(d);
	if (!S_ISDIR(d->inode->mode)) {
		dentry_put(d);
		return -ENOTDIR;
	}
	process_cwd_set(current_process(), d);
	return 0;
}

long sys_fchdir(int fd)
{
	struct file *f = file_arg(fd, FILE_ANY);
	long ret = -ENOTDIR;

	if (!f)
		return -EBADF;
	if (f->dentry && S_ISDIR(f->inode->mode)) {
		dentry_get(f->dentry);
		process_cwd_set(current_process(), f->dentry);
		ret = 0;
	}
	file_put(f);
	return ret;
}

long sys_getcwd(char *user, size_t n)
{
	struct dentry *cwd = process_cwd_get(current_process());
	char *buf = kmalloc(PATH_MAX, GFP_KERNEL);
	ssize_t len = -ENOMEM;

	if (buf)
		len = dentry_path(cwd ? cwd : vfs_root(), buf, PATH_MAX);
	if (len >= 0) {
		len++; /* Linux counts the NUL */
		if ((size_t)len > n)
			len = -ERANGE;
		else if (copy_to_user(user, buf, (size_t)len))
			len = -EFAULT;
	}
	kfree(buf);
	dir_arg_put(cwd);
	return len;
}

/* There is one root for everybody: changing to it is fine, anything else is refused. */
long sys_chroot(const char *path)
{
	struct dentry *d = dentry_arg(AT_FDCWD, path, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
	bool is_root;

	if (IS_ERR(d))
		return PTR_ERR(d);
	is_root = d == vfs_root();
	dentry_put(d);
	return is_root ? 0 : -EPERM;
}

/* -- mounting ---------------------------------------------------------------------------------------------------------- */

/* The absolute path of a directory named by the user: kfree() it. */
static char *absolute_path(const char *user)
{
	struct dentry *d = dentry_arg(AT_FDCWD, user, LOOKUP_FOLLOW);
	char *buf;
	ssize_t len;

	if (IS_ERR(d))
		return ERR_CAST(d);
	buf = kmalloc(PATH_MAX, GFP_KERNEL);
	len = buf ? dentry_path(d, buf, PATH_MAX) : -ENOMEM;
	dentry_put(d);
	if (len < 0) {
		kfree(buf);
		return ERR_PTR(len);
	}
	return buf;
}

/* @source may be a name that is no path ("none"). */
long sys_mount(const char *user_source, const char *user_target, const char *user_type, unsigned long flags,
               const void *data)
{
	char type[MOUNT_TYPE_MAX] = "";
	char *source, *target;
	ssize_t len = 0;
	long ret;

	if (user_type)
		len = strncpy_from_user(type, user_type, sizeof(type));
	if (len < 0)
		return len == -ENAMETOOLONG ? -EINVAL : len;
	source = path_arg_empty_ok(user_source, true);
	if (IS_ERR(source))
		return PTR_ERR(source);
	target = absolute_path(user_target);
	if (IS_ERR(target)) {
		kfree(source);
		return PTR_ERR(target);
	}
	ret = vfs_mount(source, target, type, flags);
	kfree(target);
	kfree(source);
	return ret;
}

long sys_umount2(const char *user, int flags)
{
	char *target;
	long ret;

	if (flags & ~UMOUNT_FLAGS)
		return -EINVAL;
	target = absolute_path(user);
	if (IS_ERR(target))
		return PTR_ERR(target);
	ret = vfs_umount(target);
	kfree(target);
	return ret;
}

long sys_oldumount(const char *target)
{
	return sys_umount2(target, 0);
}

/* -- swap areas -------------------------------------------------------------------------------------------------------- */

long sys_swapon(const char *path, int flags)
{
	struct dentry *d = dentry_arg(AT_FDCWD, path, LOOKUP_FOLLOW);
	long ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = swapfile_on(d, (unsigned)flags);
	dentry_put(d);
	return ret;
}

long sys_swapoff(const char *path)
{
	struct dentry *d = dentry_arg(AT_FDCWD, path, LOOKUP_FOLLOW);
	long ret;

	if (IS_ERR(d))
		return PTR_ERR(d);
	ret = swapfile_off(d);
	dentry_put(d);
	return ret;
}
