/*
 * sys_attr.c - changing what a file carries: mode, owner, times.  Layer 10 (kernel/proc).
 * No locks here.
 */
#include <arch/uaccess.h>
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"

/* -- mode and owner ----------------------------------------------------------------------------------------------------- */

/* These consume the reference; @inode may be an error: it is returned. */
static long change_mode(struct inode *inode, unsigned mode)
{
	long err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = S_ISLNK(inode->mode) ? -EOPNOTSUPP : inode_chmod(inode, mode);
	inode_put(inode);
	return err;
}

static long change_owner(struct inode *inode, u32 uid, u32 gid)
{
	long err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = inode_chown(inode, uid, gid);
	inode_put(inode);
	return err;
}

long sys_fchmodat(int dfd, const char *path, unsigned mode)
{
	return change_mode(inode_arg(dfd, path, 0), mode);
}

long sys_chmod(const char *path, unsigned mode)
{
	return sys_fchmodat(AT_FDCWD, path, mode);
}

long sys_fchmod(int fd, unsigned mode)
{
	return change_mode(file_arg_inode(fd, FILE_OPEN), mode);
}

long sys_fchownat(int dfd, const char *path, u32 uid, u32 gid, int flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return change_owner(inode_arg(dfd, path, (unsigned)flags), uid, gid);
}

long sys_chown(const char *path, u32 uid, u32 gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

long sys_lchown(const char *path, u32 uid, u32 gid)
{
	return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

long sys_fchown(int fd, u32 uid, u32 gid)
{
	return change_owner(file_arg_inode(fd, FILE_OPEN), uid, gid);
}

/* -- times --------------------------------------------------------------------------------------------------------------- */

/* One of the two: UTIME_NOW becomes a time. */
static int time_arg(struct timespec64 *t)
{
	if (t->nsec == UTIME_NOW)
		*t = vfs_now();
	return t->nsec == UTIME_OMIT || (t->nsec >= 0 && t->nsec < 1000000000) ? 0 : -EINVAL;
}

/* Consumes the reference. @inode may be an error: it is returned. */
static long change_times(struct inode *inode, const struct timespec64 *atime, const struct timespec64 *mtime)
{
	long err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = inode_utimens(inode, atime, mtime);
	inode_put(inode);
	return err;
}

/* @times NULL: now. @path NULL: @dfd itself. */
static long set_times(int dfd, const char *path, struct timespec64 *times, int flags)
{
	const struct timespec64 *atime = NULL, *mtime = NULL;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	if (times) {
		if (time_arg(&times[0]) || time_arg(&times[1]))
			return -EINVAL;
		atime = times[0].nsec == UTIME_OMIT ? NULL : &times[0];
		mtime = times[1].nsec == UTIME_OMIT ? NULL : &times[1];
		if (!atime && !mtime)
			return 0;
	}
	if (!path && dfd != AT_FDCWD)
		return flags ? -EINVAL : change_times(file_arg_inode(dfd, FILE_OPEN), atime, mtime);
	return change_times(inode_arg(dfd, path, (unsigned)flags), atime, mtime);
}

long sys_utimensat(int dfd, const char *path, const struct abi_timespec *user, int flags)
{
	struct timespec64 times[2];
	struct abi_timespec ts[2];

	if (!user)
		return set_times(dfd, path, NULL, flags);
	if (copy_from_user(ts, user, sizeof(ts)))
		return -EFAULT;
	for (int i = 0; i < 2; i++)
		times[i] = (struct timespec64){.sec = ts[i].tv_sec, .nsec = ts[i].tv_nsec};
	return set_times(dfd, path, times, flags);
}

long sys_utimensat_time64(int dfd, const char *path, const struct abi_timespec64 *user, int flags)
{
	struct timespec64 times[2];
	struct abi_timespec64 ts[2];

	if (!user)
		return set_times(dfd, path, NULL, flags);
	if (copy_from_user(ts, user, sizeof(ts)))
		return -EFAULT;
	/* A 32-bit program's long tv_nsec: the upper half is padding. */
	for (int i = 0; i < 2; i++)
		times[i] = (struct timespec64){.sec = ts[i].tv_sec, .nsec = (long)ts[i].tv_nsec};
	return set_times(dfd, path, times, flags);
}

long sys_futimesat(int dfd, const char *path, const struct abi_timeval *user)
{
	struct timespec64 times[2];
	struct abi_timeval tv[2];

	if (!user)
		return set_times(dfd, path, NULL, 0);
	if (copy_from_user(tv, user, sizeof(tv)))
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (tv[i].tv_usec < 0 || tv[i].tv_usec >= 1000000)
			return -EINVAL;
		times[i] = (struct timespec64){.sec = tv[i].tv_sec, .nsec = tv[i].tv_usec * 1000};
	}
	return set_times(dfd, path, times, 0);
}

long sys_utimes(const char *path, const struct abi_timeval *times)
{
	return sys_futimesat(AT_FDCWD, path, times);
}

long sys_utime(const char *path, const long *user)
{
	struct timespec64 times[2];
	long sec[2];

	if (!user)
		return set_times(AT_FDCWD, path, NULL, 0);
	if (copy_from_user(sec, user, sizeof(sec)))
		return -EFAULT;
	times[0] = (struct timespec64){.sec = sec[0]};
	times[1] = (struct timespec64){.sec = sec[1]};
	return set_times(AT_FDCWD, path, times, 0);
}
