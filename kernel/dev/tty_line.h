/*
 * tty_line.h - what the terminal's own files share: the line of input being edited, and the way out.
 *
 * Layer 9 (kernel/dev), for tty*.c alone.  All with tty->lock held but where another is said.
 */
#ifndef KERNEL_DEV_TTY_LINE_H
#define KERNEL_DEV_TTY_LINE_H

#include "kernel/dev/tty.h"

/* Marks of a character in the ring. */
#define CELL_END 0x100 /* the last character of a line */
#define CELL_EOF 0x200 /* ends a line without being part of it (^D) */

#define NO_CHAR 0 /* a control character that is switched off */

static inline bool tty_has(const struct tty *tty, u32 lflag)
{
	return (tty->termios.c_lflag & lflag) != 0;
}

static inline bool tty_is(const struct tty *tty, u8 c, unsigned which)
{
	return tty->termios.c_cc[which] != NO_CHAR && tty->termios.c_cc[which] == c;
}

static inline u16 *tty_cell(struct tty *tty, unsigned pos)
{
	return &tty->ring[pos % TTY_RING];
}

/* Forget all input. */
static inline void tty_forget(struct tty *tty)
{
	tty->head = tty->tail = tty->canon = 0;
}

/* @n bytes to the line as they are. => any context, with or without tty->lock */
void tty_put(const char *s, size_t n);
/* Show @c as typed, as the settings have it. */
void tty_echo(struct tty *tty, u8 c);
/* Append to the ring, or ring the bell. A line must still be endable, so plain characters leave one place free. */
void tty_append(struct tty *tty, u16 cell);
/* Editing characters of canonical mode. Returns whether @c was one. */
bool tty_edit(struct tty *tty, u8 c);

#endif
