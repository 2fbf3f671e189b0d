/*
 * sys_data.c - system calls on a file's contents as a whole: sync, size, space, advice, copies inside the kernel.
 * Layer 10 (kernel/proc).  No locks here.
 */
#include <arch/uaccess.h>
#include "kernel/fs/pipe.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "mm/object/pagecache.h"
#include "mm/phys/slab.h"

/* -- to the disk ------------------------------------------------------------------------------------------------- */

static long fsync_fd(int fd, bool data_only)
{
	struct file *f = file_arg(fd, FILE_OPEN);
	long ret = -EINVAL;

	if (!f)
		return -EBADF;
	if (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) || S_ISBLK(f->inode->mode))
		ret = file_fsync(f, data_only);
	file_put(f);
	return ret;
}

long sys_fsync(int fd)
{
	return fsync_fd(fd, false);
}

long sys_fdatasync(int fd)
{
	return fsync_fd(fd, true);
}

long sys_sync(void)
{
	vfs_sync();
	return 0;
}

long sys_syncfs(int fd)
{
	struct file *f = file_arg(fd, FILE_OPEN);
	long ret;

	if (!f)
		return -EBADF;
	ret = file_syncfs(f);
	file_put(f);
	return ret;
}

static long sync_range(int fd, loff_t off, loff_t n, unsigned flags)
{
	const unsigned waits = SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WAIT_AFTER;
	struct file *f = file_arg(fd, FILE_OPEN);
	pgoff_t last = ~(pgoff_t)0;
	long ret;

	if (!f)
		return -EBADF;
	if (n > 0)
		last = (pgoff_t)((u64)(off + n - 1) >> PAGE_SHIFT);
	if ((flags & ~(waits | SYNC_FILE_RANGE_WRITE)) || off < 0 || n < 0 || off + n < off)
		ret = -EINVAL;
	else if (S_ISREG(f->inode->mode))
		ret = file_sync_range(f, (pgoff_t)(off >> PAGE_SHIFT), last, flags);
	else
		ret = S_ISDIR(f->inode->mode) || S_ISBLK(f->inode->mode) || S_ISLNK(f->inode->mode) ? 0 : -ESPIPE;
	file_put(f);
	return ret;
}

long sys_sync_file_range(int fd, long off, long n, unsigned flags)
{
	return sync_range(fd, off, n, flags);
}

long sys_sync_file_range_32(int fd, u32 off_lo, u32 off_hi, u32 n_lo, u32 n_hi, unsigned flags)
{
	return sync_range(fd, offset_pair(off_lo, off_hi), offset_pair(n_lo, n_hi), flags);
}

/* -- size and space ------------------------------------------------------------------------------------------------ */

static long truncate_fd(int fd, loff_t size)
{
	struct file *f;
	long ret = -EINVAL;

	if (size < 0)
		return -EINVAL;
	f = file_arg(fd, FILE_OPEN);
	if (!f)
		return -EBADF;
	if (S_ISREG(f->inode->mode) && (f->flags & O_ACCMODE) != O_RDONLY)
		ret = file_truncate(f, size);
	file_put(f);
	return ret;
}

long sys_ftruncate(int fd, long size)
{
	return truncate_fd(fd, size);
}

long sys_ftruncate64_32(int fd, u32 lo, u32 hi)
{
	return truncate_fd(fd, offset_pair(lo, hi));
}

static long truncate_path(const char *user, loff_t size)
{
	struct dentry *dir;
	char *path;
	long ret;

	if (size < 0)
		return -EINVAL;
	path = path_arg(user);
	if (IS_ERR(path))
		return PTR_ERR(path);
	dir = dir_arg(AT_FDCWD, path);
	ret = vfs_truncate(dir, path, size);
	dir_arg_put(dir);
	kfree(path);
	return ret;
}

long sys_truncate(const char *path, long size)
{
	return truncate_path(path, size);
}

long sys_truncate64_32(const char *path, u32 lo, u32 hi)
{
	return truncate_path(path, offset_pair(lo, hi));
}

static long fallocate_file(struct file *f, int mode, loff_t off, loff_t len)
{
	u32 type = f->inode->mode & S_IFMT;

	if (off < 0 || len <= 0)
		return -EINVAL;
	if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) || mode == FALLOC_FL_PUNCH_HOLE)
		return -EOPNOTSUPP;
	if (!file_writable(f))
		return -EBADF;
	if (type != S_IFREG)
		return type == S_IFIFO ? -ESPIPE : type == S_IFDIR ? -EISDIR : -ENODEV;
	if (off + len < off)
		return -EFBIG;
	return file_fallocate(f, mode, off, len);
}

static long fallocate_fd(int fd, int mode, loff_t off, loff_t len)
{
	struct file *f = file_arg(fd, FILE_OPEN);
	long ret;

	if (!f)
		return -EBADF;
	ret = fallocate_file(f, mode, off, len);
	file_put(f);
	return ret;
}

long sys_fallocate(int fd, int mode, long off, long len)
{
	return fallocate_fd(fd, mode, off, len);
}

long sys_fallocate_32(int fd, int mode, u32 off_lo, u32 off_hi, u32 len_lo, u32 len_hi)
{
	return fallocate_fd(fd, mode, offset_pair(off_lo, off_hi), offset_pair(len_lo, len_hi));
}

/* -- advice --------------------------------------------------------------------------------------------------------- */

enum { FADV_NORMAL, FADV_RANDOM, FADV_SEQUENTIAL, FADV_WILLNEED, FADV_DONTNEED, FADV_NOREUSE };

/* Pages of [off, off + len); len 0: to the end. */
struct span {
	pgoff_t first, last;
};

static pgoff_t page_of(u64 byte)
{
	return (pgoff_t)min(byte >> PAGE_SHIFT, (u64)~0UL); /* a word of 32 bits cannot say more */
}

static struct span whole_pages(loff_t off, loff_t len, bool inside)
{
	u64 start = (u64)max(off, (loff_t)0), end = len && off + len > off ? (u64)(off + len) : (u64)1 << 62;

	if (inside) /* only pages that lie in it whole */
		return (struct span){page_of(ALIGN_UP(start, (u64)PAGE_SIZE)), page_of(end)};
	return (struct span){page_of(start), page_of(end - 1)};
}

/* Write what is dirty, then let go of what nobody uses. */
static void drop_file_pages(struct file *f, loff_t off, loff_t len)
{
	struct span s = whole_pages(off, len, true);

	if (!S_ISREG(f->inode->mode) || s.last <= s.first)
		return;
	(void)object_writeback(&f->inode->obj, s.first, s.last - 1, false);
	pagecache_shed(&f->inode->obj, s.first, s.last - 1);
}

static void will_need(struct file *f, loff_t off, loff_t len)
{
	struct span s = whole_pages(off, len, false);

	if (S_ISREG(f->inode->mode))
		readahead_range(&f->inode->obj, s.first, s.last);
}

static void follow_advice(struct file *f, loff_t off, loff_t len, int advice)
{
	switch (advice) {
	case FADV_NORMAL:
		f->ra.mode = READAHEAD_NORMAL;
		break;
	case FADV_RANDOM:
		f->ra.mode = READAHEAD_RANDOM;
		break;
	case FADV_SEQUENTIAL:
		f->ra.mode = READAHEAD_SEQUENTIAL;
		break;
	case FADV_WILLNEED:
		will_need(f, off, len);
		break;
	case FADV_DONTNEED:
		drop_file_pages(f, off, len);
		break;
	}
}

static long advise(int fd, loff_t off, loff_t len, int advice)
{
	struct file *f = file_arg(fd, FILE_OPEN);
	long ret = 0;

	if (!f)
		return -EBADF;
	if (S_ISFIFO(f->inode->mode))
		ret = -ESPIPE;
	else if (len < 0 || advice < FADV_NORMAL || advice > FADV_NOREUSE)
		ret = -EINVAL;
	else
		follow_advice(f, off, len, advice);
	file_put(f);
	return ret;
}

long sys_fadvise64(int fd, long off, long len, int advice)
{
	return advise(fd, off, len, advice);
}

long sys_fadvise64_32(int fd, u32 off_lo, u32 off_hi, u32 len, int advice)
{
	return advise(fd, offset_pair(off_lo, off_hi), len, advice);
}

long sys_fadvise64_64(int fd, u32 off_lo, u32 off_hi, u32 len_lo, u32 len_hi, int advice)
{
	return advise(fd, offset_pair(off_lo, off_hi), offset_pair(len_lo, len_hi), advice);
}

static long readahead(int fd, loff_t off, size_t n)
{
	struct file *f = file_arg(fd, FILE_READ);
	long ret;

	if (!f)
		return -EBADF;
	ret = S_ISREG(f->inode->mode) || S_ISBLK(f->inode->mode) ? 0 : -EINVAL;
	if (!ret && n)
		will_need(f, off, (loff_t)n);
	file_put(f);
	return ret;
}

long sys_readahead(int fd, long off, size_t n)
{
	return readahead(fd, off, n);
}

long sys_readahead_32(int fd, u32 lo, u32 hi, u32 n)
{
	return readahead(fd, offset_pair(lo, hi), n);
}
