/*
 * tty.c - the console terminal: how its input is edited, echoed and read, and how its output is cooked.
 * Layer 9 (kernel/dev).
 *
 *   interrupt -> raw ring -> tty thread: signals, editing, echo -> ring -> read(2)
 *   write(2) -> ONLCR and kin -> console_write()
 *
 * The tty thread exists so that echo and signals happen where sleeping is allowed.
 * Lock order: tty->lock, and inside it only the console's and wait queues' locks; user memory and signals are
 * touched without it.
 */
#include "kernel/dev/tty.h"
#include <arch/uaccess.h>
#include <arch/upcall.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"

#define CELL_END 0x100 /* the last character of a line */
#define CELL_EOF 0x200 /* ends a line without being part of it (^D) */

#define SIGNO_INT 2
#define SIGNO_QUIT 3
#define SIGNO_TSTP 20

#define CTRL(c) ((c)&0x1f)
#define LINE_FIFO 16
#define NO_CHAR 0 /* a control character that is switched off */

static spinlock_t line_lock = SPINLOCK_INIT(LOCK_CONSOLE);

struct tty console_tty = {
	.lock = MUTEX_INIT(console_tty.lock, LOCK_TTY),
	.input = WAIT_QUEUE_INIT(console_tty.input),
	.output = WAIT_QUEUE_INIT(console_tty.output),
	.raw_wait = WAIT_QUEUE_INIT(console_tty.raw_wait),
	.termios =
		{
			.c_iflag = ICRNL | IXON | IUTF8,
			.c_oflag = OPOST | ONLCR,
			.c_cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL,
			.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
			.c_cc =
				{
					[VINTR] = CTRL('C'),
					[VQUIT] = 0x1c,
					[VERASE] = 0x7f,
					[VKILL] = CTRL('U'),
					[VEOF] = CTRL('D'),
					[VMIN] = 1,
					[VSTART] = CTRL('Q'),
					[VSTOP] = CTRL('S'),
					[VSUSP] = CTRL('Z'),
					[VREPRINT] = CTRL('R'),
					[VWERASE] = CTRL('W'),
					[VLNEXT] = CTRL('V'),
				},
		},
	.winsize = {.ws_row = 24, .ws_col = 80},
};

void (*tty_signal)(int pgrp, int signo);

static bool tty_has(const struct tty *tty, u32 lflag)
{
	return (tty->termios.c_lflag & lflag) != 0;
}

static bool tty_is(const struct tty *tty, u8 c, unsigned which)
{
	return tty->termios.c_cc[which] != NO_CHAR && tty->termios.c_cc[which] == c;
}

/* -- echo and erasing: tty->lock held ------------------------------------------------------------------------ */

/* Output to the line, a FIFO's worth at a time, so that interrupts are never off for long. */
static void line_write(const char *s, size_t n)
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

static void tty_put(struct tty *tty, const char *s)
{
	line_write(s, strlen(s));
}

static bool shown_as_ctrl(const struct tty *tty, u8 c)
{
	return tty_has(tty, ECHOCTL) && (c < 0x20 || c == 0x7f) && c != '\n' && c != '\t';
}

static void tty_echo(struct tty *tty, u8 c)
{
	char s[2] = {(char)c, 0};

	if (c == '\n' && (tty_has(tty, ECHO) || (tty_has(tty, ECHONL) && tty_has(tty, ICANON)))) {
		tty_put(tty, (tty->termios.c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR) ? "\r\n" : "\n");
	} else if (tty_has(tty, ECHO)) {
		if (shown_as_ctrl(tty, c)) {
			s[0] = (char)(c ^ 0x40);
			tty_put(tty, "^");
		}
		line_write(s, 1);
	}
}

static u16 *tty_cell(struct tty *tty, unsigned pos)
{
	return &tty->ring[pos % TTY_RING];
}

static bool utf8_continues(const struct tty *tty, u8 c)
{
	return (tty->termios.c_iflag & IUTF8) && (c & 0xc0) == 0x80;
}

/* Take back the last character of the line being edited: all its bytes. */
static void tty_erase_char(struct tty *tty)
{
	u8 c;

	do {
		c = (u8)*tty_cell(tty, --tty->head);
	} while (utf8_continues(tty, c) && tty->head != tty->canon);
	if (!tty_has(tty, ECHO))
		return;
	if (!tty_has(tty, ECHOE))
		tty_echo(tty, tty->termios.c_cc[VERASE]);
	else
		tty_put(tty, shown_as_ctrl(tty, c) ? "\b \b\b \b" : "\b \b");
}

static bool is_blank(u8 c)
{
	return c == ' ' || c == '\t';
}

static u8 tty_last(struct tty *tty)
{
	return (u8)*tty_cell(tty, tty->head - 1);
}

static void tty_erase_word(struct tty *tty)
{
	while (tty->head != tty->canon && is_blank(tty_last(tty)))
		tty_erase_char(tty);
	while (tty->head != tty->canon && !is_blank(tty_last(tty)))
		tty_erase_char(tty);
}

static void tty_kill_line(struct tty *tty)
{
	bool redraw = tty_has(tty, ECHOK) && !tty_has(tty, ECHOKE);

	while (tty->head != tty->canon) {
		if (redraw)
			tty->head--;
		else
			tty_erase_char(tty);
	}
	if (redraw) {
		tty_echo(tty, tty->termios.c_cc[VKILL]);
		tty_echo(tty, '\n');
	}
}

static void tty_reprint(struct tty *tty)
{
	tty_echo(tty, tty->termios.c_cc[VREPRINT]);
	tty_echo(tty, '\n');
	for (unsigned pos = tty->canon; pos != tty->head; pos++)
		tty_echo(tty, (u8)*tty_cell(tty, pos));
}

/* -- input ---------------------------------------------------------------------------------------------------- */

static void tty_flush_locked(struct tty *tty)
{
	tty->head = tty->tail = tty->canon = 0;
}

/* Append to the ring. A line must still be endable, so plain characters leave one place free. */
static void tty_append(struct tty *tty, u16 cell)
{
	unsigned used = tty->head - tty->tail;
	bool end = cell & (CELL_END | CELL_EOF);

	if (used >= TTY_RING - (end ? 0 : 1)) {
		tty_put(tty, "\a");
		return;
	}
	*tty_cell(tty, tty->head++) = cell;
	if (end || !tty_has(tty, ICANON)) {
		tty->canon = tty->head;
		wake_up_all(&tty->input);
	}
}

/* The signal that @c stands for, or 0. */
static int tty_signal_of(const struct tty *tty, u8 c)
{
	if (!tty_has(tty, ISIG))
		return 0;
	return tty_is(tty, c, VINTR)   ? SIGNO_INT
	       : tty_is(tty, c, VQUIT) ? SIGNO_QUIT
	       : tty_is(tty, c, VSUSP) ? SIGNO_TSTP
	                               : 0;
}

/* Editing characters of canonical mode. Returns whether @c was one. */
static bool tty_edit(struct tty *tty, u8 c)
{
	bool extended = tty_has(tty, IEXTEN);

	if (tty_is(tty, c, VERASE)) {
		if (tty->head != tty->canon)
			tty_erase_char(tty);
	} else if (tty_is(tty, c, VKILL)) {
		tty_kill_line(tty);
	} else if (extended && tty_is(tty, c, VWERASE)) {
		tty_erase_word(tty);
	} else if (extended && tty_is(tty, c, VREPRINT)) {
		tty_reprint(tty);
	} else if (tty_is(tty, c, VEOF)) {
		tty_append(tty, CELL_EOF);
	} else {
		return false;
	}
	return true;
}

/* ^S and ^Q. Returns whether @c was one of them. */
static bool tty_flow(struct tty *tty, u8 c)
{
	if (!(tty->termios.c_iflag & IXON) || !(tty_is(tty, c, VSTART) || tty_is(tty, c, VSTOP)))
		return false;
	tty->stopped = tty_is(tty, c, VSTOP);
	wake_up_all(&tty->output);
	return true;
}

static void tty_take(struct tty *tty, u8 c)
{
	bool end = c == '\n' || tty_is(tty, c, VEOL) || (tty_has(tty, IEXTEN) && tty_is(tty, c, VEOL2));

	tty_echo(tty, c);
	tty_append(tty, c | (tty_has(tty, ICANON) && end ? CELL_END : 0));
}

/* One byte through the line discipline. Returns the signal to send to the foreground, or 0. => lock held */
static int tty_input_locked(struct tty *tty, u8 c)
{
	u32 iflag = tty->termios.c_iflag;
	int signo;

	if (iflag & ISTRIP)
		c &= 0x7f;
	if (tty->literal) {
		tty->literal = false;
		tty_echo(tty, c);
		tty_append(tty, c);
		return 0;
	}
	if (tty_flow(tty, c))
		return 0;
	signo = tty_signal_of(tty, c);
	if (signo) {
		tty->stopped = false;
		tty_echo(tty, c);
		if (!tty_has(tty, NOFLSH))
			tty_flush_locked(tty);
		wake_up_all(&tty->output);
		return signo;
	}
	if (c == '\r' && (iflag & IGNCR))
		return 0;
	if (c == '\r' && (iflag & ICRNL))
		c = '\n';
	else if (c == '\n' && (iflag & INLCR))
		c = '\r';
	if (tty_has(tty, ICANON)) {
		if (tty_has(tty, IEXTEN) && tty_is(tty, c, VLNEXT)) {
			tty->literal = true;
			return 0;
		}
		if (tty_edit(tty, c))
			return 0;
	}
	tty_take(tty, c);
	return 0;
}

void tty_type(struct tty *tty, u8 c)
{
	int signo, pgrp;

	mutex_lock(&tty->lock);
	signo = tty_input_locked(tty, c);
	pgrp = tty->pgrp;
	mutex_unlock(&tty->lock);
	if (signo && pgrp > 0 && tty_signal)
		tty_signal(pgrp, signo);
}

void upcall_console_input(u8 byte)
{
	struct tty *tty = &console_tty;
	unsigned head = tty->raw_head;

	if (head - __atomic_load_n(&tty->raw_tail, __ATOMIC_ACQUIRE) == TTY_RAW)
		return; /* typed faster than we read: lost, as on any serial line */
	tty->raw[head % TTY_RAW] = byte;
	__atomic_store_n(&tty->raw_head, head + 1, __ATOMIC_RELEASE);
	wake_up_all(&tty->raw_wait);
}

/* The next byte that the interrupt left, or -1. */
static int tty_next_raw(struct tty *tty)
{
	unsigned tail = tty->raw_tail;
	u8 c;

	if (tail == __atomic_load_n(&tty->raw_head, __ATOMIC_ACQUIRE))
		return -1;
	c = tty->raw[tail % TTY_RAW];
	__atomic_store_n(&tty->raw_tail, tail + 1, __ATOMIC_RELEASE);
	return c;
}

static void tty_thread(void *arg)
{
	struct tty *tty = arg;
	int c;

	for (;;) {
		wait_event(&tty->raw_wait, READ_ONCE(tty->raw_head) != READ_ONCE(tty->raw_tail));
		while ((c = tty_next_raw(tty)) >= 0)
			tty_type(tty, (u8)c);
	}
}

void tty_init(void)
{
	thread_create_kernel("tty", tty_thread, &console_tty);
}

/* -- reading ---------------------------------------------------------------------------------------------------- */

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

/* -- writing ---------------------------------------------------------------------------------------------------- */

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
		line_write(out, len_out);
		printk_release();
		done += len;
		cond_resched();
	}
	return (ssize_t)done;
}

/* -- settings --------------------------------------------------------------------------------------------------- */

void tty_flush_input(struct tty *tty)
{
	mutex_lock(&tty->lock);
	tty_flush_locked(tty);
	mutex_unlock(&tty->lock);
}

void tty_set_termios(struct tty *tty, const struct termios *t, bool flush_input)
{
	bool mode_changes;

	mutex_lock(&tty->lock);
	mode_changes = (tty->termios.c_lflag ^ t->c_lflag) & ICANON;
	tty->termios = *t;
	if (flush_input)
		tty_flush_locked(tty);
	if (mode_changes)
		tty->canon = tty->head; /* what was typed under the other mode can be read under this one */
	tty->literal = false;
	if (!(t->c_iflag & IXON))
		tty->stopped = false;
	mutex_unlock(&tty->lock);
	wake_up_all(&tty->input);
	wake_up_all(&tty->output);
}
