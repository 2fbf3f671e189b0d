/*
 * umk_run.c - a guest at work: random operations of its kernel and its programs, each judged by an oracle.
 *
 * The oracle knows nothing of tables or windows: for each context an array of what each page is, for each frame the
 * word that was stored last.
 */
#include "user/umk.h"

#include "user/kmem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LEAST_MAPPED 256u
#define MOST_MAPPED 900u /* of a context: four of them, their tables and aliases fit into the guest's RAM */
#define HOT 64u          /* pages of a context that get most of its accesses */

/* -- the oracle ----------------------------------------------------------------------------------------------------- */

struct known {
	uint16_t frame; /* 0: not mapped */
	uint8_t rights; /* GPTE_R, GPTE_W */
	uint8_t used;   /* GPTE_A, GPTE_D: what must be in the entry */
};

static struct known known[GUEST_CONTEXTS][GUEST_PAGES];
static uint32_t content[GUEST_FRAMES];
static uint16_t users[GUEST_FRAMES]; /* pages that a frame is mapped at */

/* Which pages of a context are mapped, in any order. */
static uint16_t mapped[GUEST_CONTEXTS][MOST_MAPPED], nmapped[GUEST_CONTEXTS], position[GUEST_CONTEXTS][GUEST_PAGES];

static uint32_t state, stamp;

static uint32_t rnd(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return (uint32_t)((uint64_t)state * below >> 32);
}

static void __attribute__((format(printf, 2, 3))) mismatch(struct umk_result *r, const char *fmt, ...)
{
	va_list ap;

	if (r->mismatches++)
		return;
	va_start(ap, fmt);
	vsnprintf(r->first, sizeof(r->first), fmt, ap);
	va_end(ap);
}

/* The word of a frame that programs use. */
static uint32_t cell(unsigned frame)
{
	return frame * 52u % GUEST_PAGE & ~3u;
}

static uint32_t *cell_in_ram(unsigned frame)
{
	return (uint32_t *)(ram + (size_t)frame * GUEST_PAGE + cell(frame));
}

/* Mostly what a program wants of its pages: what is forbidden costs a signal on every host, and is not the subject. */
static unsigned any_rights(void)
{
	unsigned what = rnd(32);

	return what == 0 ? 0 : what < 4 ? GPTE_R : GPTE_R | GPTE_W;
}

static unsigned any_context(void)
{
	return rnd(4) ? guest_current : rnd(GUEST_CONTEXTS);
}

static void learn(unsigned c, unsigned page, unsigned frame, unsigned rights)
{
	position[c][page] = nmapped[c];
	mapped[c][nmapped[c]++] = (uint16_t)page;
	known[c][page] = (struct known){(uint16_t)frame, (uint8_t)rights, 0};
	users[frame]++;
}

static void unlearn(unsigned c, unsigned page)
{
	uint16_t last = mapped[c][--nmapped[c]];
	unsigned frame = known[c][page].frame;

	mapped[c][position[c][page]] = last;
	position[c][last] = position[c][page];
	known[c][page].frame = 0;
	if (!--users[frame])
		guest_frame_free(frame);
}

/* The entry must be what the oracle thinks. */
static void judge_entry(struct umk_result *r, const char *when, unsigned c, unsigned page, gpte_t entry)
{
	const struct known *k = &known[c][page];
	gpte_t expected = k->frame ? (gpte_t)k->frame << GPTE_SHIFT | k->rights | k->used | GPTE_V : 0;

	if (entry != expected)
		mismatch(r, "%s of page %u in context %u: entry %08x, expected %08x", when, page, c, entry, expected);
}

/* -- operations ---------------------------------------------------------------------------------------------------------- */

static void do_unmap(struct umk_result *r, unsigned c, unsigned page)
{
	judge_entry(r, "unmap", c, page, guest_unmap(c, page));
	unlearn(c, page);
	r->unmaps++;
}

/* A new page; one time in eight it is an alias of what another has. */
static void do_map(struct umk_result *r, unsigned c)
{
	unsigned page = rnd(GUEST_PAGES), rights = any_rights(), other = any_context(), frame;

	if (known[c][page].frame)
		do_unmap(r, c, page);
	if (nmapped[other] && rnd(8) == 0)
		frame = known[other][mapped[other][rnd(nmapped[other])]].frame;
	else if ((frame = guest_frame()))
		*cell_in_ram(frame) = content[frame] = ++stamp;
	if (!frame || !guest_map(c, page, frame, rights)) {
		mismatch(r, "no frame is left");
		return;
	}
	learn(c, page, frame, rights);
	r->maps++;
}

static void map_or_unmap(struct umk_result *r)
{
	unsigned c = any_context();

	if (nmapped[c] < LEAST_MAPPED || (nmapped[c] < MOST_MAPPED && rnd(2)))
		do_map(r, c);
	else
		do_unmap(r, c, mapped[c][rnd(nmapped[c])]);
}

static void do_protect(struct umk_result *r)
{
	unsigned c = any_context(), page = mapped[c][rnd(nmapped[c])], rights = any_rights();

	judge_entry(r, "protect", c, page, guest_protect(c, page, rights));
	known[c][page].rights = (uint8_t)rights;
	r->protects++;
}

static void do_age(struct umk_result *r)
{
	unsigned c = any_context(), page = mapped[c][rnd(nmapped[c])];

	judge_entry(r, "age", c, page, guest_age(c, page));
	known[c][page].used = 0;
	r->ages++;
}

static void do_switch(struct umk_result *r)
{
	guest_switch((guest_current + 1 + rnd(GUEST_CONTEXTS - 1)) % GUEST_CONTEXTS);
	r->switches++;
}

static enum guest_fault expected_of(const struct known *k, bool write)
{
	if (!k->frame)
		return GUEST_NOT_MAPPED;
	return k->rights & (write ? GPTE_W : GPTE_R) ? GUEST_OK : GUEST_FORBIDDEN;
}

static void access_page(struct umk_result *r, unsigned page, bool write)
{
	struct known *k = &known[guest_current][page];
	enum guest_fault expected = expected_of(k, write), got;
	uint32_t at = page * GUEST_PAGE + cell(k->frame), value = stamp + 1;

	got = write ? guest_store(at, value) : guest_load(at, &value);
	r->accesses++;
	r->denied += expected != GUEST_OK;
	if (got != expected) {
		mismatch(r, "%s of page %u: %d, expected %d", write ? "store" : "load", page, got, expected);
	} else if (got == GUEST_OK) {
		k->used |= write ? GPTE_A | GPTE_D : GPTE_A;
		if (write)
			content[k->frame] = ++stamp;
		else if (value != content[k->frame])
			mismatch(r, "page %u shows %08x, expected %08x of frame %u", page, value, content[k->frame], k->frame);
	}
}

static void do_access(struct umk_result *r)
{
	const uint16_t *pages = mapped[guest_current];
	unsigned n = nmapped[guest_current], where = rnd(100), page;

	if (where < 75)
		page = pages[rnd(n < HOT ? n : HOT)];
	else if (where < 99)
		page = pages[rnd(n)];
	else
		page = rnd(GUEST_PAGES);
	access_page(r, page, rnd(5) < 2);
}

static void do_one(struct umk_result *r)
{
	unsigned what = rnd(1000);

	if (what < 800)
		do_access(r);
	else if (what < 930)
		map_or_unmap(r);
	else if (what < 980)
		do_protect(r);
	else if (what < 997)
		do_age(r);
	else
		do_switch(r);
}

/* -- a run ------------------------------------------------------------------------------------------------------------------- */

static void count_vmas(struct umk_result *r)
{
	unsigned n = window_vmas();

	if (!r->vmas_most || n < r->vmas_least)
		r->vmas_least = n;
	if (n > r->vmas_most)
		r->vmas_most = n;
}

/* Everything at rest: every entry of the guest's tables, every word of its RAM. */
static void judge_all(struct umk_result *r)
{
	for (unsigned c = 0; c < GUEST_CONTEXTS; c++)
		for (unsigned page = 0; page < GUEST_PAGES; page++)
			judge_entry(r, "audit", c, page, guest_entry(c, page));
	for (unsigned frame = 1; frame < GUEST_FRAMES; frame++)
		if (users[frame] && *cell_in_ram(frame) != content[frame])
			mismatch(r, "frame %u holds %08x, expected %08x", frame, *cell_in_ram(frame), content[frame]);
	if (mmu_error())
		mismatch(r, "%s", mmu_error());
}

bool umk_begin(const struct window_ops *ops, uint32_t seed)
{
	struct umk_result r = {0};

	state = seed ? seed : 1;
	stamp = 0;
	memset(known, 0, sizeof(known));
	memset(users, 0, sizeof(users));
	memset(nmapped, 0, sizeof(nmapped));
	if (!window_make() || !ops->available() || !mmu_start(ops) || !guest_boot())
		return false;
	for (unsigned c = 0; c < GUEST_CONTEXTS; c++)
		while (nmapped[c] < (LEAST_MAPPED + MOST_MAPPED) / 2)
			do_map(&r, c);
	return !r.mismatches;
}

void umk_operations(unsigned long n, struct umk_result *r)
{
	for (unsigned long i = 0; i < n; i++)
		do_one(r);
	r->ops += n;
}

void umk_end(struct umk_result *r)
{
	judge_all(r);
	mmu_stop();
	window_drop();
}

bool umk_run(const struct window_ops *ops, unsigned long n, uint32_t seed, struct umk_result *r)
{
	memset(r, 0, sizeof(*r));
	if (!umk_begin(ops, seed))
		return false;
	for (unsigned long done = 0, part; done < n; done += part) {
		part = n - done < n / 10 + 1 ? n - done : n / 10 + 1;
		umk_operations(part, r);
		count_vmas(r);
	}
	umk_end(r);
	return true;
}
