/*
 * test_munmap.c - mm/space/munmap.c: a range goes away, whatever lies in it, and nothing else does.
 *
 * machine: all
 */
#include "tests/unit/sim_laws.h"

static vaddr_t a;

static void six_pages(void)
{
	enter_space();
	a = map_pages(6, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 6; i++)
		store_word(a + P(i), i + 1);
}

static void refuses(void *arg)
{
	struct mm *mm;

	six_pages();
	mm = sim_mm();
	CHECK(mm_munmap(mm, a + 1, P(1)) == -EINVAL && mm_munmap(mm, a, 0) == -EINVAL);
	CHECK(mm_munmap(mm, a, ~0ul) == -EINVAL && mm_munmap(mm, a, USER_END) == -EINVAL);
	CHECK(mm_munmap(mm, USER_END + P(1), P(1)) == -EINVAL);
	CHECK(mm_munmap(mm, P(20), P(1)) == 0); /* nothing there: nothing to do */
	CHECK(count_vmas() == 1 && load_word(a + P(5)) == 6);
}

static void middle(void *arg)
{
	six_pages();
	CHECK(mm_munmap(sim_mm(), a + P(2), P(1) + 1) == 0); /* the length is rounded up */
	CHECK(count_vmas() == 2 && sim_mm()->total_pages == 4);
	for (unsigned i = 0; i < 6; i++)
		CHECK(sim_touch(a + P(i), FAULT_READ) == (i == 2 || i == 3 ? FAULT_MAPERR : FAULT_OK));
	CHECK(load_word(a + P(1)) == 2 && load_word(a + P(4)) == 5);
}

/* Over several mappings and holes at once. */
static void several(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(2), true);
	struct mm *mm;

	six_pages();
	mm = sim_mm();
	CHECK(mm_munmap(mm, a + P(1), P(1)) == 0 && mm_mprotect(mm, a + P(2), P(1), PROT_READ) == 0);
	CHECK(sim_mmap(mm, a + P(3), P(2), RW, MAP_SHARED | MAP_FIXED, f, 0) > 0);
	store_word(a + P(3), 33);
	CHECK(mm_munmap(mm, a, P(5)) == 0 && count_vmas() == 1 && load_word(a + P(5)) == 6);
	CHECK(sim_file_object(f)->maps.nr_links == 0);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 33); /* what was stored is not lost */
	sim_file_put(f);
}

/* Tables that nothing lies in any more are freed with the pages. */
static void tables_go_too(void *arg)
{
	unsigned long pages;

	six_pages();
	CHECK(mm_munmap(sim_mm(), a, P(6)) == 0); /* the slab of vmas stays */
	pages = sim_free_pages();
	CHECK(sim_mmap(sim_mm(), a, P(6), RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) > 0);
	for (unsigned i = 0; i < 6; i++)
		store_word(a + P(i), i);
	CHECK(sim_free_pages() < pages - 6);
	CHECK(mm_munmap(sim_mm(), a, P(6)) == 0);
	CHECK(sim_free_pages() == pages);
}

/* Other CPUs cannot reach the pages when it returns. */
static void read_until_gone(void *arg)
{
	enum fault_result result;
	u64 word;

	while ((result = sim_load(a, &word, sizeof(word))) == FAULT_OK)
		CHECK(word == 1);
	CHECK(result == FAULT_MAPERR);
}

static void others_see_it(void *arg)
{
	struct sim_thread *t[3];

	six_pages();
	for (unsigned i = 0; i < 3; i++)
		t[i] = sim_spawn(sim_mm(), (int)i + 1, read_until_gone, NULL);
	for (unsigned i = 0; i < 50; i++)
		sim_yield();
	CHECK(mm_munmap(sim_mm(), a, P(6)) == 0);
	for (unsigned cpu = 0; cpu < 4; cpu++)
		CHECK(!sim_tlb_has(cpu, a));
	for (unsigned i = 0; i < 3; i++)
		sim_join(t[i]);
}

static long unmap_middle(void)
{
	return mm_munmap(sim_mm(), a + P(2), P(2));
}

static void as_before(void)
{
	CHECK(count_vmas() == 1 && load_word(a + P(2)) == 3);
}

static void no_memory(void *arg)
{
	six_pages();
	CHECK(each_fails("slab_alloc", unmap_middle, as_before) == 4);
	CHECK(each_fails("page_alloc", unmap_middle, as_before) == 0);
}

static void interrupted_munmap(void *arg)
{
	CHECK(unmap_middle() == -EINTR);
}

static void interrupted(void *arg)
{
	six_pages();
	by_killed_waiter(interrupted_munmap, NULL);
	as_before();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(refuses);
	CASE(middle);
	CASE(several);
	CASE_CALM(tables_go_too);
	CASE(others_see_it);
	CASE_CALM(no_memory);
	CASE(interrupted);
	return sim_end();
}
