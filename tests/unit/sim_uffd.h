/*
 * sim_uffd.h - what the unit tests of userfaultfd share: a context, four pages that are registered with it.
 */
#ifndef TESTS_UNIT_SIM_UFFD_H
#define TESTS_UNIT_SIM_UFFD_H

#include "mm/service/uffd.h"
#include "tests/unit/sim_laws.h"

static vaddr_t a, data; /* the four pages; one with 7 in it, and one of zeros */
static struct uffd *u;

/* The current space's [@va, @va + 4 pages) are registered with a new context. */
static __unused void watch(vaddr_t va, unsigned features, unsigned mode)
{
	a = va;
	data = map_pages(2, MAP_PRIVATE, NULL, 0);
	store_word(data, 7);
	u = uffd_make(sim_mm(), 0);
	CHECK(!IS_ERR(u));
	u->features = features;
	u->ready = true;
	CHECK(uffd_register(u, a, P(4), mode) == 0);
}

/* In a new space, memory without a file. */
static __unused void begin(unsigned features, unsigned mode)
{
	enter_space();
	watch(map_pages(4, MAP_PRIVATE, NULL, 0), features, mode);
}

static __unused void end(void)
{
	uffd_release(u);
	uffd_put(u);
}

static __unused long copy(vaddr_t va, size_t pages)
{
	return uffd_fill(u, UFFD_FILL_COPY, va, data, pages << PAGE_SHIFT, false);
}

static __unused void await_message(struct uffdx_msg *msg)
{
	while (!uffd_next_fault(u, msg))
		sim_yield();
}

static __unused struct uffd_event *await_event(void)
{
	struct uffd_event *e;

	while (!(e = uffd_next_event(u)))
		sim_yield();
	return e;
}

#endif
