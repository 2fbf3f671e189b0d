/*
 * test_high_pages.c - frames from 4 GiB on: entries whose high word says something.
 *
 * On PAE they are not direct-mapped, and an entry is written and read in two pieces; on x86-64 they are frames like any
 * others.  They are given out first, so a few of them are enough.
 *
 * machine: pae amd64
 */
#include "tests/unit/sim_laws.h"

#include "kernel/lib/mutation.h"
#include "mm/phys/phys.h"

#define FOUR_GIB_PFN ((pfn_t)1 << 20)
#define HIGH_PAGES 256
#define FLIPS 400
#define LOOKERS 3
#define M20 20

static struct mm *mm;

static bool is_high(const struct page *page)
{
	return page_to_pfn(page) >= FOUR_GIB_PFN;
}

/* A mapped page that is above 4 GiB, or one that is below: the first of @pages from @va on, which are touched. */
static vaddr_t find_page(vaddr_t va, unsigned long pages, bool high)
{
	for (unsigned long i = 0; i < pages; i++) {
		load_word(va + P(i));
		if (is_high(frame_at(va + P(i))) == high)
			return va + P(i);
	}
	sim_fail("no page is %s 4 GiB", high ? "above" : "below");
	return va;
}

/* Of the file's pages too: the same frames as through the mapping. */
static u64 word_of_file(struct sim_file *file, pgoff_t pgoff)
{
	u64 word = 0;

	CHECK(sim_file_read(file, (loff_t)P(pgoff), &word, sizeof(word)) == sizeof(word));
	return word;
}

/* -- what is done with pages ------------------------------------------------------------------------------------------ */

/* Zero at first, then what was stored, whichever CPU looks. */
static void memory(void *arg)
{
	vaddr_t a;

	mm = enter_space();
	a = map_pages(8, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 8; i++) {
		store_word(a + P(i), i + 1);
		CHECK(load_word(a + P(i) + 8) == 0);
		CHECK(is_high(frame_at(a + P(i))));
	}
	sim_move(2);
	for (unsigned i = 0; i < 8; i++)
		CHECK(load_word(a + P(i)) == i + 1 && sim_entry(mm, a + P(i)).payload >= FOUR_GIB_PFN);
}

/* Everything that changes an entry's low word leaves the high one alone. */
static void protections_and_bits(void *arg)
{
	struct mm_range r = {.len = P(1)};
	struct page *page;
	vaddr_t a;

	mm = enter_space();
	a = r.addr = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(a, 1);
	page = frame_at(a);
	CHECK(is_high(page));
	for (unsigned i = 0; i < 4; i++) {
		CHECK(mm_mprotect(mm, a, P(1), i & 1 ? RW : 0) == 0 && frame_at(a) == page);
		CHECK(sim_touch(a, FAULT_WRITE) == (i & 1 ? FAULT_OK : FAULT_ACCERR));
	}
	CHECK(load_word(a) >> 8 == 0 && sim_entry(mm, a).accessed && sim_entry(mm, a).dirty);
	CHECK(debug_clear_young(mm, &r) == 0 && r.count == 1 && frame_at(a) == page);
	CHECK(sim_entry(mm, a).dirty && !sim_entry(mm, a).accessed);
}

static void child_stores(void *arg)
{
	vaddr_t a = *(vaddr_t *)arg;

	CHECK(load_word(a) == 1);
	store_word(a, 2);
	CHECK(load_word(a) == 2 && is_high(frame_at(a)));
}

static void copies(void *arg)
{
	struct mm *child;
	vaddr_t a;

	mm = enter_space();
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(a, 1);
	child = mm_fork(mm);
	CHECK(!IS_ERR(child) && is_high(frame_at(a)));
	sim_join(sim_spawn(child, 1, child_stores, &a));
	mm_put(child);
	CHECK(load_word(a) == 1);
}

/* The device, read(2) and the mapping see one page. */
static void files(void *arg)
{
	struct sim_file *file = sim_file_create(SIM_FILE_DISK, P(8), true);
	vaddr_t a;

	mm = enter_space();
	a = find_page(map_pages(8, MAP_SHARED, file, 0), 8, true);
	CHECK(load_word(a) == FILLED(0) && word_of_file(file, 0) == FILLED(0));
	store_word(a, 7);
	CHECK(word_of_file(file, 0) == 7 && sim_file_sync(file) == 0 && disk_word(file, 0) == 7);
	CHECK(!sim_entry(mm, a).write && is_high(frame_at(a)));
	sim_file_put(file);
}

/* When they are used up, others follow, and all come back. */
static void to_the_last(void *arg)
{
	unsigned long before = zones[ZONE_HIGH].nr_free;
	vaddr_t a;

	mm = enter_space();
	a = map_pages(HIGH_PAGES + 64, MAP_PRIVATE, NULL, 0);
	for (unsigned long i = 0; i < HIGH_PAGES + 64; i++)
		store_word(a + P(i), i);
	CHECK(before <= HIGH_PAGES && zones[ZONE_HIGH].nr_free < before / 8);
	find_page(a, HIGH_PAGES + 64, false);
	for (unsigned long i = 0; i < HIGH_PAGES + 64; i++)
		CHECK(load_word(a + P(i)) == i);
}

/* -- an entry that changes between a page below and a page above 4 GiB ----------------------------------------------- */
static struct {
	struct sim_file *file;
	vaddr_t window;
	pgoff_t pgoff[2]; /* below, above */
	pfn_t pfn[2];
	bool done;
} flip;

static void look(void *arg)
{
	u64 word;
	struct pte_view v;

	while (!READ_ONCE(flip.done)) {
		word = load_word(flip.window);
		if (word != FILLED(flip.pgoff[0]) && word != FILLED(flip.pgoff[1]))
			sim_fail("a third page: %llx", (unsigned long long)word);
		v = sim_entry(mm, flip.window);
		if (v.kind == PTE_KIND_PAGE && v.payload != flip.pfn[0] && v.payload != flip.pfn[1])
			sim_fail("a third frame: %llx", (unsigned long long)v.payload);
		sim_yield();
	}
}

static void choose_pages(void)
{
	vaddr_t all = map_pages(HIGH_PAGES + 64, MAP_SHARED, flip.file, 0);

	for (unsigned i = 0; i < 2; i++) {
		vaddr_t a = find_page(all, HIGH_PAGES + 64, i);

		flip.pfn[i] = page_to_pfn(frame_at(a));
		flip.pgoff[i] = (a - all) >> PAGE_SHIFT;
	}
}

/* T4-08, T4-09: who looks sees one page or the other, and by hardware's walk also a fault; never a mixture. */
static void flipped(void *arg)
{
	struct sim_thread *t[LOOKERS];

	mm = enter_space();
	flip.file = sim_file_create(SIM_FILE_DISK, P(HIGH_PAGES + 64), true);
	choose_pages();
	flip.window = map_pages(1, MAP_SHARED, flip.file, flip.pgoff[0]);
	for (unsigned i = 0; i < LOOKERS; i++)
		t[i] = sim_spawn(mm, (int)i + 1, look, NULL);
	for (unsigned i = 0; i < FLIPS && !sim_failures(); i++) {
		if (i % 3 == 0)
			CHECK(mm_madvise(mm, flip.window, P(1), MADV_DONTNEED) == 0);
		CHECK(mm_remap_file_pages(mm, flip.window, P(1), 0, flip.pgoff[i & 1], MAP_NONBLOCK) == 0);
	}
	WRITE_ONCE(flip.done, true);
	for (unsigned i = 0; i < LOOKERS; i++)
		sim_join(t[i]);
	sim_file_put(flip.file);
}

static void flipped_with_m20(void *arg)
{
	mutation_active = M20;
	flipped(arg);
}

/* M20: words stored in the wrong order, and read once. The page of a torn entry is no RAM, or not the right one. */
static void m20_is_noticed(const struct sim_config *config)
{
	enum sim_verdict v = sim_run_isolated(config, flipped_with_m20, NULL, CASE_LIMIT_MS);

	sim_result(__func__, v == SIM_COMPLAINED || v == SIM_PANICKED || v == SIM_SANITIZER);
}

int main(int argc, char **argv)
{
	struct sim_config calm = *CALM, busy = {.high_pages = HIGH_PAGES}, quiet = busy;

	sim_main(argc, argv);
	calm.high_pages = HIGH_PAGES;
	quiet.mute = true;
	sim_boot(&calm);
	CASE_WITH(&calm, memory);
	CASE_WITH(&calm, protections_and_bits);
	CASE_WITH(&calm, copies);
	CASE_WITH(&calm, files);
	CASE_WITH(&calm, to_the_last);
	CASE_WITH(&busy, flipped);
	if (!strcmp(sim_format(), "pae"))
		m20_is_noticed(&quiet);
	return sim_end();
}
