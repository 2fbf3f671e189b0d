/*
 * tty_write.c - writing to the terminal: what is written is cooked, and goes out where no message is in the middle.
 *
 * Layer 9 (kernel/dev).  Lock order: line_lock (LOCK_CONSOLE) is the innermost.
 */
#include "kernel/dev/tty_line.h"

#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/sched/thread.h"

#define LINE_FIFO 16

static spinlock_t line_lock = SPINLOCK_INIT(LOCK_CONSOLE);

/* A FIFO's worth at a time, so that interrupts are never off for long. */
void tty_put(const char *s, size_t n)
{
	while (n > 0) {
		size_t len = min(n, (size_t)LINE_FIFO);
		unsigned long flags = spin_lock_irqsave(&line_lock);

		console_write(s, len);
		spin_unlock_irqrestore(&line_lock, flags);
		s += len;
		n -= len;
	}
}

/* Cook @n bytes (at most half of @out's size). Returns the new length. */
static size_t tty_cook(const struct tty *tty, char *out, const char *in, size_t n)
{
	u32 oflag = tty->termios.c_oflag;
	size_t len = 0;

	for (size_t i = 0; i < n; i++) {
		char c = in[i];

		if ((oflag & OPOST) && c == '\n' && (oflag & ONLCR))
			out[len++] = '\r';
		else if ((oflag & OPOST) && c == '\r' && (oflag & OCRNL))
			c = '\n';
		out[len++] = c;
	}
	return len;
}

static int tty_wait_output(struct tty *tty)
{
	return wait_restart(wait_event_interruptible(&tty->output, !READ_ONCE(tty->stopped)));
}

ssize_t tty_write(struct tty *tty, const void *user, size_t n, bool nonblock)
{
	char in[128], out[2 * sizeof(in)];
	size_t done = 0, len_out;

	while (done < n) {
		size_t len = min(n - done, sizeof(in));
		int err = 0;

		if (READ_ONCE(tty->stopped))
			err = nonblock ? -EAGAIN : tty_wait_output(tty);
		if (!err)
			err = copy_from_user(in, (const char *)user + done, len);
		if (err)
			return done ? (ssize_t)done : err;
		len_out = tty_cook(tty, out, in, len);
		while (!printk_hold()) /* no message in the middle of a line */
			cpu_relax();
		tty_put(out, len_out);
		printk_release();
		done += len;
		cond_resched();
	}
	return (ssize_t)done;
}
