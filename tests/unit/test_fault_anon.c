/*
 * test_fault_anon.c - mm/space/fault_anon.c: the first touch of anonymous memory.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

static vaddr_t one_page(void)
{
	enter_space();
	return map_pages(1, MAP_PRIVATE, NULL, 0);
}

/* Reading costs no page: everybody sees the zero page, which nobody may store into. */
static void read_maps_the_zero_page(void *arg)
{
	vaddr_t a = one_page();
	struct pte_view v;

	CHECK(load_word(a) == 0);
	v = sim_entry(sim_mm(), a);
	CHECK(frame_at(a) == zero_page && v.special && !v.write && v.grant == (GRANT_R | GRANT_W));
	CHECK(zero_page->mapcount == 0);
}

/* A store gets a zeroed page that is this mapping's alone, and dirty: it is the only copy. */
static void write_maps_a_fresh_page(void *arg)
{
	vaddr_t a = one_page();
	struct page *page;
	struct pte_view v;

	CHECK(mm_fault(sim_mm(), a, FAULT_WRITE) == FAULT_OK);
	page = frame_at(a);
	v = sim_entry(sim_mm(), a);
	CHECK(v.write && v.dirty && !v.special && load_word(a) == 0 && load_word(a + PAGE_SIZE - 8) == 0);
	CHECK(page_test(page, PG_ANON) && page_test(page, PG_ANON_EXCLUSIVE) && !page_object(page));
	CHECK(page->mapcount == 1 && page->refs == 1 && page->index == a >> PAGE_SHIFT);
}

static void read_first_then_write(void *arg)
{
	vaddr_t a = one_page();

	CHECK(load_word(a) == 0);
	store_word(a, 3);
	CHECK(frame_at(a) != zero_page && load_word(a) == 3 && *(u64 *)page_address(zero_page) == 0);
}

static void load_there(void *arg)
{
	(void)load_word(*(vaddr_t *)arg);
}

/* A reader that comes late sees the page, it does not put the zero page over it. */
static void reader_is_overtaken(void *arg)
{
	const char *const place = "fault-mapped";
	vaddr_t a = one_page();
	struct sim_thread *t = race_begin(place, load_there, &a);

	store_word(a, 4);
	race_end(place, t);
	CHECK(load_word(a) == 4);
}

static void no_memory(void *arg)
{
	vaddr_t a = one_page();

	CHECK(load_word(a) == 0); /* tables */
	CHECK(mm_madvise(sim_mm(), a, P(1), MADV_DONTNEED) == 0);
	sim_failpoint("page_alloc", 1);
	CHECK(mm_fault(sim_mm(), a, FAULT_WRITE) == FAULT_OOM && kind_at(a) == PTE_KIND_NONE);
	CHECK(sim_failpoint_end("page_alloc") == 1);
	CHECK(mm_fault(sim_mm(), a, FAULT_WRITE) == FAULT_OK);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(read_maps_the_zero_page);
	CASE(write_maps_a_fresh_page);
	CASE(read_first_then_write);
	CASE_CALM(reader_is_overtaken);
	CASE_CALM(no_memory);
	return sim_end();
}
