/*
 * file_arg.h - what system calls on files are given: descriptors, paths, directories, buffers.
 * Layer 10 (kernel/proc).  Every function here returns something to be given back, or an errno, and changes nothing.
 */
#ifndef KERNEL_PROC_FILE_ARG_H
#define KERNEL_PROC_FILE_ARG_H

#include <arch/abi.h>
#include "kernel/fs/vfs.h"

#define MAX_RW_COUNT 0x7ffff000u
#define IOV_MAX 1024
#define IOV_INLINE 8

enum file_need {
	FILE_ANY,   /* any descriptor, also O_PATH */
	FILE_OPEN,  /* not O_PATH */
	FILE_READ,  /* open for reading */
	FILE_WRITE, /* open for writing */
};

/* The file of current's descriptor @fd with a reference, or NULL: -EBADF. */
struct file *file_arg(int fd, enum file_need need);
/* Its inode, with a reference; ERR_PTR(-EBADF). */
struct inode *file_arg_inode(int fd, enum file_need need);
/* May it be used with explicit positions? */
bool file_seekable(struct file *f);

/* A path from user memory; free with kfree(). ERR_PTR(-EFAULT, -ENAMETOOLONG, -ENOMEM, -ENOENT when empty). */
char *path_arg(const char *user);
/* The same, but "" (and NULL, if @null_ok) is fine. */
char *path_arg_empty_ok(const char *user, bool null_ok);
/* Where @path starts: the directory behind @dfd, the current one for AT_FDCWD; NULL (the root) if absolute.
 * dir_arg_put() it. ERR_PTR(-EBADF, -ENOTDIR). */
struct dentry *dir_arg(int dfd, const char *path);
void dir_arg_put(struct dentry *dir);
/* The inode that (@dfd, @user) names, with a reference. @at_flags: AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH. */
struct inode *inode_arg(int dfd, const char *user, unsigned at_flags);
/* Its name, for what needs one: a referenced dentry. */
struct dentry *dentry_arg(int dfd, const char *user, unsigned lookup_flags);

/* A new descriptor for @f, taking over the reference; drops it on error. @f may be an error: it is returned. */
long file_to_fd(struct file *f, bool cloexec);

/* A 64-bit offset from two registers: on 64-bit machines the low one holds it all. */
static inline loff_t offset_arg(unsigned long lo, unsigned long hi)
{
	unsigned half = 4 * (unsigned)sizeof(long);

	return (loff_t)((((u64)hi << half) << half) | lo);
}

/* The same from i386's pairs. */
static inline loff_t offset_pair(u32 lo, u32 hi)
{
	return (loff_t)((u64)hi << 32 | lo);
}

/* The buffers of readv and kin. */
struct iov {
	struct abi_iovec *v;
	unsigned count;
	size_t total; /* at most MAX_RW_COUNT */
	struct abi_iovec first[IOV_INLINE];
};
/* 0 (then iov_release() it), -EINVAL, -EFAULT, -ENOMEM. */
int iov_arg(struct iov *iov, const struct abi_iovec *user, int count);
void iov_release(struct iov *iov);

#endif
