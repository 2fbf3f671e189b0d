/*
 * pin_witness.c - thread 1's verdict from mapcounts, and Linux's from reference counts, beside the exact one.
 *
 * Layer 5b (mm/object).  Interface: pin_witness.h.  No locks: counters; the page lock keeps a page from being watched twice.
 *
 * The proposal adds pins to the mapcount, so m = mapcount + pins.  Writeback walks over all entries and counts rc of them:
 *
 *   one walk      m after - rc > 0: pinned
 *   two walks     a page that was never pinned since it was last found unpinned is not looked at (its flag)
 *                 m before == rc          not pinned
 *                 m before <  rc          "illegal": an assertion
 *                 m after  >  rc          pinned for sure
 *                 else an entry was emptied meanwhile: walk again, rc2 special entries are found: m after <= rc + rc2: not
 *                 pinned
 *
 * A special entry is what emptying a *writable* entry leaves, and what the first walk takes away.  Here no entry is left: who
 * empties one tells us, which is the same as long as the page is watched.  The races that make both wrong need no fast
 * pin: a mapping that appears or goes while we look is enough, for only who stores takes the page lock (docs/pins.md).
 */
#include "mm/object/pin_witness.h"

#include "kernel/lib/atomic.h"
#include "kernel/lib/hash.h"

#define WATCHED_BITS 4

struct watched {
	const struct page *page; /* NULL: free; atomic */
	unsigned zaps;           /* atomic */
};

static struct watched watched[1 << WATCHED_BITS];
struct pin_witness_stat pin_witness_stat;

static void count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static struct watched *slot_of(const struct page *page)
{
	return &watched[hash_ptr(page, WATCHED_BITS)];
}

/* The proposal's mapcount. */
static int joint_mapcount(const struct page *page)
{
	return READ_ONCE(page->mapcount) + READ_ONCE(page->pins_w) + READ_ONCE(page->pins_r);
}

void pin_witness_begin(struct pin_witness *w, struct page *page)
{
	struct watched *slot = slot_of(page);
	const struct page *nobody = NULL;

	*w = (struct pin_witness){.page = page};
	if (__atomic_compare_exchange_n(&slot->page, &nobody, page, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		__atomic_store_n(&slot->zaps, 0, __ATOMIC_SEQ_CST);
		w->zaps = &slot->zaps;
	}
	w->before = joint_mapcount(page);
}

void pin_witness_zapped(const struct page *page)
{
	struct watched *slot = slot_of(page);

	if (unlikely(__atomic_load_n(&slot->page, __ATOMIC_RELAXED) == page))
		__atomic_fetch_add(&slot->zaps, 1, __ATOMIC_SEQ_CST);
}

static void compare(struct pin_rule *rule, bool says, bool is)
{
	if (is && !says)
		count(&rule->missed);
	if (says && !is)
		count(&rule->phantom);
}

static bool two_walks(const struct pin_witness *w, int after, int rc)
{
	if (!page_test(w->page, PG_DMA_PINNED) || w->before == rc)
		return false;
	if (w->before < rc) {
		count(&pin_witness_stat.impossible);
		return false;
	}
	if (after > rc)
		return true;
	count(&pin_witness_stat.rewalks);
	return after > rc + (int)__atomic_load_n(w->zaps, __ATOMIC_SEQ_CST);
}

static bool biased(const struct page *page)
{
	int pins = READ_ONCE(page->pins_w) + READ_ONCE(page->pins_r);

	return READ_ONCE(page->refs) + pins * (PIN_BIAS - 1) >= PIN_BIAS; /* each pin holds a reference already */
}

bool pin_witness_end(struct pin_witness *w, unsigned entries)
{
	int after = joint_mapcount(w->page), rc = (int)entries;
	bool pinned = page_pinned(w->page), one_walk = after > rc, says;

	count(&pin_witness_stat.verdicts);
	if (pinned)
		count(&pin_witness_stat.pinned);
	compare(&pin_witness_stat.one_walk, one_walk, pinned);
	compare(&pin_witness_stat.bias, biased(w->page), pinned);
	if (w->zaps) {
		says = two_walks(w, after, rc);
		compare(&pin_witness_stat.two_walks, says, pinned);
		if (!pinned)
			page_clear(w->page, PG_DMA_PINNED);
		__atomic_store_n(&slot_of(w->page)->page, NULL, __ATOMIC_SEQ_CST);
	} else {
		count(&pin_witness_stat.unwatched);
	}
	return one_walk;
}
