/*
 * tty_read.c - reading from the terminal: how much a read waits for, and what it gets.
 *
 * Layer 9 (kernel/dev).  User memory is touched without tty->lock.
 */
#include "kernel/dev/tty_line.h"

#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/sched/timer.h"

static unsigned tty_available(const struct tty *tty)
{
	return tty->canon - tty->tail;
}

/* How many bytes a read of @n must see before it returns; more than there is means: wait. */
static unsigned tty_wanted(const struct tty *tty, size_t n)
{
	unsigned vmin = tty->termios.c_cc[VMIN];

	if (tty_has(tty, ICANON))
		return 1;
	return (unsigned)min((size_t)vmin, n);
}

bool tty_readable(struct tty *tty)
{
	bool raw_timed = !tty_has(tty, ICANON) && tty->termios.c_cc[VTIME] == 0;

	return tty_available(tty) >= (raw_timed ? max(1u, (unsigned)tty->termios.c_cc[VMIN]) : 1u);
}

unsigned tty_readable_bytes(struct tty *tty)
{
	unsigned n;

	mutex_lock(&tty->lock);
	n = tty_available(tty);
	if (n > 0 && (*tty_cell(tty, tty->canon - 1) & CELL_EOF))
		n--;
	mutex_unlock(&tty->lock);
	return n;
}

/* Up to @n readable bytes into @buf, in canonical mode at most one line. Sets *@end when the read is complete
 * whatever room is left. => lock held */
static size_t tty_take_input(struct tty *tty, char *buf, size_t n, bool *end)
{
	size_t got = 0;

	while (got < n && tty->tail != tty->canon && !*end) {
		u16 cell = *tty_cell(tty, tty->tail++);

		if (!(cell & CELL_EOF))
			buf[got++] = (char)cell;
		*end = tty_has(tty, ICANON) && (cell & (CELL_END | CELL_EOF));
	}
	/* A line that fills the buffer exactly: its ^D must not look like an end of file to the next read. */
	if (got > 0 && !*end && tty_has(tty, ICANON) && tty->tail != tty->canon && (*tty_cell(tty, tty->tail) & CELL_EOF)) {
		tty->tail++;
		*end = true;
	}
	return got;
}

static bool tty_enough(struct tty *tty, size_t n)
{
	return tty_available(tty) >= max(tty_wanted(tty, n), 1u);
}

/* Sleep until a read of @n bytes can go on. 1: yes; 0: the time given by VTIME is over; -EAGAIN, -EINTR. */
static int tty_wait_input(struct tty *tty, size_t n, bool nonblock)
{
	u64 timeout = (u64)tty->termios.c_cc[VTIME] * 100000000;
	unsigned vmin = tty->termios.c_cc[VMIN];
	int err;

	if (tty_has(tty, ICANON)) {
		if (tty_available(tty) > 0)
			return 1;
		return nonblock ? -EAGAIN : wait_event_interruptible(&tty->input, tty_available(tty) > 0) ?: 1;
	}
	if (tty_enough(tty, n) || (vmin == 0 && timeout == 0))
		return tty_available(tty) > 0;
	if (nonblock)
		return tty_available(tty) > 0 ? 1 : -EAGAIN;
	if (vmin == 0)
		return (int)wait_event_interruptible_timeout(&tty->input, tty_available(tty) > 0, timeout);
	err = wait_event_interruptible(&tty->input, timeout ? tty_available(tty) > 0 : tty_enough(tty, n));
	while (!err && timeout && !tty_enough(tty, n)) {
		unsigned before = tty_available(tty);
		long left = wait_event_interruptible_timeout(&tty->input, tty_available(tty) != before, timeout);

		if (left <= 0)
			return left < 0 ? (int)left : 1; /* the pause between two characters was too long: take these */
	}
	return err ?: 1;
}

ssize_t tty_read(struct tty *tty, void *user, size_t n, bool nonblock)
{
	char buf[256];
	size_t done = 0;
	bool end = false;

	while (done < n && !end) {
		size_t got;

		if (done == 0) {
			int ready = tty_wait_input(tty, n, nonblock);

			if (ready <= 0)
				return wait_restart(ready);
		}
		mutex_lock(&tty->lock);
		got = tty_take_input(tty, buf, min(n - done, sizeof(buf)), &end);
		mutex_unlock(&tty->lock);
		if (copy_to_user((char *)user + done, buf, got))
			return done ? (ssize_t)done : -EFAULT;
		done += got;
		if (got == 0 && (end || done > 0))
			break;
	}
	return (ssize_t)done;
}
