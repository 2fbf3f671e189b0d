/*
 * pt_test.h - for tests of mm/pgtable: addresses where something happens, whatever the geometry; and which tables there
 * ought to be, as a plain list.
 */
#ifndef TESTS_UNIT_PT_TEST_H
#define TESTS_UNIT_PT_TEST_H

#include "mm/pgtable/gather.h"
#include "mm/pgtable/pgtable.h"
#include "mm/pgtable/table.h"
#include "tests/unit/sim_space.h"

/* The border of two entries of the root, near the middle. */
#define PT_MIDDLE ALIGN_DOWN((vaddr_t)USER_END / 2, pt_span(PT_LEVELS - 1))

/* -- addresses -------------------------------------------------------------------------------------------------------- */

/* A page near the border of two entries of some level, or near the end of user space. */
static __unused vaddr_t pt_random_page(void)
{
	unsigned level = (unsigned)sim_below(PT_LEVELS);
	vaddr_t borders = USER_END / pt_span(level), va;

	if (level && borders > 6)
		borders = 6;
	va = sim_below(4) ? sim_below(borders + 1) * pt_span(level) : USER_END;
	va += (sim_below(9) - 4) * PAGE_SIZE;
	return va < USER_END ? va : USER_END - PAGE_SIZE;
}

/* A range from there on, that touches a few leaf tables at most. */
static __unused void pt_random_range(vaddr_t *start, vaddr_t *end)
{
	vaddr_t length = sim_below(4) ? 1 + sim_below(6) : 1 + sim_below(5 * pt_entries(0));

	*start = pt_random_page();
	*end = min((vaddr_t)USER_END, *start + length * PAGE_SIZE);
}

/* -- tables: each stands below an entry of a level and covers that entry's span --------------------------------------- */
#define SPANS_MAX 4096

struct spans {
	struct {
		unsigned level;
		vaddr_t base;
	} at[SPANS_MAX];
	unsigned nr;
};

static __unused int spans_find(const struct spans *s, unsigned level, vaddr_t base)
{
	for (unsigned i = 0; i < s->nr; i++)
		if (s->at[i].level == level && s->at[i].base == base)
			return (int)i;
	return -1;
}

static __unused bool spans_have_leaf(const struct spans *s, vaddr_t va)
{
	return spans_find(s, 1, ALIGN_DOWN(va, pt_span(1))) >= 0;
}

/* What pt_populate() of the range makes. */
static __unused void spans_populate(struct spans *s, vaddr_t start, vaddr_t end)
{
	for (unsigned level = 1; level < PT_LEVELS; level++)
		for (vaddr_t base = ALIGN_DOWN(start, pt_span(level)); base < end; base += pt_span(level))
			if (spans_find(s, level, base) < 0) {
				s->at[s->nr].level = level;
				s->at[s->nr++].base = base;
			}
}

/* The tree is what the list says. */
static __unused void spans_check(const struct spans *s, struct pgtable *pt)
{
	CHECK(pt->nr_tables == s->nr + 1 && pt_count_tables(pt) == s->nr + 1);
	for (unsigned i = 0; i < s->nr; i++)
		if (s->at[i].level == 1)
			CHECK(pt_find(pt, s->at[i].base).hw != NULL);
	for (unsigned i = 0; i < 20; i++) {
		vaddr_t va = pt_random_page();

		CHECK(!pt_find(pt, va).hw == !spans_have_leaf(s, va));
	}
}

#endif
