/*
 * tty.c - the console terminal: its state and settings, and the thread that takes in what is typed.
 * Layer 9 (kernel/dev).
 *
 *   interrupt -> raw ring -> tty thread: signals, editing, echo (tty_input.c, tty_edit.c) -> ring -> read(2) (tty_read.c)
 *   write(2) -> ONLCR and kin -> console_write() (tty_write.c)
 *
 * The tty thread exists so that echo and signals happen where sleeping is allowed.
 * Lock order: tty->lock, and inside it only the console's and wait queues' locks; user memory and signals are
 * touched without it.
 */
#include <arch/upcall.h>
#include "kernel/dev/tty_line.h"
#include "kernel/sched/thread.h"

#define CTRL(c) ((c)&0x1f)

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

/* -- what is typed ---------------------------------------------------------------------------------------------- */

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

/* -- settings --------------------------------------------------------------------------------------------------- */

void tty_flush_input(struct tty *tty)
{
	mutex_lock(&tty->lock);
	tty_forget(tty);
	mutex_unlock(&tty->lock);
}

void tty_set_termios(struct tty *tty, const struct termios *t, bool flush_input)
{
	bool mode_changes;

	mutex_lock(&tty->lock);
	mode_changes = (tty->termios.c_lflag ^ t->c_lflag) & ICANON;
	tty->termios = *t;
	if (flush_input)
		tty_forget(tty);
	if (mode_changes)
		tty->canon = tty->head; /* what was typed under the other mode can be read under this one */
	tty->literal = false;
	if (!(t->c_iflag & IXON))
		tty->stopped = false;
	mutex_unlock(&tty->lock);
	wake_up_all(&tty->input);
	wake_up_all(&tty->output);
}
