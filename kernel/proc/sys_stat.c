/*
 * sys_stat.c - what is known about a file and a file system: the stat and statfs families.
 * Layer 10 (kernel/proc).  No locks here.
 */
#include <arch/uaccess.h>
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"

static void stat_inode(struct inode *inode, struct file_stat *st)
{
	struct kstat k;

	inode_stat(inode, &k);
	*st = (struct file_stat){
		.dev = k.dev,
		.ino = k.ino,
		.rdev = k.rdev,
		.size = (u64)k.size,
		.blocks = k.blocks,
		.mode = k.mode,
		.nlink = k.nlink,
		.uid = k.uid,
		.gid = k.gid,
		.blksize = k.blksize,
		.atime = k.atime.sec,
		.mtime = k.mtime.sec,
		.ctime = k.ctime.sec,
		.atime_nsec = (u32)k.atime.nsec,
		.mtime_nsec = (u32)k.mtime.nsec,
		.ctime_nsec = (u32)k.ctime.nsec,
	};
}

/* What (@dfd, @path) names. @flags: AT_* */
static long stat_at(int dfd, const char *path, int flags, struct file_stat *st)
{
	struct inode *inode;

	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	inode = inode_arg(dfd, path, (unsigned)flags);
	if (IS_ERR(inode))
		return PTR_ERR(inode);
	stat_inode(inode, st);
	inode_put(inode);
	return 0;
}

static long stat_fd(int fd, struct file_stat *st)
{
	struct file *f = file_arg(fd, FILE_ANY);

	if (!f)
		return -EBADF;
	stat_inode(f->inode, st);
	file_put(f);
	return 0;
}

static long stat_out(long err, const struct file_stat *st, struct abi_stat *user)
{
	struct abi_stat out;

	if (!err)
		err = abi_fill_stat(&out, st);
	return err ? err : copy_to_user(user, &out, sizeof(out));
}

static long stat64_out(long err, const struct file_stat *st, struct abi_stat64 *user)
{
	struct abi_stat64 out;

	if (!err)
		err = abi_fill_stat64(&out, st);
	return err ? err : copy_to_user(user, &out, sizeof(out));
}

long sys_newfstatat(int dfd, const char *path, struct abi_stat *user, int flags)
{
	struct file_stat st;

	return stat_out(stat_at(dfd, path, flags, &st), &st, user);
}

long sys_stat(const char *path, struct abi_stat *user)
{
	return sys_newfstatat(AT_FDCWD, path, user, 0);
}

long sys_lstat(const char *path, struct abi_stat *user)
{
	return sys_newfstatat(AT_FDCWD, path, user, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat(int fd, struct abi_stat *user)
{
	struct file_stat st;

	return stat_out(stat_fd(fd, &st), &st, user);
}

long sys_fstatat64(int dfd, const char *path, struct abi_stat64 *user, int flags)
{
	struct file_stat st;

	return stat64_out(stat_at(dfd, path, flags, &st), &st, user);
}

long sys_stat64(const char *path, struct abi_stat64 *user)
{
	return sys_fstatat64(AT_FDCWD, path, user, 0);
}

long sys_lstat64(const char *path, struct abi_stat64 *user)
{
	return sys_fstatat64(AT_FDCWD, path, user, AT_SYMLINK_NOFOLLOW);
}

long sys_fstat64(int fd, struct abi_stat64 *user)
{
	struct file_stat st;

	return stat64_out(stat_fd(fd, &st), &st, user);
}

long sys_statx(int dfd, const char *path, int flags, unsigned mask, struct abi_statx *user)
{
	struct abi_statx out;
	struct file_stat st;
	long err;

	if ((mask & STATX__RESERVED) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	err = stat_at(dfd, path, flags, &st);
	if (!err)
		err = abi_fill_statx(&out, &st);
	return err ? err : copy_to_user(user, &out, sizeof(out));
}

/* -- file systems ------------------------------------------------------------------------------------------------------- */

/* Consumes the reference. @inode may be an error: it is returned. */
static long statfs_inode(struct inode *inode, struct statfs_values *out)
{
	struct statfs_info st = {0};
	long err;

	if (IS_ERR(inode))
		return PTR_ERR(inode);
	err = vfs_statfs(inode, &st);
	inode_put(inode);
	*out = (struct statfs_values){
		.type = st.type,
		.bsize = st.bsize,
		.blocks = st.blocks,
		.bfree = st.bfree,
		.bavail = st.bavail,
		.files = st.files,
		.ffree = st.ffree,
		.namelen = st.namelen,
		.flags = st.flags,
	};
	return err;
}

static long statfs_out(struct inode *inode, struct abi_statfs *user)
{
	struct statfs_values st;
	struct abi_statfs out;
	long err = statfs_inode(inode, &st);

	if (!err)
		err = abi_fill_statfs(&out, &st);
	return err ? err : copy_to_user(user, &out, sizeof(out));
}

static long statfs64_out(struct inode *inode, struct abi_statfs64 *user)
{
	struct statfs_values st;
	struct abi_statfs64 out;
	long err = statfs_inode(inode, &st);

	if (!err)
		err = abi_fill_statfs64(&out, &st);
	return err ? err : copy_to_user(user, &out, sizeof(out));
}

long sys_statfs(const char *path, struct abi_statfs *user)
{
	return statfs_out(inode_arg(AT_FDCWD, path, 0), user);
}

long sys_fstatfs(int fd, struct abi_statfs *user)
{
	return statfs_out(file_arg_inode(fd, FILE_ANY), user);
}

long sys_statfs64(const char *path, size_t size, struct abi_statfs64 *user)
{
	if (size != sizeof(*user))
		return -EINVAL;
	return statfs64_out(inode_arg(AT_FDCWD, path, 0), user);
}

long sys_fstatfs64(int fd, size_t size, struct abi_statfs64 *user)
{
	if (size != sizeof(*user))
		return -EINVAL;
	return statfs64_out(file_arg_inode(fd, FILE_ANY), user);
}
