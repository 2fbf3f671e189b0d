/*
 * packet.c - framing, checksums, acknowledgements.  Interface: packet.h.
 */
#include "kernel/debug/packet.h"

#include "kernel/debug/hex.h"

#define CTRL_C 0x03
#define ESCAPE '}'
#define ESCAPE_XOR 0x20
#define SENDS_MAX 8

static int next(struct packet_link *link)
{
	int c = link->pushed;

	link->pushed = 0;
	return c ? c : link->get();
}

/* -- receiving ---------------------------------------------------------------------------------------------------- */
/* Up to a '$': 0, or why there will be none. */
static int find_start(struct packet_link *link)
{
	int c;

	do {
		c = next(link);
		if (c < 0)
			return PACKET_GONE;
		if (c == CTRL_C)
			return PACKET_INTERRUPT;
	} while (c != '$');
	return 0;
}

/* What lies between '$' and '#', a '$' on the way beginning anew. */
struct body {
	size_t n;
	u8 sum;
	bool escaped, too_long;
};

static void body_add(struct body *b, char *buf, size_t size, int c)
{
	b->sum = (u8)(b->sum + c);
	if (!b->escaped && c == ESCAPE) {
		b->escaped = true;
		return;
	}
	if (b->n + 1 < size)
		buf[b->n++] = (char)(b->escaped ? c ^ ESCAPE_XOR : c);
	else
		b->too_long = true;
	b->escaped = false;
}

static int read_body(struct packet_link *link, char *buf, size_t size, struct body *b)
{
	int c;

	*b = (struct body){.n = 0};
	while ((c = next(link)) != '#') {
		if (c < 0)
			return PACKET_GONE;
		if (c == '$')
			*b = (struct body){.n = 0};
		else
			body_add(b, buf, size, c);
	}
	return 0;
}

/* The two digits behind '#'. */
static bool sum_is(struct packet_link *link, u8 sum)
{
	int high = hex_value(next(link)), low = hex_value(next(link));

	return high >= 0 && low >= 0 && (high << 4 | low) == sum;
}

int packet_receive(struct packet_link *link, char *buf, size_t size)
{
	for (;;) {
		struct body b;
		int why = find_start(link) ?: read_body(link, buf, size, &b);
		bool good;

		if (why)
			return why;
		good = sum_is(link, b.sum);
		if (!link->no_ack)
			link->put(good ? '+' : '-');
		if (!good)
			continue;
		if (b.too_long)
			b.n = 0;
		buf[b.n] = '\0';
		return (int)b.n;
	}
}

/* -- sending ------------------------------------------------------------------------------------------------------ */
static bool must_escape(char c)
{
	return c == '$' || c == '#' || c == ESCAPE || c == '*';
}

static void put_frame(struct packet_link *link, const char *data, size_t n)
{
	u8 sum = 0;

	link->put('$');
	for (size_t i = 0; i < n; i++) {
		u8 c = (u8)data[i];

		if (must_escape((char)c)) {
			link->put(ESCAPE);
			sum += ESCAPE;
			c ^= ESCAPE_XOR;
		}
		link->put(c);
		sum += c;
	}
	link->put('#');
	link->put((u8)hex_digit(sum >> 4));
	link->put((u8)hex_digit(sum));
}

/* Was it received? A new packet instead of an answer means that the answer was lost. */
static bool acknowledged(struct packet_link *link)
{
	for (;;) {
		int c = next(link);

		if (c == '$')
			link->pushed = c;
		if (c == '+' || c == '$' || c < 0)
			return true;
		if (c == '-')
			return false;
	}
}

void packet_send(struct packet_link *link, const char *data, size_t n)
{
	for (unsigned i = 0; i < SENDS_MAX; i++) {
		put_frame(link, data, n);
		if (link->no_ack || acknowledged(link))
			return;
	}
}
