/*
 * eventfd.c - eventfd2(2): a 64-bit counter; write adds, read takes all (or 1 in semaphore mode).
 * Layer 9 (kernel/fs).  Lock order: eventfd->lock is a leaf; user memory is touched without it.
 */
#include "kernel/fs/eventfd.h"
#include <arch/uaccess.h>
#include "kernel/fs/poll.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/uapi/fcntl.h"
#include "mm/phys/slab.h"

#define COUNT_MAX 0xfffffffffffffffeull

struct eventfd {
	spinlock_t lock;
	u64 count; /* lock */
	bool semaphore;
	struct wait_queue wait; /* woken by every change */
};

/* Take the counter's value: 0 if there is nothing. */
static u64 eventfd_take(struct eventfd *e)
{
	u64 got;

	spin_lock(&e->lock);
	got = e->semaphore && e->count ? 1 : e->count;
	e->count -= got;
	spin_unlock(&e->lock);
	return got;
}

static bool eventfd_add(struct eventfd *e, u64 n)
{
	bool fits;

	spin_lock(&e->lock);
	fits = COUNT_MAX - e->count >= n;
	if (fits)
		e->count += n;
	spin_unlock(&e->lock);
	return fits;
}

/* A 64-bit counter cannot be looked at without the lock on 32-bit machines. */
static u64 eventfd_count(struct eventfd *e)
{
	u64 count;

	spin_lock(&e->lock);
	count = e->count;
	spin_unlock(&e->lock);
	return count;
}

static ssize_t eventfd_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	struct eventfd *e = f->private;
	u64 got;
	int err;

	if (n < sizeof(got))
		return -EINVAL;
	while ((got = eventfd_take(e)) == 0) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_restart(wait_event_interruptible(&e->wait, eventfd_count(e) > 0));
		if (err)
			return err;
	}
	wake_up_all(&e->wait);
	return copy_to_user(user, &got, sizeof(got)) ? -EFAULT : (ssize_t)sizeof(got);
}

static ssize_t eventfd_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	struct eventfd *e = f->private;
	u64 add;
	int err;

	if (n < sizeof(add))
		return -EINVAL;
	if (copy_from_user(&add, user, sizeof(add)))
		return -EFAULT;
	if (add > COUNT_MAX)
		return -EINVAL;
	while (!eventfd_add(e, add)) {
		if (f->flags & O_NONBLOCK)
			return -EAGAIN;
		err = wait_restart(wait_event_interruptible(&e->wait, COUNT_MAX - eventfd_count(e) >= add));
		if (err)
			return err;
	}
	wake_up_all(&e->wait);
	return sizeof(add);
}

static unsigned eventfd_poll(struct file *f, struct poll_table *pt)
{
	struct eventfd *e = f->private;
	u64 count;

	poll_wait(pt, &e->wait);
	count = eventfd_count(e);
	return (count > 0 ? POLLIN | POLLRDNORM : 0) | (count < COUNT_MAX ? POLLOUT | POLLWRNORM : 0);
}

static void eventfd_release(struct file *f)
{
	kfree(f->private);
}

static loff_t eventfd_llseek(struct file *f, loff_t off, int whence)
{
	return 0; /* has no position, and does not mind being asked */
}

static const struct file_ops eventfd_file_ops = {
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.release = eventfd_release,
	.llseek = eventfd_llseek,
	.no_mmap = true,
};

struct file *eventfd_make(u32 count, unsigned flags)
{
	struct eventfd *e = kzalloc(sizeof(*e), GFP_KERNEL);
	struct inode *inode;
	struct file *f;

	if (!e)
		return ERR_PTR(-ENOMEM);
	spin_init(&e->lock, LOCK_PIPE);
	wait_queue_init(&e->wait);
	e->count = count;
	e->semaphore = flags & EFD_SEMAPHORE;
	inode = inode_make_anon(0600, &eventfd_file_ops);
	if (IS_ERR(inode)) {
		kfree(e);
		return ERR_PTR(PTR_ERR(inode));
	}
	f = file_make(inode, &eventfd_file_ops, O_RDWR | (flags & O_NONBLOCK), "anon_inode:[eventfd]");
	inode_put(inode);
	if (IS_ERR(f))
		kfree(e);
	else
		f->private = e;
	return f;
}
