/*
 * test_gdb_packet.c - frames of gdb's protocol on a line that loses and garbles, and the numbers in packets.
 *
 * links: kernel/debug/packet.c kernel/debug/text.c
 */
#include "kernel/debug/packet.h"
#include "kernel/debug/text.h"
#include "kernel/lib/string.h"
#include "tests/unit/test.h"

int vscnprintf(char *buf, size_t size, const char *fmt, va_list ap)
{
	int n = vsnprintf(buf, size, fmt, ap);

	return n < (int)size ? n : (int)size - 1;
}

static char coming[20000], went[70000];
static size_t coming_n, coming_at, went_n;

static int line_get(void)
{
	return coming_at < coming_n ? (u8)coming[coming_at++] : -1;
}

static void line_put(u8 byte)
{
	if (went_n < sizeof(went) - 1)
		went[went_n++] = (char)byte;
}

static struct packet_link link_of(const char *bytes, size_t n)
{
	memcpy(coming, bytes, n);
	coming_n = n;
	coming_at = went_n = 0;
	memset(went, 0, sizeof(went));
	return (struct packet_link){.get = line_get, .put = line_put};
}

#define LINK(bytes) link_of(bytes, sizeof(bytes) - 1)

static char buf[PACKET_MAX + 1];

static void good(void)
{
	struct packet_link l = LINK("$g#67");

	CHECK(packet_receive(&l, buf, sizeof(buf)) == 1 && !strcmp(buf, "g") && !strcmp(went, "+"));
	CHECK(packet_receive(&l, buf, sizeof(buf)) == PACKET_GONE);
	l = LINK("+++junk-$#00");
	CHECK(packet_receive(&l, buf, sizeof(buf)) == 0 && !*buf && !strcmp(went, "+"));
	l = LINK("$m0,4#FD");
	CHECK(packet_receive(&l, buf, sizeof(buf)) == 4);
}

static void garbled(void)
{
	struct packet_link l = LINK("$g#68$g#6x$g#67");

	CHECK(packet_receive(&l, buf, sizeof(buf)) == 1 && !strcmp(went, "--+"));
	l = LINK("$half$g#67");
	CHECK(packet_receive(&l, buf, sizeof(buf)) == 1 && !strcmp(buf, "g") && !strcmp(went, "+"));
	l = LINK("$g#68$g#67");
	l.no_ack = true;
	CHECK(packet_receive(&l, buf, sizeof(buf)) == 1 && !strcmp(went, ""));
	l = LINK("$g#6");
	CHECK(packet_receive(&l, buf, sizeof(buf)) == PACKET_GONE);
}

static void interrupt(void)
{
	struct packet_link l = LINK("+\x03$g#67");

	CHECK(packet_receive(&l, buf, sizeof(buf)) == PACKET_INTERRUPT);
	CHECK(packet_receive(&l, buf, sizeof(buf)) == 1);
	l = LINK("$a\x03#64"); /* within a packet it is a byte */
	CHECK(packet_receive(&l, buf, sizeof(buf)) == 2);
}

static void escapes(void)
{
	struct packet_link l = LINK("$X}\x03}]#b2");

	CHECK(packet_receive(&l, buf, sizeof(buf)) == 3 && !memcmp(buf, "X#}", 3));
	l = LINK("+");
	packet_send(&l, "a#}$*b", 6);
	CHECK(strstr(went, "$a}\x03}]}\x04}\nb#") == went);
}

/* One byte too long is empty; the longest is not. */
static void length(void)
{
	static char text[PACKET_MAX + 8];
	struct packet_link l;

	for (int over = 0; over < 2; over++) {
		size_t n = PACKET_MAX + (size_t)over;
		unsigned sum = 0;

		text[0] = '$';
		for (size_t i = 1; i <= n; i++)
			sum += (u8)(text[i] = 'a');
		sprintf(text + n + 1, "#%02x", sum & 255);
		l = link_of(text, n + 4);
		CHECK(packet_receive(&l, buf, sizeof(buf)) == (over ? 0 : PACKET_MAX) && !strcmp(went, "+"));
	}
}

static unsigned frames(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < went_n; i++)
		n += went[i] == '$';
	return n;
}

static void answers(void)
{
	struct packet_link l = LINK("--+");

	packet_send(&l, "OK", 2);
	CHECK(frames() == 3 && !strcmp(went, "$OK#9a$OK#9a$OK#9a"));
	l = LINK("----------------------");
	packet_send(&l, "OK", 2);
	CHECK(frames() == 8); /* it gives up */
	l = LINK("$g#67");    /* the answer was lost, the next packet is here */
	packet_send(&l, "OK", 2);
	CHECK(frames() == 1 && packet_receive(&l, buf, sizeof(buf)) == 1 && !strcmp(buf, "g"));
	l = LINK("");
	packet_send(&l, "OK", 2);
	CHECK(frames() == 1);
	l.no_ack = true;
	packet_send(&l, "OK", 2);
	CHECK(frames() == 2);
}

/* Whatever is sent arrives, through a line that garbles a byte now and then. */
static void round_trips(void)
{
	for (unsigned i = 0; i < 2000; i++) {
		char data[200];
		size_t n = test_random() % sizeof(data);
		struct packet_link l = LINK("+");

		for (size_t k = 0; k < n; k++)
			data[k] = test_random() % 3 ? "$#}*\x03+-"[test_random() % 7] : (char)test_random();
		packet_send(&l, data, n);
		l = link_of(went, went_n);
		CHECK(packet_receive(&l, buf, sizeof(buf)) == (int)n && !memcmp(buf, data, n));
	}
}

static void random_bytes(void)
{
	for (unsigned i = 0; i < 5000; i++) {
		char small[16];
		struct packet_link l;

		coming_n = test_random() % 300;
		for (size_t k = 0; k < coming_n; k++)
			went[k] = test_random() % 2 ? "$#}+-\x03"
			                              "0a"[test_random() % 8]
			                            : (char)test_random();
		l = link_of(went, coming_n);
		for (int n; (n = packet_receive(&l, small, sizeof(small))) != PACKET_GONE;)
			CHECK(n < (int)sizeof(small) && (n < 0 || !small[n]));
	}
}

static struct reader reader_of(const char *s)
{
	return (struct reader){s, s + strlen(s)};
}

static void numbers(void)
{
	struct reader r = reader_of("1f,ffffffffffffffff:10000000000000000");
	u64 v;
	s64 id;
	u8 byte;

	CHECK(read_hex(&r, &v) && v == 0x1f && read_char(&r, ',') && !read_char(&r, ','));
	CHECK(read_hex(&r, &v) && v == ~0ULL && read_word(&r, ":1000") && !read_hex(&(struct reader){r.p, r.p}, &v));
	r = reader_of("10000000000000000");
	CHECK(!read_hex(&r, &v));
	r = reader_of("g");
	CHECK(!read_hex(&r, &v) && !read_hex_byte(&r, &byte));
	r = reader_of("4g");
	CHECK(!read_hex_byte(&r, &byte) && reader_left(&r) == 2);
	for (unsigned i = 0; i < 4; i++) {
		static const char *const texts[] = {"-1", "p1.-1", "p1", "p1.1f"};

		r = reader_of(texts[i]);
		CHECK(read_thread(&r, &id) && id == (i == 3 ? 0x1f : -1) && !reader_left(&r));
	}
	for (unsigned i = 0; i < 4; i++) {
		static const char *const texts[] = {"", "x", "80000000", "p.1"};

		r = reader_of(texts[i]);
		CHECK(!read_thread(&r, &id) || id < 0);
	}
}

static void writing(void)
{
	char small[8];
	struct writer w = writer_of(small, sizeof(small));

	write_bytes(&w, "\x01\xfe", 2);
	write_hex(&w, 0xabc);
	CHECK(writer_length(&w) == 7 && !memcmp(small, "01feabc", 7) && !w.full);
	write_text(&w, "de");
	CHECK(w.full && writer_length(&w) == 8 && small[7] == 'd');
}

int main(void)
{
	RUN(good);
	RUN(garbled);
	RUN(interrupt);
	RUN(escapes);
	RUN(length);
	RUN(answers);
	RUN(round_trips);
	RUN(random_bytes);
	RUN(numbers);
	RUN(writing);
	return test_end();
}
