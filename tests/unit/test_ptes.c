/*
 * test_ptes.c - mm/service/ptes.c: what entries say, put together into runs.
 *
 * machine: all
 */
#include "mm/service/ptes.h"

#include "mm/service/pin.h"
#include "tests/unit/sim_laws.h"

#define PAGES 16

static struct pte_run seen[64];
static unsigned nr_seen;

/* Every run of [a, a + pages) of the current space; no address may come twice. */
static void scan(vaddr_t a, unsigned long pages)
{
	static struct pte_scan s;
	struct pte_run run;
	vaddr_t last = 0;

	nr_seen = 0;
	pte_scan_init(&s, sim_mm(), 0);
	while (pte_scan_next(&s, &run)) {
		CHECK(run.start >= last && run.start < run.end);
		last = run.end;
		if (run.start < a || run.start >= a + P(pages))
			continue;
		CHECK(nr_seen < ARRAY_SIZE(seen));
		seen[nr_seen++] = run;
	}
}

static bool is(unsigned i, enum pte_kind kind, unsigned long pages, u64 where, int step)
{
	const struct pte_run *r = &seen[i];

	return i < nr_seen && r->kind == kind && r->end - r->start == P(pages) && r->where == where &&
	       (pages == 1 || r->step == step);
}

static void anonymous(void *arg)
{
	vaddr_t a;

	enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	scan(a, PAGES);
	CHECK(nr_seen == 1 && seen[0].kind == PTE_KIND_NONE && seen[0].grant == pte_grant_normal(RW) && !seen[0].shared);
	CHECK(load_word(a + P(2)) == 0);
	store_word(a + P(3), 1);
	store_word(a + P(4), 1);
	scan(a, PAGES);
	CHECK(nr_seen == 4 && seen[1].zero && !seen[1].write && seen[2].anon && seen[2].dirty && seen[2].write);
	CHECK(seen[2].end - seen[2].start == P(2) && seen[3].kind == PTE_KIND_NONE);
	CHECK(mm_mprotect(sim_mm(), a, P(4), 0) == 0);
	scan(a, PAGES);
	CHECK(nr_seen == 5 && seen[2].grant == 0 && !seen[2].write && seen[3].grant == pte_grant_normal(RW));
}

static void remap(vaddr_t a, unsigned page, unsigned prot, pgoff_t pgoff)
{
	CHECK(mm_remap_file_pages(sim_mm(), a + P(page), P(1), prot, pgoff, MAP_CHGPROT | MAP_NONBLOCK) == 0);
}

/* Up, down, and staying are runs; a change of direction, of protection or of anything else ends one. */
static void nonlinear(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(64), true);
	vaddr_t a;

	enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	scan(a, PAGES);
	CHECK(nr_seen == 1 && is(0, PTE_KIND_NONE, PAGES, 0, 1) && seen[0].shared);
	for (unsigned i = 0; i < PAGES; i++)
		remap(a, i, PROT_READ, 40 - i);
	scan(a, PAGES);
	CHECK(nr_seen == 1 && is(0, PTE_KIND_FILE, PAGES, 40, -1) && seen[0].grant == pte_grant_normal(PROT_READ));
	for (unsigned i = 0; i < 4; i++)
		remap(a, i, 0, 50 + i);
	for (unsigned i = 4; i < 8; i++)
		remap(a, i, 0, 53);
	scan(a, PAGES);
	CHECK(nr_seen == 3 && is(0, PTE_KIND_FILE, 4, 50, 1) && is(1, PTE_KIND_FILE, 4, 53, 0));
	CHECK(is(2, PTE_KIND_FILE, 8, 32, -1) && seen[0].grant == 0);
	for (unsigned i = 0; i < 4; i++)
		remap(a, i, 0, 20 + 2 * i); /* steps of two are none */
	scan(a, 4);
	CHECK(nr_seen == 4 && is(3, PTE_KIND_FILE, 1, 26, 0));
	for (unsigned i = 0; i < 4; i++)
		remap(a, i, 0, 50 + i);
	CHECK(load_word(a + P(9)) == FILLED(31));
	scan(a, PAGES);
	CHECK(nr_seen == 5 && is(3, PTE_KIND_PAGE, 1, 31, 0) && seen[3].young && !seen[3].dirty && seen[3].pins == 0);
	sim_file_put(f);
}

static void pins(void *arg)
{
	struct page *pages[3];
	vaddr_t a;

	enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), i);
	CHECK(pin_user_pages(sim_mm(), a + P(5), 3, FOLL_WRITE, pages) == 3);
	CHECK(pin_user_pages(sim_mm(), a + P(6), 1, 0, pages + 1) == 1);
	scan(a, PAGES);
	CHECK(nr_seen == 5 && seen[1].pins == 1 && seen[2].pins == 2 && seen[3].pins == 1 && seen[4].pins == 0);
	unpin_user_pages(pages, 3, FOLL_WRITE, false);
	unpin_user_pages(pages + 1, 1, 0, false);
	scan(a, PAGES);
	CHECK(nr_seen == 1);
}

/* Holes, neighbours and tables that are not there: a run never crosses from one vma to another. */
static void ranges(void *arg)
{
	const unsigned long many = pt_span(1) / PAGE_SIZE * 3;
	vaddr_t a;

	enter_space();
	a = map_pages(many, MAP_PRIVATE, NULL, 0);
	scan(a, many);
	CHECK(nr_seen == 1 && seen[0].end - seen[0].start == P(many));
	store_word(a + P(many / 2), 1);
	scan(a, many);
	CHECK(nr_seen == 3 && seen[0].end - seen[0].start == P(many / 2) && seen[1].anon);
	CHECK(mm_munmap(sim_mm(), a + P(many / 2), P(1)) == 0);
	scan(a, many);
	CHECK(nr_seen == 2 && seen[0].end == a + P(many / 2) && seen[1].start == seen[0].end + P(1));
	CHECK(mm_mprotect(sim_mm(), a, P(2), PROT_READ) == 0);
	scan(a, many);
	CHECK(nr_seen == 3 && seen[0].end == a + P(2));
}

/* Two files that seem to go on in each other. */
static void neighbours(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(64), true), *g = sim_file_create(SIM_FILE_DISK, P(64), true);
	vaddr_t a;

	enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	CHECK(!IS_ERR_VALUE(sim_mmap(sim_mm(), a + P(4), P(PAGES - 4), RW, MAP_SHARED | MAP_FIXED, g, 4)));
	scan(a, PAGES);
	CHECK(nr_seen == 2 && is(0, PTE_KIND_NONE, 4, 0, 1) && is(1, PTE_KIND_NONE, PAGES - 4, 4, 1));
	sim_file_put(f);
	sim_file_put(g);
}

/* More runs than the reader takes in one go, none of them lost at the seam. */
static void seams(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(64), true);
	vaddr_t a;

	enter_space();
	a = map_pages(60, MAP_SHARED, f, 0);
	for (unsigned i = 0; i < 60; i++)
		remap(a, i, i % 2 ? PROT_READ : 0, (pgoff_t)i * 7 % 60);
	scan(a, 60);
	CHECK(nr_seen == 60);
	for (unsigned i = 0; i < 60; i++)
		CHECK(is(i, PTE_KIND_FILE, 1, (u64)i * 7 % 60, 0) && seen[i].start == a + P(i));
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(anonymous);
	CASE_CALM(nonlinear);
	CASE_CALM(pins);
	CASE_CALM(ranges);
	CASE_CALM(neighbours);
	CASE_CALM(seams);
	return sim_end();
}
