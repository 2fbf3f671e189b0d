/*
 * tty_file.c - the terminal's descriptors and job control: who may read, who gets ^C.  Layer 10 (kernel/proc).
 *
 * A session has the terminal when tty->session names it; process->has_tty says that this process did not give it up.
 * There is one terminal, so has_tty means nothing in any other session.
 * Lock order: tty->lock, then process_lock; signals are sent with neither held.
 */
#include "kernel/proc/tty_file.h"
#include <arch/uaccess.h>
#include "kernel/dev/tty.h"
#include "kernel/fs/poll.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/process.h"
#include "kernel/uapi/fcntl.h"

#define TTY_MAJOR 4
#define TTYS0_MINOR 64
#define TTYAUX_MAJOR 5
#define TTY_MINOR 0
#define CONSOLE_MINOR 1

static struct tty *const the_tty = &console_tty;

/* Is it the controlling terminal of the caller? */
static bool tty_is_mine(const struct tty *tty)
{
	struct process *p = current_process();

	return p->has_tty && READ_ONCE(tty->session) == p->sid;
}

/* A group is orphaned when no member's parent is in another group of the session: nobody could ever continue it. */
static bool group_orphaned(int pgid)
{
	struct process *p;
	bool orphaned = true;

	spin_lock(&process_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (p->pgid == pgid && p->state == PROCESS_ALIVE && p->parent && p->parent->pgid != pgid &&
		    p->parent->sid == p->sid)
			orphaned = false;
	spin_unlock(&process_lock);
	return orphaned;
}

/* The caller wants to use the terminal for something that only the foreground may do (@signo: SIGTTIN to read, SIGTTOU
 * to change or write).  0: go on; -EIO; -ERESTARTSYS: its group was sent @signo. */
static int tty_check_foreground(struct tty *tty, int signo)
{
	int pgid = current_process()->pgid, foreground = READ_ONCE(tty->pgrp);

	if (!tty_is_mine(tty) || foreground == 0 || foreground == pgid)
		return 0;
	if (signal_blocked_or_ignored(signo))
		return signo == SIGTTIN ? -EIO : 0;
	if (group_orphaned(pgid))
		return -EIO;
	signal_send_group(pgid, signo, NULL);
	return -ERESTARTSYS;
}

/* -- reading and writing ---------------------------------------------------------------------------------------------- */

static ssize_t tty_file_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	int err = tty_check_foreground(the_tty, SIGTTIN);

	return err ? err : tty_read(the_tty, user, n, f->flags & O_NONBLOCK);
}

static ssize_t tty_file_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	int err = 0;

	if (the_tty->termios.c_lflag & TOSTOP)
		err = tty_check_foreground(the_tty, SIGTTOU);
	return err ? err : tty_write(the_tty, user, n, f->flags & O_NONBLOCK);
}

static unsigned tty_file_poll(struct file *f, struct poll_table *pt)
{
	unsigned events = 0;

	poll_wait(pt, &the_tty->input);
	poll_wait(pt, &the_tty->output);
	if (tty_readable(the_tty))
		events |= POLLIN | POLLRDNORM;
	if (!READ_ONCE(the_tty->stopped))
		events |= POLLOUT | POLLWRNORM;
	return events;
}

static loff_t tty_file_llseek(struct file *f, loff_t off, int whence)
{
	return -ESPIPE;
}

/* -- sessions ------------------------------------------------------------------------------------------------------------ */

/* Give the terminal to the caller's session. @steal: even if another one has it. */
static long tty_acquire(struct tty *tty, bool steal)
{
	struct process *p = current_process();
	bool leader = p->pid == p->sid;
	long ret = 0;

	mutex_lock(&tty->lock);
	if (!leader || (tty->session != 0 && tty->session != p->sid && !steal)) {
		ret = -EPERM;
	} else if (!tty_is_mine(tty)) {
		tty->session = p->sid;
		tty->pgrp = p->pgid;
		p->has_tty = true;
	}
	mutex_unlock(&tty->lock);
	return ret;
}

static void session_forget_tty(int sid)
{
	struct process *p;

	spin_lock(&process_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (p->sid == sid)
			p->has_tty = false;
	spin_unlock(&process_lock);
}

void tty_disassociate(struct process *p)
{
	struct tty *tty = the_tty;
	int pgrp = 0;
	bool owner;

	mutex_lock(&tty->lock);
	owner = p->has_tty && p->pid == p->sid && tty->session == p->sid;
	if (owner) {
		pgrp = tty->pgrp;
		tty->session = tty->pgrp = 0;
	}
	p->has_tty = false;
	mutex_unlock(&tty->lock);
	if (!owner)
		return;
	session_forget_tty(p->sid);
	if (pgrp > 0) {
		signal_send_group(pgrp, SIGHUP, NULL);
		signal_send_group(pgrp, SIGCONT, NULL);
	}
}

/* Does the group exist, and is it of session @sid? 0, -ESRCH, -EPERM. */
static int group_check(int pgid, int sid)
{
	struct process *p;
	int ret = -ESRCH;

	spin_lock(&process_lock);
	list_for_each_entry(p, &process_list, all_link)
		if (p->pgid == pgid)
			ret = p->sid == sid ? 0 : -EPERM;
	spin_unlock(&process_lock);
	return ret;
}

static long tty_set_foreground(struct tty *tty, const int *user)
{
	int sid = current_process()->sid, pgid, err;

	err = tty_check_foreground(tty, SIGTTOU);
	if (err)
		return err;
	if (!tty_is_mine(tty))
		return -ENOTTY;
	if (get_user(pgid, user))
		return -EFAULT;
	if (pgid < 0)
		return -EINVAL;
	err = group_check(pgid, sid);
	if (!err)
		WRITE_ONCE(tty->pgrp, pgid);
	return err;
}

/* -- settings -------------------------------------------------------------------------------------------------------------- */

static long ioctl_set_termios(struct tty *tty, const void *user, bool flush)
{
	struct termios t;
	int err = tty_check_foreground(tty, SIGTTOU);

	if (err)
		return err;
	if (copy_from_user(&t, user, sizeof(t)))
		return -EFAULT;
	tty_set_termios(tty, &t, flush);
	return 0;
}

static long ioctl_get_termios(struct tty *tty, void *user)
{
	struct termios t;

	mutex_lock(&tty->lock);
	t = tty->termios;
	mutex_unlock(&tty->lock);
	return copy_to_user(user, &t, sizeof(t));
}

static long ioctl_get_winsize(struct tty *tty, void *user)
{
	struct winsize w;

	mutex_lock(&tty->lock);
	w = tty->winsize;
	mutex_unlock(&tty->lock);
	return copy_to_user(user, &w, sizeof(w));
}

static long ioctl_set_winsize(struct tty *tty, const void *user)
{
	struct winsize w, old;
	int pgrp;

	if (copy_from_user(&w, user, sizeof(w)))
		return -EFAULT;
	mutex_lock(&tty->lock);
	old = tty->winsize;
	tty->winsize = w;
	pgrp = tty->pgrp;
	mutex_unlock(&tty->lock);
	if ((old.ws_row != w.ws_row || old.ws_col != w.ws_col) && pgrp > 0)
		signal_send_group(pgrp, SIGWINCH, NULL);
	return 0;
}

static long ioctl_flush(struct tty *tty, unsigned long queue)
{
	int err = tty_check_foreground(tty, SIGTTOU);

	if (err)
		return err;
	if (queue > TCIOFLUSH)
		return -EINVAL;
	if (queue != TCOFLUSH) /* output is never held back, so there is none to flush */
		tty_flush_input(tty);
	return 0;
}

static long ioctl_type(struct tty *tty, const u8 *user)
{
	u8 c;

	if (get_user(c, user))
		return -EFAULT;
	tty_type(tty, c);
	return 0;
}

static long tty_job_ioctl(struct tty *tty, unsigned cmd, unsigned long arg)
{
	switch (cmd) {
	case TIOCSCTTY:
		return tty_acquire(tty, arg == 1);
	case TIOCNOTTY:
		if (!tty_is_mine(tty))
			return -ENOTTY;
		tty_disassociate(current_process());
		return 0;
	case TIOCGPGRP:
		return tty_is_mine(tty) ? put_user(READ_ONCE(tty->pgrp), (int *)arg) : -ENOTTY;
	case TIOCSPGRP:
		return tty_set_foreground(tty, (const int *)arg);
	case TIOCGSID:
		return tty_is_mine(tty) ? put_user(READ_ONCE(tty->session), (int *)arg) : -ENOTTY;
	default:
		return -ENOTTY;
	}
}

static long tty_file_ioctl(struct file *f, unsigned cmd, unsigned long arg)
{
	struct tty *tty = the_tty;

	switch (cmd) {
	case TCGETS:
		return ioctl_get_termios(tty, (void *)arg);
	case TCSETS:
	case TCSETSW:
		return ioctl_set_termios(tty, (const void *)arg, false);
	case TCSETSF:
		return ioctl_set_termios(tty, (const void *)arg, true);
	case TIOCGWINSZ:
		return ioctl_get_winsize(tty, (void *)arg);
	case TIOCSWINSZ:
		return ioctl_set_winsize(tty, (const void *)arg);
	case FIONREAD:
		return put_user((int)tty_readable_bytes(tty), (int *)arg);
	case TIOCOUTQ:
		return put_user(0, (int *)arg);
	case TCFLSH:
		return ioctl_flush(tty, arg);
	case TCSBRK:
	case TCSBRKP:
	case TIOCEXCL:
	case TIOCNXCL:
		return tty_check_foreground(tty, SIGTTOU);
	case TIOCSTI:
		return ioctl_type(tty, (const u8 *)arg);
	default:
		return tty_job_ioctl(tty, cmd, arg);
	}
}

/* -- the nodes ---------------------------------------------------------------------------------------------------------------- */

/* A session leader without a terminal that opens one gets it. */
static int ttys_open(struct inode *inode, struct file *f)
{
	struct process *p = current_process();

	if (!(f->flags & O_NOCTTY) && p && p->pid == p->sid && !tty_is_mine(the_tty))
		tty_acquire(the_tty, false);
	return 0;
}

/* /dev/tty: whatever the caller's terminal is. */
static int tty_open(struct inode *inode, struct file *f)
{
	return tty_is_mine(the_tty) ? 0 : -ENXIO;
}

#define TTY_OPS                                                                                     \
	.read = tty_file_read, .write = tty_file_write, .poll = tty_file_poll, .ioctl = tty_file_ioctl, \
	.llseek = tty_file_llseek, .no_mmap = true

static const struct file_ops console_file_ops = {TTY_OPS};
static const struct file_ops ttys_file_ops = {TTY_OPS, .open = ttys_open};
static const struct file_ops tty_file_ops = {TTY_OPS, .open = tty_open};

static void send_to_group(int pgrp, int signo)
{
	signal_send_group(pgrp, signo, NULL);
}

void tty_file_init(void)
{
	tty_signal = send_to_group;
	tty_init();
	dev_register("console", TTYAUX_MAJOR, CONSOLE_MINOR, 0600, &console_file_ops);
	dev_register("tty", TTYAUX_MAJOR, TTY_MINOR, 0666, &tty_file_ops);
	dev_register("ttyS0", TTY_MAJOR, TTYS0_MINOR, 0660, &ttys_file_ops);
}
