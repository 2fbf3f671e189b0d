/*
 * text.h - reading and writing what packets say.  Layer 9 (kernel/debug).
 * A reader never goes past the end; a writer that is full stays so, and what it has is not complete.
 */
#ifndef KERNEL_DEBUG_TEXT_H
#define KERNEL_DEBUG_TEXT_H

#include "kernel/lib/types.h"

struct reader {
	const char *p, *end;
};

bool read_char(struct reader *r, char c);           /* it is next: skipped */
bool read_word(struct reader *r, const char *word); /* the same */
bool read_hex(struct reader *r, u64 *value);        /* at least one digit, and 64 bits hold it */
bool read_hex_byte(struct reader *r, u8 *byte);     /* exactly two */
/* "-1" or hexadecimal; a process id in front (p1.2) is skipped. -1: all */
bool read_thread(struct reader *r, s64 *id);

static inline size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->p);
}

struct writer {
	char *start, *p, *end;
	bool full;
};

static inline struct writer writer_of(char *buf, size_t size)
{
	return (struct writer){.start = buf, .p = buf, .end = buf + size};
}

static inline size_t writer_length(const struct writer *w)
{
	return (size_t)(w->p - w->start);
}

void write_char(struct writer *w, char c);
void write_text(struct writer *w, const char *s);
void write_hex(struct writer *w, u64 value);
void write_bytes(struct writer *w, const void *data, size_t n); /* two digits each */
__printf(2, 3) void write_format(struct writer *w, const char *fmt, ...);

#endif
