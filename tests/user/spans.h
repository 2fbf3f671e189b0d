/*
 * spans.h - what the tests of huge pages share: aligned memory, and what it is mapped by.
 */
#ifndef TESTS_USER_SPANS_H
#define TESTS_USER_SPANS_H

#include "t2.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* AnonHugePages of the ranges that overlap [p, p + size), in kB. */
long huge_kb(const volatile void *p, size_t size);

/* How much one huge page is: asked of the kernel by making one.  SKIPs if there are none. */
size_t span(void);
/* Memory for @n huge pages, aligned, in a mapping of its own; nothing is touched yet. @want: MADV_HUGEPAGE, else NOHUGEPAGE */
u8 *map_spans(size_t n, bool want);
/* One span's pages are tagged: page i with @seed + i. */
void span_fill(u8 *p, u64 seed);
void span_check(const u8 *p, u64 seed);
u8 *span_filled(u64 seed); /* a span of its own, as one huge page */

/* A huge page that UFFDIO_MOVE is going to move. */
struct moving {
	int fd, mm; /* mm: -1: no /dev/mm */
	size_t size, pages;
	u8 *dst, *src;
};
/* A huge page whose pages are tagged from 1 on, and @n registered spans where nothing is. */
void moving_begin(struct moving *m, size_t n);
int moving_span(const struct moving *m, u8 *to, u8 *from, u64 mode); /* 0 or errno, and demands the fitting .move */
bool moving_whole(const struct moving *m, const u8 *p);              /* is it one huge page? */
u64 moving_frame(const struct moving *m, const u8 *p);               /* 0: nobody knows */
void moving_audit(const struct moving *m, const char *when);

#endif
