/*
 * userfaultfd.c - a userfaultfd context as a file: messages are read from it, poll(2) tells when there are some.
 *
 * Layer 9 (kernel/fs).  Interface: userfaultfd.h; requests: uffd_ioctl.c.  No locks of its own.
 *
 * Linux's rules: nothing but the handshake before the handshake; poll(2) is of use with O_NONBLOCK only, else POLLERR; a read
 * returns as many messages as there are and fit, and waits for the first one only.
 */
#include "kernel/fs/userfaultfd.h"

#include <arch/uaccess.h>
#include "kernel/fs/poll.h"
#include "kernel/fs/procfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/uapi/fcntl.h"
#include "mm/service/uffd.h"

#define UFFD_MAJOR 10 /* Linux's misc devices */
#define UFFD_MINOR 126
#define UFFD_FLAGS (UFFDX_USER_MODE_ONLY | O_CLOEXEC | O_NONBLOCK)

const struct userfaultfd_hooks *userfaultfd_hooks;
static bool unprivileged; /* vm.unprivileged_userfaultfd: may anybody have faults of the kernel itself answered? */

static const struct file_ops uffd_file_ops;

/* A file for @u, with a reference of its own. */
static struct file *make_file(struct uffd *u)
{
	struct inode *inode = inode_make_anon(0600, &uffd_file_ops);
	struct file *f;

	if (IS_ERR(inode))
		return ERR_PTR(PTR_ERR(inode));
	f = file_make(inode, &uffd_file_ops, O_RDONLY | (u->flags & O_NONBLOCK), "anon_inode:[userfaultfd]");
	inode_put(inode);
	if (!IS_ERR(f)) {
		uffd_get(u);
		f->private = u;
	}
	return f;
}

/* That, as a descriptor of current's: its number, or an error and nothing is left. */
static int make_descriptor(struct uffd *u)
{
	int fd = userfaultfd_hooks->reserve(u->flags & O_CLOEXEC);
	struct file *f;

	if (fd < 0)
		return fd;
	f = make_file(u);
	if (IS_ERR(f)) {
		userfaultfd_hooks->cancel(fd);
		return (int)PTR_ERR(f);
	}
	userfaultfd_hooks->commit(fd, f);
	return fd;
}

/* -- read ------------------------------------------------------------------------------------------------------------ */

/* The child's context becomes a file of the reader's. 0, or an error and the event is still to be read. */
static int tell_fork(struct uffd_event *e, struct uffdx_msg *msg)
{
	int fd = make_descriptor(e->child);

	if (fd < 0)
		return fd;
	msg->fork.ufd = (u32)fd;
	return 0;
}

/* The oldest message: 1, 0 if there is none, or an error. */
static int next_message(struct uffd *u, struct uffdx_msg *msg)
{
	struct uffd_event *e;
	int err = 0;

	if (uffd_next_fault(u, msg))
		return 1;
	e = uffd_next_event(u);
	if (!e)
		return 0;
	*msg = e->msg;
	if (e->child)
		err = tell_fork(e, msg);
	if (err)
		uffd_event_unread(e);
	else
		uffd_event_read(e);
	return err ? err : 1;
}

/* The same, and waits for one. 0 or an error. */
static int await_message(struct uffd *u, bool wait, struct uffdx_msg *msg)
{
	int got;

	while ((got = next_message(u, msg)) == 0) {
		if (!wait)
			return -EAGAIN;
		got = wait_restart(wait_event_interruptible(&u->readers, uffd_readable(u)));
		if (got)
			return got;
	}
	return min(got, 0);
}

static ssize_t uffd_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	struct uffd *u = f->private;
	struct uffdx_msg msg;
	ssize_t done = 0;

	if (!__atomic_load_n(&u->ready, __ATOMIC_ACQUIRE) || n < sizeof(msg))
		return -EINVAL;
	while (n - (size_t)done >= sizeof(msg)) {
		int err = await_message(u, !done && !(f->flags & O_NONBLOCK), &msg);

		if (!err && copy_to_user((char *)user + done, &msg, sizeof(msg)))
			err = -EFAULT;
		if (err)
			return done ? done : err;
		done += (ssize_t)sizeof(msg);
	}
	return done;
}

static unsigned uffd_poll(struct file *f, struct poll_table *pt)
{
	struct uffd *u = f->private;

	poll_wait(pt, &u->readers);
	if (!__atomic_load_n(&u->ready, __ATOMIC_ACQUIRE) || !(f->flags & O_NONBLOCK))
		return POLLERR;
	return uffd_readable(u) ? POLLIN : 0;
}

static void uffd_close(struct file *f)
{
	uffd_release(f->private);
	uffd_put(f->private);
}

static loff_t uffd_llseek(struct file *f, loff_t off, int whence)
{
	return 0;
}

static const struct file_ops uffd_file_ops = {
	.read = uffd_read,
	.poll = uffd_poll,
	.ioctl = userfaultfd_ioctl,
	.release = uffd_close,
	.llseek = uffd_llseek,
	.no_mmap = true,
};

/* -- new ones ---------------------------------------------------------------------------------------------------------- */

static int make(unsigned flags)
{
	struct uffd *u;
	int fd;

	if (flags & ~(unsigned)UFFD_FLAGS)
		return -EINVAL;
	u = uffd_make(container_of(current_thread()->pt, struct mm, pt), flags);
	if (IS_ERR(u))
		return (int)PTR_ERR(u);
	fd = make_descriptor(u);
	uffd_put(u);
	return fd;
}

int userfaultfd_make(unsigned flags)
{
	if (!(flags & UFFDX_USER_MODE_ONLY) && !READ_ONCE(unprivileged) && !userfaultfd_hooks->privileged())
		return -EPERM;
	return make(flags);
}

/* Who may open the node may have one, whatever the sysctl says. */
static long node_ioctl(struct file *f, unsigned cmd, unsigned long flags)
{
	return cmd == UFFDX_IOC_NEW ? make((unsigned)flags) : -EINVAL;
}

static const struct file_ops node_ops = {.ioctl = node_ioctl, .no_mmap = true};

static int unprivileged_show(struct proc_buf *b)
{
	proc_printf(b, "%d\n", READ_ONCE(unprivileged));
	return 0;
}

static int unprivileged_store(const char *text, size_t n)
{
	if (n && text[n - 1] == '\n')
		n--;
	if (n != 1 || (*text != '0' && *text != '1'))
		return -EINVAL;
	WRITE_ONCE(unprivileged, *text == '1');
	return 0;
}

void userfaultfd_init(void)
{
	dev_register("userfaultfd", UFFD_MAJOR, UFFD_MINOR, 0600, &node_ops);
	proc_register_rw("sys/vm/unprivileged_userfaultfd", unprivileged_show, unprivileged_store);
}
