/*
 * pin_witness.h - what others would have said: two verdicts on "is this page pinned?" that were proposed or are in use, beside
 * the exact one (debug builds).
 *
 * Layer 5b (mm/object).  Thread 1's own algorithm tells pins from mappings by counting entries; Linux's final rule tells them
 * from references by a large step.  Neither decides anything here; how often each would have been wrong is counted, and
 * /proc/pinstat shows it.
 */
#ifndef MM_OBJECT_PIN_WITNESS_H
#define MM_OBJECT_PIN_WITNESS_H

#include "mm/phys/page.h"

#define PIN_BIAS 1024 /* what a pin of a small page adds to Linux's reference count */

/* One page under judgement. => page locked */
struct pin_witness {
	struct page *page;
	int before;     /* mapcount and pins together, before the walk: what the proposal's mapcount would be */
	unsigned *zaps; /* entries emptied since; NULL: too many pages are being watched */
};

/* Before writeback's walk over the entries. */
void pin_witness_begin(struct pin_witness *w, struct page *page);
/* After it: @entries map the page. What the simplest form of the proposal says (one walk): pinned? */
bool pin_witness_end(struct pin_witness *w, unsigned entries);
/* An entry of @page that could be written through was emptied: where the proposal wants a special entry left. => PTL */
void pin_witness_zapped(const struct page *page);
/* A pin was counted. */
static inline void pin_witness_pinned(struct page *page)
{
	if (DEBUG && !page_test(page, PG_DMA_PINNED))
		page_set(page, PG_DMA_PINNED);
}

/* Each compared with the exact count at the same moment. */
struct pin_rule {
	unsigned long missed;  /* it would have said "not pinned" of a pinned page: data lost */
	unsigned long phantom; /* "pinned" of one that is not */
};
struct pin_witness_stat {
	unsigned long verdicts, pinned; /* pages judged, and found pinned */
	struct pin_rule one_walk;       /* mapcount after the walk - entries > 0 */
	struct pin_rule two_walks;      /* the refined form */
	unsigned long rewalks;          /* it had to walk again */
	unsigned long impossible;       /* fewer mappings before than entries found: its assertion would have fired */
	struct pin_rule bias;           /* references >= PIN_BIAS */
	unsigned long unwatched;        /* not looked at by the second */
};
extern struct pin_witness_stat pin_witness_stat;

#endif
