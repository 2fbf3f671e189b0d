/*
 * test_debt.c - mm/pgtable/debt.c: reclaim empties many entries and flushes once; what CPUs may do in between, and must not.
 *
 * CPU 1 reclaims and stops between the last entry and the flush; CPU 2 still has the translations; the test runs on CPU 0.
 *
 * machine: amd64 pae scrambled
 */
#include "kernel/lib/mutation.h"
#include "mm/pgtable/debt.h"
#include "tests/unit/sim_swap.h"

#define PAGES 4

static vaddr_t a;
static bool leave;
static unsigned looked;

static void out(void *arg)
{
	mm_page_out(sim_mm(), a, a + P(PAGES));
}

/* Another thread of the program that has used the pages; it waits in the program. */
static void onlooker(void *write)
{
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(sim_touch(a + P(i), write ? FAULT_WRITE : FAULT_READ) == FAULT_OK);
	WRITE_ONCE(looked, 1);
	while (!READ_ONCE(leave))
		sim_sleep(1000000);
}

static struct sim_thread *look(bool write)
{
	struct sim_thread *t;

	leave = false;
	looked = 0;
	t = sim_spawn(sim_mm(), 2, onlooker, write ? &leave : NULL);
	while (!READ_ONCE(looked))
		sim_sleep(1000000);
	return t;
}

static void go_away(struct sim_thread *t)
{
	WRITE_ONCE(leave, true);
	sim_join(t);
}

/* -- stores in between ------------------------------------------------------------------------------------------------- */

/* A store of CPU 0 through its old translation while the flush is owed: is it there when the page comes back? */
static bool late_store_survives(void)
{
	struct sim_swap *swap = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	u64 word = 4711;
	struct sim_thread *t;
	struct page *page;
	bool there;

	a = enter_filled(PAGES);
	page = frame_at(a);
	t = race_begin("unmap-owed", out, NULL);
	CHECK(kind_at(a) == PTE_KIND_SWAP && sim_tlb_has(0, a));
	page_wait_writeback(page); /* only with the mutation is it being written */
	CHECK(sim_try(a, FAULT_WRITE, &word, sizeof(word)));
	race_end("unmap-owed", t);
	CHECK(!sim_tlb_has(0, a) && !sim_try(a, FAULT_WRITE, &word, sizeof(word)));
	CHECK(kind_at(a) == PTE_KIND_SWAP && !slot_cached(slot_at(a)));
	there = load_word(a) == word;
	CHECK(load_word(a + P(1)) == 2 && !sim_swap_off(swap));
	return there;
}

static void late_store(void *arg)
{
	CHECK(late_store_survives());
}

static void late_store_without(void *arg)
{
	mutation_active = 161;
	CHECK(!late_store_survives());
	mutation_active = 0;
}

/* A translation that is not dirty lets nobody store any more: the entry would have to be marked. */
static void clean_translation(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(PAGES), false);
	struct sim_swap *swap = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	struct sim_thread *t;
	u64 word = 1;

	enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	load_word(a);
	CHECK(sim_tlb_has(0, a));
	t = race_begin("unmap-owed", out, NULL);
	CHECK(sim_tlb_has(0, a) && !sim_try(a, FAULT_WRITE, &word, sizeof(word)));
	race_end("unmap-owed", t);
	CHECK(load_word(a) == 0);
	sim_file_put(f);
	CHECK(!sim_swap_off(swap));
}

/* -- who changes the range in between -------------------------------------------------------------------------------------- */

static void protect(void)
{
	CHECK(!mm_mprotect(sim_mm(), a, P(PAGES), PROT_READ));
}

static void unmap(void)
{
	CHECK(!mm_munmap(sim_mm(), a, P(2))); /* the table stays: freeing one flushes */
}

static void discard(void)
{
	CHECK(!mm_madvise(sim_mm(), a, P(PAGES), MADV_DONTNEED));
}

static void move(void)
{
	CHECK(
		!IS_ERR_VALUE((unsigned long)mm_mremap(sim_mm(), a, P(PAGES), P(PAGES), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0)));
}

static void make_child(void)
{
	struct mm *child = mm_fork(sim_mm());

	CHECK(!IS_ERR(child));
	mm_put(child);
}

/* Does a CPU still have a translation when the call has returned? */
static bool stale_after(void (*change)(void))
{
	struct sim_swap *swap = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	struct sim_thread *other, *t;
	bool stale;

	a = enter_filled(PAGES);
	other = look(true);
	t = race_begin("unmap-owed", out, NULL);
	CHECK(sim_tlb_has(2, a + P(1)));
	change();
	stale = sim_tlb_has(2, a + P(1));
	race_end("unmap-owed", t);
	CHECK(!sim_tlb_has(2, a + P(1)));
	go_away(other);
	sim_use(NULL);
	CHECK(!sim_swap_off(swap));
	return stale;
}

static void (*const changes[])(void) = {protect, unmap, discard, move, make_child};

static void changes_settle(void *arg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++)
		if (stale_after(changes[i]))
			sim_fail("change %u leaves a translation", i);
}

static void changes_without(void *arg)
{
	mutation_active = 162;
	for (unsigned i = 0; i < ARRAY_SIZE(changes); i++)
		if (!stale_after(changes[i]))
			sim_fail("change %u flushes anyway", i);
	mutation_active = 0;
}

/* A private copy comes where the file's page was: nobody goes on reading that. */
static void copy_settles(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct sim_thread *other, *t;

	enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, f, 0);
	other = look(false);
	t = race_begin("unmap-owed", out, NULL);
	CHECK(kind_at(a) == PTE_KIND_NONE && sim_tlb_has(2, a));
	store_word(a, 5);
	CHECK(kind_at(a) == PTE_KIND_PAGE && !sim_tlb_has(2, a));
	race_end("unmap-owed", t);
	CHECK(load_word(a) == 5 && load_word(a + P(1)) == FILLED(1));
	go_away(other);
	sim_file_put(f);
}

/* Another page of the file comes to be shown there. */
static void remap_settles(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct sim_thread *other, *t;

	enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	CHECK(!mm_remap_file_pages(sim_mm(), a, P(1), 0, 3, 0));
	other = look(false);
	t = race_begin("unmap-owed", out, NULL);
	CHECK(sim_tlb_has(2, a) && sim_tlb_has(2, a + P(2)));
	CHECK(!mm_remap_file_pages(sim_mm(), a + P(2), P(1), 0, 1, 0) && !sim_tlb_has(2, a + P(2)));
	race_end("unmap-owed", t);
	CHECK(load_word(a) == FILLED(3) && load_word(a + P(2)) == FILLED(1));
	go_away(other);
	sim_file_put(f);
}

/* -- how often ---------------------------------------------------------------------------------------------------------- */

/* Sixteen pages, one interruption of the other CPU; alone, none. */
static void once_for_many(void *arg)
{
	struct sim_swap *swap = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	struct sim_thread *other;
	unsigned long before;

	a = enter_filled(16);
	other = look(true);
	before = pgtable_shootdowns();
	page_out(a, 16);
	CHECK(pgtable_shootdowns() - before == 1);
	go_away(other);
	for (unsigned i = PAGES; i < 16; i++) /* into the others the other thread has stored */
		CHECK(load_word(a + P(i)) == i + 1);
	CHECK(!sim_swap_off(swap));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(late_store);
	CASE_CALM(late_store_without);
	CASE_CALM(clean_translation);
	CASE_CALM(changes_settle);
	CASE_CALM(changes_without);
	CASE_CALM(copy_settles);
	CASE_CALM(remap_settles);
	CASE_CALM(once_for_many);
	return sim_end();
}
