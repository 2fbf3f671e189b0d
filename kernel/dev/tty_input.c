/*
 * tty_input.c - the line discipline: a typed byte becomes a signal, an edit or input, and is echoed.
 *
 * Layer 9 (kernel/dev).
 */
#include "kernel/dev/tty_line.h"

#define SIGNO_INT 2
#define SIGNO_QUIT 3
#define SIGNO_TSTP 20

void (*tty_signal)(int pgrp, int signo);

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
			tty_forget(tty);
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
