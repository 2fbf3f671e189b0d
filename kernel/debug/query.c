/*
 * query.c - packets that begin with q or Q, and why the machine stands.  Interface: internal.h.
 */
#include "kernel/debug/internal.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define SIGNAL_INT 2
#define SIGNAL_TRAP 5
#define SIGNAL_ABORT 6
#define SIGNAL_SEGV 11

/* -- why ------------------------------------------------------------------------------------------------------------ */
static unsigned stop_signal(void)
{
	if (session.panicking)
		return SIGNAL_ABORT;
	switch (session.stop.cause) {
	case DEBUG_ASKED:
		return SIGNAL_INT;
	case DEBUG_EXCEPTION:
		return SIGNAL_SEGV;
	default:
		return SIGNAL_TRAP;
	}
}

void stop_reply(struct writer *w)
{
	write_format(w, "T%02xthread:%x;core:%x;", stop_signal(), session.cpu + 1, session.cpu);
	switch (session.stop.cause) {
	case DEBUG_BREAKPOINT:
		write_text(w, "swbreak:;");
		break;
	case DEBUG_HARD_BREAK:
		write_text(w, "hwbreak:;");
		break;
	case DEBUG_WATCH:
		write_format(w, "%s:%lx;", session.stop.written ? "watch" : "awatch", session.stop.addr);
		break;
	default:
		break;
	}
}

/* -- threads ---------------------------------------------------------------------------------------------------------- */
static struct target listed; /* the last that was told */
static bool list_begun;

static void thread_list(struct writer *w, bool first)
{
	struct target t, last = listed;
	bool more = target_next(first ? NULL : &last, &t);

	if (!more || (!first && !list_begun)) {
		write_char(w, 'l');
		return;
	}
	list_begun = true;
	write_format(w, "m%x", t.id);
	listed = t;
	while (w->end - w->p > 64) {
		last = listed;
		if (!target_next(&last, &t))
			break;
		write_format(w, ",%x", t.id);
		listed = t;
	}
}

static void thread_extra(struct reader *r, struct writer *w)
{
	char name[64];
	struct writer text = writer_of(name, sizeof(name));
	struct target t;
	s64 id;

	if (!read_thread(r, &id) || !target_find(id, &t)) {
		write_error(w, EINVAL);
		return;
	}
	target_name(&t, &text);
	write_bytes(w, name, writer_length(&text));
}

/* -- documents: ANNEX:OFFSET,LENGTH ------------------------------------------------------------------------------------- */
static void document_piece(struct writer *w, const char *text, size_t length, u64 offset, u64 n)
{
	u64 room = (u64)(w->end - w->p) - 1;

	if (!text || offset > length) {
		write_error(w, EINVAL);
		return;
	}
	n = min(min(n, length - offset), room);
	write_char(w, offset + n < length ? 'm' : 'l');
	memcpy(w->p, text + offset, (size_t)n);
	w->p += n;
}

static bool read_piece(struct reader *r, u64 *offset, u64 *n)
{
	return read_hex(r, offset) && read_char(r, ',') && read_hex(r, n) && !reader_left(r);
}

static void transfer(struct reader *r, struct writer *w)
{
	bool target = read_word(r, "features:read:target.xml:");
	u64 offset, n;
	size_t length = 0;
	const char *text;

	if (!target && !read_word(r, "threads:read::"))
		return;
	if (!read_piece(r, &offset, &n)) {
		write_error(w, EINVAL);
		return;
	}
	text = target ? describe_target(&length) : describe_threads(&length, offset != 0);
	document_piece(w, text, length, offset, n);
}

/* -- monitor ------------------------------------------------------------------------------------------------------------- */
static void command(struct reader *r, struct writer *w)
{
	char line[128];
	size_t n = 0;
	u8 c;

	while (n + 1 < sizeof(line) && read_hex_byte(r, &c))
		line[n++] = (char)c;
	line[n] = '\0';
	if (reader_left(r)) {
		write_error(w, EINVAL);
		return;
	}
	monitor(line);
	write_text(w, "OK");
}

/* ------------------------------------------------------------------------------------------------------------------------ */
void query(struct reader *r, struct writer *w)
{
	if (read_word(r, "Supported"))
		write_format(
			w,
			"PacketSize=%x;qXfer:features:read+;qXfer:threads:read+;QStartNoAckMode+;swbreak+;hwbreak+;vContSupported+",
			PACKET_MAX);
	else if (read_word(r, "Xfer:"))
		transfer(r, w);
	else if (read_word(r, "fThreadInfo"))
		thread_list(w, true);
	else if (read_word(r, "sThreadInfo"))
		thread_list(w, false);
	else if (read_word(r, "ThreadExtraInfo,"))
		thread_extra(r, w);
	else if (read_word(r, "Rcmd,"))
		command(r, w);
	else if (read_word(r, "Attached"))
		write_char(w, '1');
	else if (read_word(r, "Symbol::"))
		write_text(w, "OK");
	else if (read_word(r, "C") && !reader_left(r))
		write_format(w, "QC%x", session.chosen.id);
}

void query_set(struct reader *r, struct writer *w)
{
	if (read_word(r, "StartNoAckMode"))
		write_text(w, "OK"); /* stub.c switches, when this has been acknowledged */
}
