/*
 * sim_swap.h - what the unit tests of swapping share.
 */
#ifndef TESTS_UNIT_SIM_SWAP_H
#define TESTS_UNIT_SIM_SWAP_H

#include "mm/object/swap.h"
#include "mm/object/unmap.h"
#include "mm/service/pageout.h"
#include "tests/unit/sim_laws.h"

/* Out with [va, va + pages): every one must go. */
static __unused void page_out(vaddr_t va, unsigned long pages)
{
	mm_page_out(sim_mm(), va, va + P(pages));
	for (unsigned long i = 0; i < pages; i++)
		if (kind_at(va + P(i)) != PTE_KIND_SWAP)
			sim_fail("page %lu is not in a slot: kind %u", i, kind_at(va + P(i)));
}

static __unused swap_entry_t slot_at(vaddr_t va)
{
	struct pte_view v = sim_entry(sim_mm(), va);

	CHECK(v.kind == PTE_KIND_SWAP);
	return (swap_entry_t){swap_word(v.type, (unsigned long)v.payload)};
}

static __unused unsigned slot_count(swap_entry_t entry)
{
	struct page *page;
	unsigned n;

	CHECK(swap_slot_look(entry, &n, &page));
	return n;
}

static __unused bool slot_cached(swap_entry_t entry)
{
	struct page *page;
	unsigned n;

	CHECK(swap_slot_look(entry, &n, &page));
	return page != NULL;
}

static __unused unsigned long slots_used(struct sim_swap *swap)
{
	struct swap_area_stat st;

	CHECK(swap_area_stat(sim_swap_type(swap), &st));
	return st.used;
}

/* An address space with @pages of private memory, page i's first word i + 1. */
static __unused vaddr_t enter_filled(unsigned long pages)
{
	vaddr_t a;

	enter_space();
	a = map_pages(pages, MAP_PRIVATE, NULL, 0);
	for (unsigned long i = 0; i < pages; i++)
		store_word(a + P(i), i + 1);
	return a;
}

#endif
