/*
 * sim_space.h - what tests of mm/ often want: an address space to be in, memory mapped there, words in it.
 */
#ifndef TESTS_UNIT_SIM_SPACE_H
#define TESTS_UNIT_SIM_SPACE_H

#include "tests/unit/sim_test.h"

#define RW (PROT_READ | PROT_WRITE)

/* A machine that turns to another CPU only where a thread waits, and whose TLBs do nothing by themselves. */
#define CALM (&(struct sim_config){.switch_one_in = SIM_NEVER, .prefetch_one_in = SIM_NEVER, .evict_one_in = SIM_NEVER})
/* The same with memory for huge pages. */
#define CALM_BIG           \
	(&(struct sim_config){ \
		.ram_pages = 24576, .switch_one_in = SIM_NEVER, .prefetch_one_in = SIM_NEVER, .evict_one_in = SIM_NEVER})
#define CASE_CALM(fn) CASE_WITH(CALM, fn)
/* The run must end in a panic, and says nothing about it. */
#define CASE_PANICS(fn)                                                                                         \
	sim_case_ends(                                                                                              \
		#fn,                                                                                                    \
		&(struct sim_config){                                                                                   \
			.switch_one_in = SIM_NEVER, .prefetch_one_in = SIM_NEVER, .evict_one_in = SIM_NEVER, .mute = true}, \
		fn, SIM_PANICKED)

/* The current thread enters a new address space. */
static __unused struct mm *enter_space(void)
{
	struct mm *mm = mm_create();

	CHECK(!IS_ERR(mm));
	sim_use(mm);
	mm_put(mm);
	return mm;
}

/* So many pages of it, readable and writable. */
static __unused vaddr_t map_pages(unsigned long pages, unsigned flags, struct sim_file *file, pgoff_t pgoff)
{
	long addr = sim_mmap(sim_mm(), 0, pages * PAGE_SIZE, RW, flags, file, pgoff);

	if (IS_ERR_VALUE(addr))
		sim_fail("mmap: %ld", addr);
	return (vaddr_t)addr;
}

static __unused u64 load_word(vaddr_t va)
{
	u64 word = 0;
	enum fault_result r = sim_load(va, &word, sizeof(word));

	if (r != FAULT_OK)
		sim_fail("load from %lx: %d", va, r);
	return word;
}

static __unused void store_word(vaddr_t va, u64 word)
{
	enum fault_result r = sim_store(va, &word, sizeof(word));

	if (r != FAULT_OK)
		sim_fail("store to %lx: %d", va, r);
}

/* The frame that is mapped at @va. */
static __unused struct page *frame_at(vaddr_t va)
{
	struct pte_view v = sim_entry(sim_mm(), va);

	CHECK(v.kind == PTE_KIND_PAGE);
	return pfn_to_page((pfn_t)v.payload);
}

#endif
