/*
 * sys_rw.c - system calls that move bytes: read, write, their vector and positioned forms.
 * Layer 10 (kernel/proc).  No locks here: the files have their own.
 */
#include <arch/uaccess.h>
#include "kernel/fs/poll.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"

/* Where a transfer happens: at the file's own position, or at one that was given; and how. */
struct place {
	bool given;
	loff_t pos;
	int flags; /* RWF_* */
};

static const struct place at_own = {.given = false};

static ssize_t transfer(struct file *f, void *buf, size_t n, const struct place *at, bool write)
{
	loff_t pos = at->pos;

	if (write && (at->flags & RWF_NOWAIT))
		return file_write_nowait(f, buf, n, at->given ? &pos : NULL, at->flags & RWF_APPEND);
	if (write && (at->flags & RWF_APPEND))
		return file_append(f, buf, n, !at->given);
	if (!write && (at->flags & RWF_NOWAIT)) {
		ssize_t ready = file_read_ready(f, at->given ? at->pos : f->pos, n);

		if (ready < 0)
			return ready;
		n = (size_t)ready;
	}
	if (at->given)
		return write ? file_pwrite(f, buf, n, at->pos) : file_pread(f, buf, n, at->pos);
	return write ? file_write(f, buf, n) : file_read(f, buf, n);
}

/* The file for a transfer, or an error. */
static struct file *transfer_file(int fd, const struct place *at, bool write)
{
	struct file *f = file_arg(fd, FILE_OPEN);
	int err = 0;

	if (!f)
		return ERR_PTR(-EBADF);
	if (at->given && !S_ISDIR(f->inode->mode) && !file_seekable(f))
		err = -ESPIPE;
	else if (!(write ? file_writable(f) : file_readable(f)))
		err = -EBADF;
	else if (S_ISDIR(f->inode->mode))
		err = -EISDIR;
	if (err) {
		file_put(f);
		return ERR_PTR(err);
	}
	return f;
}

static ssize_t transfer_done(struct file *f, ssize_t ret)
{
	file_put(f);
	if (ret == -EPIPE)
		signal_send_current(SIGPIPE);
	return ret;
}

static long transfer_one(int fd, void *buf, size_t n, struct place at, bool write)
{
	struct file *f;

	if (at.given && at.pos < 0)
		return -EINVAL;
	f = transfer_file(fd, &at, write);
	if (IS_ERR(f))
		return PTR_ERR(f);
	if (!user_range_ok(buf, n)) {
		file_put(f);
		return -EFAULT;
	}
	return transfer_done(f, transfer(f, buf, min(n, (size_t)MAX_RW_COUNT), &at, write));
}

static struct place at_offset(loff_t pos)
{
	return (struct place){.given = true, .pos = pos};
}

long sys_read(int fd, void *buf, size_t n)
{
	return transfer_one(fd, buf, n, at_own, false);
}

long sys_write(int fd, const void *buf, size_t n)
{
	return transfer_one(fd, (void *)buf, n, at_own, true);
}

long sys_pread64(int fd, void *buf, size_t n, long pos)
{
	return transfer_one(fd, buf, n, at_offset(pos), false);
}

long sys_pread64_32(int fd, void *buf, size_t n, u32 lo, u32 hi)
{
	return transfer_one(fd, buf, n, at_offset(offset_pair(lo, hi)), false);
}

long sys_pwrite64(int fd, const void *buf, size_t n, long pos)
{
	return transfer_one(fd, (void *)buf, n, at_offset(pos), true);
}

long sys_pwrite64_32(int fd, const void *buf, size_t n, u32 lo, u32 hi)
{
	return transfer_one(fd, (void *)buf, n, at_offset(offset_pair(lo, hi)), true);
}

/* -- vectors ---------------------------------------------------------------------------------------------------- */

/* Between two pieces of a readv: would the next one make the caller wait although there is something to return? */
static bool would_wait(struct file *f)
{
	return f->ops->poll && (file_poll(f, NULL) & (POLLIN | POLLHUP)) != POLLIN;
}

/* Piece by piece, until one comes up short. */
static ssize_t transfer_pieces(struct file *f, const struct iov *iov, struct place at, bool write)
{
	ssize_t done = 0;

	for (unsigned i = 0; i < iov->count; i++) {
		const struct abi_iovec *v = &iov->v[i];
		ssize_t got;

		if (v->iov_len == 0)
			continue;
		if (done > 0 && !write && would_wait(f))
			break;
		got = transfer(f, v->iov_base, v->iov_len, &at, write);
		if (got < 0)
			return done ? done : got;
		done += got;
		at.pos += got;
		if ((unsigned long)got < v->iov_len)
			break;
	}
	return done;
}

static long transfer_vector(int fd, const struct abi_iovec *user, int count, struct place at, bool write, int flags)
{
	struct file *f;
	struct iov iov;
	ssize_t ret;
	int err;

	if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | (write ? RWF_APPEND : 0)))
		return -EOPNOTSUPP;
	if (write && (flags & RWF_NOWAIT) && (flags & (RWF_DSYNC | RWF_SYNC)))
		return -EAGAIN; /* which is to wait */
	at.flags = flags;
	if (at.given && at.pos < 0)
		return -EINVAL;
	f = transfer_file(fd, &at, write);
	if (IS_ERR(f))
		return PTR_ERR(f);
	err = iov_arg(&iov, user, count);
	if (err) {
		file_put(f);
		return err;
	}
	ret = transfer_pieces(f, &iov, at, write);
	iov_release(&iov);
	if (write && ret > 0 && (flags & (RWF_DSYNC | RWF_SYNC))) {
		err = file_fsync(f, !(flags & RWF_SYNC));
		ret = err ? err : ret;
	}
	return transfer_done(f, ret);
}

long sys_readv(int fd, const struct abi_iovec *iov, int count)
{
	return transfer_vector(fd, iov, count, at_own, false, 0);
}

long sys_writev(int fd, const struct abi_iovec *iov, int count)
{
	return transfer_vector(fd, iov, count, at_own, true, 0);
}

long sys_preadv(int fd, const struct abi_iovec *iov, int count, unsigned long lo, unsigned long hi)
{
	return transfer_vector(fd, iov, count, at_offset(offset_arg(lo, hi)), false, 0);
}

long sys_pwritev(int fd, const struct abi_iovec *iov, int count, unsigned long lo, unsigned long hi)
{
	return transfer_vector(fd, iov, count, at_offset(offset_arg(lo, hi)), true, 0);
}

/* Position -1 of the second generation: the file's own. */
static struct place at_offset_or_own(loff_t pos)
{
	return pos == -1 ? at_own : at_offset(pos);
}

long sys_preadv2(int fd, const struct abi_iovec *iov, int count, unsigned long lo, unsigned long hi, int flags)
{
	return transfer_vector(fd, iov, count, at_offset_or_own(offset_arg(lo, hi)), false, flags);
}

long sys_pwritev2(int fd, const struct abi_iovec *iov, int count, unsigned long lo, unsigned long hi, int flags)
{
	return transfer_vector(fd, iov, count, at_offset_or_own(offset_arg(lo, hi)), true, flags);
}
