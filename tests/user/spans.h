/*
 * spans.h - what the tests of huge pages share: aligned memory, and what it is mapped by.
 */
#ifndef TESTS_USER_SPANS_H
#define TESTS_USER_SPANS_H

#include "t2.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* The sum of a line's values over the ranges of smaps that overlap [p, p + size), in kB; of AnonHugePages. */
long smaps_kb(const volatile void *p, size_t size, const char *name);
long huge_kb(const volatile void *p, size_t size);

/* How much one huge page is: asked of the kernel by making one.  SKIPs if there are none. */
size_t span(void);
/* Memory for @n huge pages, aligned, in a mapping of its own; nothing is touched yet. @want: MADV_HUGEPAGE, else NOHUGEPAGE */
u8 *map_spans(size_t n, bool want);
/* One span's pages are tagged: page i with @seed + i. */
void span_fill(u8 *p, u64 seed);
void span_check(const u8 *p, u64 seed);
u8 *span_filled(u64 seed); /* a span of its own, as one huge page */

#endif
