/*
 * test_nonlinear_vector.c - mm/space/nonlinear_vector.c and mm_remap_vector(): many ranges, all or none.
 *
 * machine: amd64 pae tiny2
 */
#include "tests/unit/sim_laws.h"

#define PAGES 40

static struct sim_file *f;
static struct mm *mm;
static vaddr_t a;
static struct remap_entry entries[PAGES];

static void window(void)
{
	f = sim_file_create(SIM_FILE_DISK, P(2 * PAGES), true);
	mm = enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
}

static struct remap_entry entry(unsigned page, unsigned pages, pgoff_t pgoff, unsigned prot)
{
	return (struct remap_entry){.addr = a + P(page), .length = P(pages), .pgoff = pgoff, .prot = prot};
}

/* Entry i shows page @base + PAGES - 1 - i, and may be read. */
static int reverse(pgoff_t base)
{
	for (unsigned i = 0; i < PAGES; i++)
		entries[i] = entry(i, 1, base + PAGES - 1 - i, PROT_READ);
	return mm_remap_vector(mm, entries, PAGES, MAP_NONBLOCK);
}

static void expect_reverse(pgoff_t base)
{
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == FILLED(base + PAGES - 1 - i) && sim_touch(a + P(i), FAULT_WRITE) == FAULT_ACCERR);
	CHECK(!sim_tlb_stale(true) && !sim_audit(false));
}

/* The general way first (the vma is linear), then the short one: resident pages, absent ones, and home again. */
static void to_and_fro(void *arg)
{
	window();
	for (unsigned round = 0; round < 3; round++) {
		CHECK(reverse(0) == 0);
		expect_reverse(0);
		CHECK(reverse(PAGES) == 0);
		CHECK(mm_madvise(mm, a, P(PAGES / 2), MADV_DONTNEED) == 0);
		expect_reverse(PAGES);
	}
	for (unsigned i = 0; i < PAGES; i++)
		entries[i] = entry(i, 1, i, PROT_READ | PROT_WRITE);
	CHECK(mm_remap_vector(mm, entries, PAGES, 0) == 0 && !vma_of(a)->link.nonlinear->count);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == FILLED(i));
	sim_file_put(f);
}

/* Several vmas, ranges, one entry twice: in order. */
static void ranges_in_order(void *arg)
{
	window();
	CHECK(mm_mprotect(mm, a + P(10), P(10), PROT_READ) == 0);
	entries[0] = entry(5, 20, 40, PROT_READ);
	entries[1] = entry(7, 2, 1, PROT_READ);
	entries[2] = entry(7, 1, 7, PROT_READ);
	CHECK(mm_remap_vector(mm, entries, 3, 0) == 0);
	CHECK(load_word(a + P(5)) == FILLED(40) && load_word(a + P(7)) == FILLED(7) && load_word(a + P(8)) == FILLED(2) &&
	      load_word(a + P(24)) == FILLED(59) && load_word(a + P(25)) == FILLED(25));
	CHECK(!sim_audit(false));
	sim_file_put(f);
}

static void refused_whole(void *arg)
{
	window();
	CHECK(reverse(0) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		entries[i] = entry(i, 1, i, PROT_READ);
	entries[PAGES - 1].addr = a + P(PAGES);
	CHECK(mm_remap_vector(mm, entries, PAGES, 0) == -EINVAL);
	entries[PAGES - 1] = entry(1, 1, 0, 8);
	CHECK(mm_remap_vector(mm, entries, PAGES, 0) == -EINVAL);
	entries[PAGES - 1] = entry(1, 1, ~(pgoff_t)0, PROT_READ);
	CHECK(mm_remap_vector(mm, entries, PAGES, 0) == -EINVAL);
	expect_reverse(0);
	sim_file_put(f);
}

static void no_memory(void *arg)
{
	window();
	CHECK(reverse(0) == 0);
	for (u64 n = 1;; n++) {
		bool failed;
		int err;

		sim_failpoint("slab_alloc", n);
		err = reverse(PAGES);
		failed = sim_failpoint_end("slab_alloc") >= n;
		CHECK(err == 0 || (failed && err == -ENOMEM));
		expect_reverse(err ? 0 : PAGES);
		CHECK(reverse(0) == 0);
		if (!failed)
			break;
	}
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(to_and_fro);
	CASE_CALM(ranges_in_order);
	CASE_CALM(refused_whole);
	CASE_CALM(no_memory);
	return sim_end();
}
