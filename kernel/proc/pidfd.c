/*
 * pidfd.c - pidfd_open(2), and process_madvise(2), which names its process so.
 *
 * Layer 10 (kernel/proc).  A pidfd holds a reference of its process and becomes readable when that has ended.
 */
#include "kernel/fs/poll.h"
#include "kernel/lib/err.h"
#include "kernel/proc/file_arg.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/uapi/fcntl.h"
#include "mm/space/mm.h"

#define PIDFD_NONBLOCK O_NONBLOCK

static unsigned pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->private;

	poll_wait(pt, &p->stop_wait); /* woken whenever a thread leaves */
	return READ_ONCE(p->nr_threads) ? 0 : POLLIN | POLLRDNORM;
}

static void pidfd_release(struct file *f)
{
	process_put(f->private);
}

static const struct file_ops pidfd_ops = {.poll = pidfd_poll, .release = pidfd_release, .no_mmap = true};

/* Takes the reference of @p. */
static struct file *pidfd_make(struct process *p, unsigned flags)
{
	struct inode *inode = inode_make_anon(0600, &pidfd_ops);
	struct file *f = ERR_CAST(inode);

	if (!IS_ERR(inode)) {
		f = file_make(inode, &pidfd_ops, O_RDWR | (flags & O_NONBLOCK), "anon_inode:[pidfd]");
		inode_put(inode);
	}
	if (IS_ERR(f))
		process_put(p);
	else
		f->private = p;
	return f;
}

static bool is_thread(int tid)
{
	bool there;

	spin_lock(&process_lock);
	there = thread_find_locked(tid) != NULL;
	spin_unlock(&process_lock);
	return there;
}

long sys_pidfd_open(int pid, unsigned flags)
{
	struct process *p;

	if ((flags & ~(unsigned)PIDFD_NONBLOCK) || pid <= 0)
		return -EINVAL;
	p = process_find(pid);
	if (!p)
		return is_thread(pid) ? -EINVAL : -ESRCH;
	return file_to_fd(pidfd_make(p, flags), true);
}

/* -- process_madvise ------------------------------------------------------------------------------------------ */

/* What changes no content may be said of others' memory. */
static bool harmless(int advice)
{
	return advice == MADV_COLD || advice == MADV_PAGEOUT || advice == MADV_WILLNEED || advice == MADV_COLLAPSE;
}

/* Range by range: bytes done before the first that fails, or its error. */
static long advise_all(struct mm *mm, const struct iov *iov, int advice)
{
	long done = 0;
	int err = 0;

	for (unsigned i = 0; i < iov->count && !err; i++) {
		err = mm_madvise(mm, (vaddr_t)iov->v[i].iov_base, iov->v[i].iov_len, advice);
		if (!err)
			done += (long)iov->v[i].iov_len;
	}
	return done ? done : err;
}

static long advise_process(const struct file *f, const struct iov *iov, int advice)
{
	struct mm *mm;
	long result;

	if (f->ops != &pidfd_ops)
		return -EBADF;
	if (!harmless(advice))
		return -EINVAL;
	mm = process_mm_get(f->private);
	if (!mm)
		return -ESRCH;
	result = advise_all(mm, iov, advice);
	mm_put(mm);
	return result;
}

long sys_process_madvise(int pidfd, const struct abi_iovec *user, unsigned long count, int advice, unsigned flags)
{
	struct file *f;
	struct iov iov;
	long result;

	if (flags || count > IOV_MAX)
		return -EINVAL;
	result = iov_arg(&iov, user, (int)count);
	if (result)
		return result;
	f = file_arg(pidfd, FILE_ANY);
	result = f ? advise_process(f, &iov, advice) : -EBADF;
	if (f)
		file_put(f);
	iov_release(&iov);
	return result;
}
