/*
 * text.c - numbers and bytes in packets.  Interface: text.h.
 */
#include "kernel/debug/text.h"

#include "kernel/debug/hex.h"
#include "kernel/lib/string.h"

bool read_char(struct reader *r, char c)
{
	if (r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return true;
}

bool read_word(struct reader *r, const char *word)
{
	size_t n = strlen(word);

	if (reader_left(r) < n || memcmp(r->p, word, n))
		return false;
	r->p += n;
	return true;
}

bool read_hex(struct reader *r, u64 *value)
{
	const char *start = r->p;

	*value = 0;
	for (; r->p < r->end && hex_value(*r->p) >= 0; r->p++) {
		if (*value >> 60)
			return false;
		*value = *value << 4 | (u64)hex_value(*r->p);
	}
	return r->p > start;
}

bool read_hex_byte(struct reader *r, u8 *byte)
{
	if (reader_left(r) < 2 || hex_value(r->p[0]) < 0 || hex_value(r->p[1]) < 0)
		return false;
	*byte = (u8)(hex_value(r->p[0]) << 4 | hex_value(r->p[1]));
	r->p += 2;
	return true;
}

bool read_thread(struct reader *r, s64 *id)
{
	u64 value;

	if (read_char(r, 'p') && (!(read_word(r, "-1") || read_hex(r, &value)) || !read_char(r, '.'))) {
		*id = -1; /* a process and no thread: all of it */
		return reader_left(r) == 0;
	}
	if (read_word(r, "-1")) {
		*id = -1;
		return true;
	}
	if (!read_hex(r, &value) || value > INT32_MAX)
		return false;
	*id = (s64)value;
	return true;
}

void write_char(struct writer *w, char c)
{
	if (w->p < w->end)
		*w->p++ = c;
	else
		w->full = true;
}

void write_text(struct writer *w, const char *s)
{
	while (*s)
		write_char(w, *s++);
}

void write_hex(struct writer *w, u64 value)
{
	write_format(w, "%llx", (unsigned long long)value);
}

void write_bytes(struct writer *w, const void *data, size_t n)
{
	for (const u8 *p = data; n > 0; p++, n--) {
		write_char(w, hex_digit(*p >> 4u));
		write_char(w, hex_digit(*p));
	}
}

void write_format(struct writer *w, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	va_start(ap, fmt);
	vscnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	write_text(w, text);
}
