/*
 * test_swapoff.c - mm/service/swapoff.c: everything comes back, whatever goes on meanwhile.
 *
 * machine: all
 */
#include "tests/unit/sim_swap.h"

#define PAGES 12

static struct sim_swap *swap;
static vaddr_t a;

static void check_all(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == i + 1);
}

/* Calm: no CPU looks ahead, so that the accessed bits are the program's. */
static void everybody(void *arg)
{
	struct mm *child;

	swap = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	a = enter_filled(PAGES);
	child = mm_fork(sim_mm());
	for (unsigned i = 0; i < PAGES; i += 2) {
		u64 word = 100 + i;

		CHECK(mm_access(child, a + P(i), &word, 8, true) == 8);
	}
	mm_page_out(sim_mm(), a, a + P(PAGES)); /* both have used what they share: it stays */
	CHECK(sim_mm()->pt.nr_swap == PAGES / 2 && child->pt.nr_swap == 0);
	mm_page_out(child, a, a + P(PAGES)); /* nobody has, since */
	CHECK(sim_mm()->pt.nr_swap == PAGES && child->pt.nr_swap == PAGES && slots_used(swap) == PAGES / 2 * 3);
	CHECK(!sim_swap_off(swap) && child->pt.nr_swap == 0 && sim_mm()->pt.nr_swap == 0);
	check_all();
	for (unsigned i = 0; i < PAGES; i++) {
		u64 word = 0;

		CHECK(mm_access(child, a + P(i), &word, 8, false) == 8 && word == (i % 2 ? i + 1 : 100 + i));
	}
	mm_put(child);
}

static bool over;

static void keep_out(void *arg)
{
	while (!READ_ONCE(over)) {
		mm_page_out(sim_mm(), a, a + P(PAGES));
		check_all();
		sim_yield();
	}
}

static void keep_forking(void *arg)
{
	while (!READ_ONCE(over)) {
		struct mm *child = mm_fork(sim_mm());
		u64 word = 0;

		CHECK(!IS_ERR(child) && mm_access(child, a + P(3), &word, 8, false) == 8 && word == 4);
		mm_put(child);
		sim_yield(); /* a device may be waiting for this CPU */
	}
}

/* Another area takes what is swapped out meanwhile; forks copy entries; processes end. */
static void under_load(void *arg)
{
	struct sim_swap *other = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	struct sim_thread *t[2];

	a = enter_filled(PAGES);
	t[0] = sim_spawn(sim_mm(), 1, keep_out, NULL);
	t[1] = sim_spawn(sim_mm(), 2, keep_forking, NULL);
	for (unsigned i = 0; i < 4; i++) {
		swap = sim_swap_on(64, 10);
		sim_sleep(100000);
		CHECK(!sim_swap_off(swap));
	}
	WRITE_ONCE(over, true);
	sim_join(t[0]);
	sim_join(t[1]);
	CHECK(!sim_swap_off(other));
	check_all();
}

static void nothing_in_it(void *arg)
{
	swap = sim_swap_on(8, SWAP_PRIO_DEFAULT);
	a = enter_filled(PAGES);
	CHECK(!sim_swap_off(swap));
	check_all();
}

/* Only cached pages, no entries. */
static void cached_only(void *arg)
{
	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(PAGES);
	page_out(a, PAGES);
	check_all();
	CHECK(slots_used(swap) == PAGES && !sim_swap_off(swap));
	check_all();
}

static void no_memory(void *arg)
{
	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(PAGES);
	page_out(a, PAGES);
	sim_failpoint("page_alloc", 2); /* the second is read-ahead's */
	CHECK(sim_swap_off(swap) == 0 || sim_swap_type(swap) == 0);
	sim_failpoint_end("page_alloc");
	check_all();
}

static void off_and_killed(void *arg)
{
	sim_kill(sim_self());
	CHECK(sim_swap_off(swap) == -EINTR);
}

static void killed(void *arg)
{
	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(PAGES);
	page_out(a, PAGES);
	sim_join(sim_spawn(sim_mm(), -1, off_and_killed, NULL));
	CHECK(swap_has_room());
	CHECK(!sim_swap_off(swap));
	check_all();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(everybody);
	CASE(under_load);
	CASE(nothing_in_it);
	CASE(cached_only);
	CASE(no_memory);
	CASE(killed);
	return sim_end();
}
