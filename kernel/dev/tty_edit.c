/*
 * tty_edit.c - how a line of input is edited and echoed.
 *
 * Layer 9 (kernel/dev).  All with tty->lock held.
 */
#include "kernel/dev/tty_line.h"
#include "kernel/lib/string.h"

static void say(const char *s)
{
	tty_put(s, strlen(s));
}

static bool shown_as_ctrl(const struct tty *tty, u8 c)
{
	return tty_has(tty, ECHOCTL) && (c < 0x20 || c == 0x7f) && c != '\n' && c != '\t';
}

void tty_echo(struct tty *tty, u8 c)
{
	char s[2] = {(char)c, 0};

	if (c == '\n' && (tty_has(tty, ECHO) || (tty_has(tty, ECHONL) && tty_has(tty, ICANON)))) {
		say((tty->termios.c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR) ? "\r\n" : "\n");
	} else if (tty_has(tty, ECHO)) {
		if (shown_as_ctrl(tty, c)) {
			s[0] = (char)(c ^ 0x40);
			say("^");
		}
		tty_put(s, 1);
	}
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
		say(shown_as_ctrl(tty, c) ? "\b \b\b \b" : "\b \b");
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

void tty_append(struct tty *tty, u16 cell)
{
	unsigned used = tty->head - tty->tail;
	bool end = cell & (CELL_END | CELL_EOF);

	if (used >= TTY_RING - (end ? 0 : 1)) {
		say("\a");
		return;
	}
	*tty_cell(tty, tty->head++) = cell;
	if (end || !tty_has(tty, ICANON)) {
		tty->canon = tty->head;
		wake_up_all(&tty->input);
	}
}

bool tty_edit(struct tty *tty, u8 c)
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
