/*
 * sys_copy.c - sendfile(2) and copy_file_range(2).  Layer 10 (kernel/proc).
 *
 * The source's page cache is mapped read-only into the caller's own address space for a moment, and written to the
 * destination from there: so any kind of file can be the destination, and there is no second buffer.
 */
#include <arch/uaccess.h>
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"

#define COPY_CHUNK (256 * 1024ul)

/* Write @n bytes of @in from @pos on to @out: at *@to, or at its own position if @to is NULL. */
static ssize_t copy_chunk(struct file *in, loff_t pos, struct file *out, const loff_t *to, size_t n)
{
	struct mm *mm = current_process()->mm;
	size_t skew = (size_t)pos & ~PAGE_MASK;
	struct mmap_request req = {
		.length = ALIGN_UP(skew + n, PAGE_SIZE),
		.prot = PROT_READ,
		.flags = MAP_PRIVATE,
		.pgoff = (pgoff_t)(pos >> PAGE_SHIFT),
	};
	int err = file_mmap_prepare(in, &req);
	ssize_t ret;
	long addr;

	if (err)
		return err;
	addr = mm_mmap(mm, &req);
	if (IS_ERR_VALUE(addr))
		return addr;
	ret = to ? file_pwrite(out, (char *)addr + skew, n, *to) : file_write(out, (char *)addr + skew, n);
	mm_munmap(mm, (vaddr_t)addr, req.length);
	return ret;
}

/* Copy up to @n bytes, advancing *@from (and *@to, if given). Bytes, or an error if none. */
static ssize_t copy_range(struct file *in, loff_t *from, struct file *out, loff_t *to, size_t n)
{
	ssize_t done = 0;

	n = min(n, (size_t)MAX_RW_COUNT);
	while (n > 0) {
		loff_t left = in->inode->obj.size - *from;
		size_t chunk = (size_t)min(left, (loff_t)min(n, (size_t)COPY_CHUNK));
		ssize_t put;

		if (left <= 0)
			break;
		put = copy_chunk(in, *from, out, to, chunk);
		if (put < 0)
			return done ? done : put;
		*from += put;
		if (to)
			*to += put;
		done += put;
		n -= (size_t)put;
		if ((size_t)put < chunk)
			break;
	}
	return done;
}

/* Can pages of it be mapped by the trick above? Else -EINVAL makes programs fall back to read and write. */
static bool file_copyable(const struct file *f)
{
	return S_ISREG(f->inode->mode) && !f->ops->no_mmap;
}

/* -- sendfile ------------------------------------------------------------------------------------------------------- */

/* @pos NULL: at @in's own position. */
static long sendfile_files(struct file *out, struct file *in, loff_t *pos, size_t n)
{
	loff_t own = pos ? 0 : file_llseek(in, 0, SEEK_CUR);
	loff_t *from = pos ? pos : &own;
	ssize_t ret;

	if (!file_copyable(in) || (out->flags & O_APPEND))
		return -EINVAL;
	if (*from < 0)
		return -EINVAL;
	if (S_ISDIR(out->inode->mode))
		return -EINVAL;
	ret = copy_range(in, from, out, NULL, n);
	if (!pos && ret > 0)
		file_llseek(in, own, SEEK_SET);
	return ret;
}

static long sendfile(int out_fd, int in_fd, loff_t *pos, size_t n)
{
	struct file *in = file_arg(in_fd, FILE_READ);
	struct file *out = file_arg(out_fd, FILE_WRITE);
	long ret = -EBADF;

	if (in && out)
		ret = (ssize_t)n < 0 ? -EINVAL : sendfile_files(out, in, pos, n);
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	if (ret == -EPIPE)
		signal_send_current(SIGPIPE);
	return ret;
}

long sys_sendfile(int out, int in, long *off, size_t n)
{
	loff_t pos;
	long user_pos, ret;

	if (!off)
		return sendfile(out, in, NULL, n);
	if (get_user(user_pos, off))
		return -EFAULT;
	pos = user_pos;
	ret = sendfile(out, in, &pos, n);
	return put_user((long)pos, off) ? -EFAULT : ret;
}

long sys_sendfile64(int out, int in, s64 *off, size_t n)
{
	loff_t pos;
	long ret;

	if (!off)
		return sendfile(out, in, NULL, n);
	if (get_user(pos, off))
		return -EFAULT;
	ret = sendfile(out, in, &pos, n);
	return put_user(pos, off) ? -EFAULT : ret;
}

/* -- copy_file_range ---------------------------------------------------------------------------------------------------- */

/* One side of the copy: a position in user memory, or the file's own. */
static int range_start(struct file *f, const s64 *user, loff_t *pos)
{
	if (user)
		return get_user(*pos, user);
	*pos = file_llseek(f, 0, SEEK_CUR);
	return *pos < 0 ? (int)*pos : 0;
}

static int range_end(struct file *f, s64 *user, loff_t pos)
{
	if (user)
		return put_user(pos, user);
	file_llseek(f, pos, SEEK_SET);
	return 0;
}

static bool ranges_overlap(loff_t a, loff_t b, size_t n)
{
	return a < b + (loff_t)n && b < a + (loff_t)n;
}

static long copy_files(struct file *in, s64 *user_in, struct file *out, s64 *user_out, size_t n)
{
	loff_t from, to;
	ssize_t ret;
	int err;

	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!file_copyable(in) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	if (out->flags & O_APPEND)
		return -EBADF;
	err = range_start(in, user_in, &from);
	if (!err)
		err = range_start(out, user_out, &to);
	if (err)
		return err;
	n = min(n, (size_t)MAX_RW_COUNT);
	if (from < 0 || to < 0 || (in->inode == out->inode && ranges_overlap(from, to, n)))
		return -EINVAL;
	ret = copy_range(in, &from, out, &to, n);
	if (ret <= 0)
		return ret;
	err = range_end(in, user_in, from);
	return range_end(out, user_out, to) || err ? -EFAULT : ret;
}

long sys_copy_file_range(int in_fd, s64 *off_in, int out_fd, s64 *off_out, size_t n, unsigned flags)
{
	struct file *in = file_arg(in_fd, FILE_READ);
	struct file *out = file_arg(out_fd, FILE_WRITE);
	long ret = -EBADF;

	if (in && out)
		ret = flags ? -EINVAL : copy_files(in, off_in, out, off_out, n);
	if (in)
		file_put(in);
	if (out)
		file_put(out);
	return ret;
}
