/*
 * sys_file.c - system calls on descriptors themselves: close, dup, fcntl, ioctl, lseek, pipes, eventfd.
 * Layer 10 (kernel/proc).  No locks here.
 */
#include <arch/uaccess.h>
#include "kernel/fs/eventfd.h"
#include "kernel/fs/pipe.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"
#include "kernel/uapi/termios.h"

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

static struct files *current_files(void)
{
	return current_process()->files;
}

long sys_close(int fd)
{
	return fd_close(current_files(), (unsigned)fd);
}

long sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	if (first > last || (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)))
		return -EINVAL;
	files_close_range(current_files(), first, last, flags & CLOSE_RANGE_CLOEXEC);
	return 0;
}

/* -- more descriptors for the same file ------------------------------------------------------------------------ */

static long dup_from(int fd, unsigned from, bool cloexec)
{
	struct file *f = file_arg(fd, FILE_ANY);
	int new;

	if (!f)
		return -EBADF;
	new = fd_alloc_from(current_files(), from, cloexec);
	if (new >= 0)
		fd_commit(current_files(), new, f);
	else
		file_put(f);
	return new;
}

long sys_dup(int fd)
{
	return dup_from(fd, 0, false);
}

long sys_dup3(int fd, int to, int flags)
{
	if ((flags & ~O_CLOEXEC) || fd == to)
		return -EINVAL;
	return fd_replace(current_files(), (unsigned)fd, (unsigned)to, flags & O_CLOEXEC);
}

long sys_dup2(int fd, int to)
{
	if (fd == to)
		return fd_cloexec(current_files(), (unsigned)fd) < 0 ? -EBADF : to;
	return fd_replace(current_files(), (unsigned)fd, (unsigned)to, false);
}

/* -- pipes, eventfd ----------------------------------------------------------------------------------------------- */

/* Two descriptors for @ends, told to the user; on error nothing is left. Consumes the references. */
static long pipe_install(struct file *ends[2], int *user, bool cloexec)
{
	struct files *files = current_files();
	int fds[2], err;

	fds[0] = fd_alloc_from(files, 0, cloexec);
	fds[1] = fds[0] < 0 ? fds[0] : fd_alloc_from(files, 0, cloexec);
	err = fds[1] < 0 ? fds[1] : copy_to_user(user, fds, sizeof(fds));
	for (int i = 0; i < 2; i++) {
		if (!err)
			fd_commit(files, fds[i], ends[i]);
		else if (fds[i] >= 0)
			fd_cancel(files, fds[i]);
		if (err)
			file_put(ends[i]);
	}
	return err;
}

long sys_pipe2(int *fds, int flags)
{
	struct file *ends[2];
	int err;

	if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	err = pipe_make(ends, (unsigned)flags & (O_NONBLOCK | O_DIRECT));
	return err ? err : pipe_install(ends, fds, flags & O_CLOEXEC);
}

long sys_pipe(int *fds)
{
	return sys_pipe2(fds, 0);
}

long sys_eventfd2(unsigned count, int flags)
{
	if (flags & ~(O_CLOEXEC | O_NONBLOCK | EFD_SEMAPHORE))
		return -EINVAL;
	return file_to_fd(eventfd_make(count, (unsigned)flags), flags & O_CLOEXEC);
}

long sys_eventfd(unsigned count)
{
	return sys_eventfd2(count, 0);
}

/* -- fcntl ---------------------------------------------------------------------------------------------------------- */

/* Threads may change different bits at a time. */
static void change_flags(struct file *f, unsigned clear, unsigned set)
{
	unsigned old = atomic_read(&f->flags);

	while (!atomic_try_cmpxchg(&f->flags, &old, (old & ~clear) | set))
		;
}

static long fcntl_setfl(struct file *f, unsigned flags)
{
	const unsigned settable = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;

	if ((f->flags & O_APPEND) && !(flags & O_APPEND) && (f->inode->seals & F_SEAL_WRITE))
		return -EPERM;
	change_flags(f, settable, flags & settable);
	return 0;
}

/* Record locks: there is no second party that we would keep out (advisory, and not inherited), so every request is
 * granted after the usual checks.  The type is the first member of every layout of struct flock. */
static long fcntl_lock(struct file *f, unsigned cmd, void *user)
{
	bool query = cmd == F_GETLK || cmd == F_GETLK64 || cmd == F_OFD_GETLK;
	short head[2]; /* l_type, l_whence */

	if (copy_from_user(head, user, sizeof(head)))
		return -EFAULT;
	if (head[0] < F_RDLCK || head[0] > F_UNLCK || head[1] < SEEK_SET || head[1] > SEEK_END)
		return -EINVAL;
	if (query) {
		head[0] = F_UNLCK;
		return copy_to_user(user, head, sizeof(head));
	}
	if ((head[0] == F_RDLCK && (f->flags & O_ACCMODE) == O_WRONLY) ||
	    (head[0] == F_WRLCK && (f->flags & O_ACCMODE) == O_RDONLY))
		return -EBADF;
	return 0;
}

static long fcntl_pipe(struct file *f, unsigned cmd, unsigned long arg)
{
	if (!file_is_pipe(f))
		return -EBADF;
	if (cmd == F_SETPIPE_SZ && (arg == 0 || arg > 0x80000000ul))
		return -EINVAL;
	if (cmd == F_SETPIPE_SZ && (long)arg > pipe_size(f))
		return -EPERM; /* our pipes have one size, and it is the limit */
	return pipe_size(f);
}

static long fcntl_file(struct file *f, unsigned cmd, unsigned long arg)
{
	const unsigned transient = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;

	switch (cmd) {
	case F_GETFL:
		return f->flags & ~transient;
	case F_SETFL:
		return fcntl_setfl(f, (unsigned)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_GETLK64:
	case F_SETLK64:
	case F_SETLKW64:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW:
		return fcntl_lock(f, cmd, (void *)arg);
	case F_SETOWN:
	case F_GETOWN:
		return 0;
	case F_SETPIPE_SZ:
	case F_GETPIPE_SZ:
		return fcntl_pipe(f, cmd, arg);
	case F_ADD_SEALS:
		return file_add_seals(f, (unsigned)arg);
	case F_GET_SEALS:
		return file_get_seals(f);
	default:
		return -EINVAL;
	}
}

static bool fcntl_allowed_on_path(unsigned cmd)
{
	return cmd == F_DUPFD || cmd == F_DUPFD_CLOEXEC || cmd == F_GETFD || cmd == F_SETFD || cmd == F_GETFL;
}

long sys_fcntl(int fd, unsigned cmd, unsigned long arg)
{
	struct file *f = file_arg(fd, fcntl_allowed_on_path(cmd) ? FILE_ANY : FILE_OPEN);
	long ret;

	if (!f)
		return -EBADF;
	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
		ret = dup_from(fd, (unsigned)min(arg, 0x7ffffffful), cmd == F_DUPFD_CLOEXEC);
		break;
	case F_GETFD:
		ret = fd_cloexec(current_files(), (unsigned)fd);
		break;
	case F_SETFD:
		ret = fd_set_cloexec(current_files(), (unsigned)fd, arg & FD_CLOEXEC);
		break;
	default:
		ret = fcntl_file(f, cmd, arg);
	}
	file_put(f);
	return ret;
}

long sys_fcntl64(int fd, unsigned cmd, unsigned long arg)
{
	return sys_fcntl(fd, cmd, arg);
}

long sys_flock(int fd, int op)
{
	struct file *f = file_arg(fd, FILE_OPEN);

	if (!f)
		return -EBADF;
	file_put(f);
	op &= ~4; /* LOCK_NB */
	return op == 1 || op == 2 || op == 8 ? 0 : -EINVAL;
}

/* -- ioctl ---------------------------------------------------------------------------------------------------------- */

static long ioctl_nonblock(struct file *f, const int *user)
{
	int on;

	if (get_user(on, user))
		return -EFAULT;
	change_flags(f, O_NONBLOCK, on ? O_NONBLOCK : 0);
	return 0;
}

static long ioctl_unread(struct file *f, int *user)
{
	loff_t left = f->inode->obj.size - file_llseek(f, 0, SEEK_CUR);

	return put_user((int)min(max(left, (loff_t)0), (loff_t)0x7fffffff), user);
}

long sys_ioctl(int fd, unsigned cmd, unsigned long arg)
{
	struct file *f = file_arg(fd, FILE_OPEN);
	long ret;

	if (!f)
		return -EBADF;
	if (cmd == FIOCLEX || cmd == FIONCLEX)
		ret = fd_set_cloexec(current_files(), (unsigned)fd, cmd == FIOCLEX);
	else if (cmd == FIONBIO)
		ret = ioctl_nonblock(f, (const int *)arg);
	else if (cmd == FIONREAD && S_ISREG(f->inode->mode))
		ret = ioctl_unread(f, (int *)arg);
	else
		ret = file_ioctl(f, cmd, arg);
	file_put(f);
	return ret;
}

/* -- positions -------------------------------------------------------------------------------------------------------- */

static loff_t seek(int fd, loff_t off, unsigned whence)
{
	struct file *f = file_arg(fd, FILE_OPEN);
	loff_t pos;

	if (!f)
		return -EBADF;
	pos = whence > SEEK_HOLE ? -EINVAL : file_llseek(f, off, (int)whence);
	file_put(f);
	return pos;
}

long sys_lseek(int fd, long off, int whence)
{
	loff_t pos = seek(fd, off, (unsigned)whence);

	return pos == (long)pos ? (long)pos : -EOVERFLOW;
}

long sys_llseek(int fd, unsigned long hi, unsigned long lo, s64 *result, unsigned whence)
{
	loff_t pos = seek(fd, offset_pair((u32)lo, (u32)hi), whence);

	if (pos < 0)
		return (long)pos;
	return put_user(pos, result);
}
