/*
 * test_swap_io.c - mm/object/swap_io.c: requests, read-ahead, errors.
 *
 * machine: all
 */
#include "tests/unit/sim_swap.h"

static struct sim_swap *swap;
static vaddr_t a;

/* What was swapped out together is one request, and eight slots come back with one. */
static void merging(void *arg)
{
	struct swap_stat st;

	swap = sim_swap_on(128, SWAP_PRIO_DEFAULT);
	a = enter_filled(64);
	page_out(a, 64);
	CHECK(sim_swap_requests(swap) == 64 / SWAP_BATCH);
	swap_stat(&st);
	CHECK(st.out == 64 && st.in == 0);
	for (unsigned i = 0; i < 64; i++)
		CHECK(load_word(a + P(i)) == i + 1);
	swap_stat(&st);
	CHECK(st.in == 64 && sim_swap_requests(swap) == 64 / SWAP_BATCH + 64 / 8 + 1); /* slot 0 is not theirs */
	page_out(a, 64);                                                               /* clean: nothing to write */
	CHECK(sim_swap_requests(swap) == 64 / SWAP_BATCH + 64 / 8 + 1);
	CHECK(!sim_swap_off(swap));
}

/* Written badly it stays, and goes the next time. */
static void write_error(void *arg)
{
	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(4);
	sim_swap_fail(swap, 0, 1);
	mm_page_out(sim_mm(), a, a + P(4));
	for (unsigned i = 0; i < 4; i++) {
		struct page *page = swap_find(slot_at(a + P(i)));

		CHECK(page && page_test(page, PG_DIRTY));
		page_put(page);
	}
	CHECK(!sim_audit(false));
	for (unsigned i = 0; i < 4; i++)
		CHECK(load_word(a + P(i)) == i + 1);
	page_out(a, 4);
	CHECK(!slot_cached(slot_at(a)) && load_word(a) == 1);
	CHECK(!sim_swap_off(swap));
}

/* A neighbour that was read ahead in vain is read again; who needs the page hears of the error. */
static void read_error(void *arg)
{
	struct page *page;
	swap_entry_t e;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(4);
	page_out(a, 4);
	e = slot_at(a);
	sim_swap_fail(swap, 1, 0);
	page = swap_read(e);
	CHECK(PTR_ERR(page) == -EIO && !slot_cached(e));
	page = swap_read(slot_at(a + P(1)));
	CHECK(!IS_ERR_OR_NULL(page));
	page_put(page);
	CHECK(!sim_swap_off(swap) && load_word(a) == 1);
}

static void killed_reader(void *arg)
{
	struct page *page;

	sim_kill(sim_self());
	page = swap_read(slot_at(a));
	CHECK(PTR_ERR(page) == -EINTR || !IS_ERR_OR_NULL(page));
	if (!IS_ERR_OR_NULL(page))
		page_put(page);
}

static void killed(void *arg)
{
	struct sim_thread *t;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page_out(a, 1);
	t = sim_spawn(sim_mm(), -1, killed_reader, NULL);
	sim_join(t);
	CHECK(load_word(a) == 1 && !sim_swap_off(swap));
}

static void no_memory(void *arg)
{
	struct page *page;

	swap = sim_swap_on(32, SWAP_PRIO_DEFAULT);
	a = enter_filled(1);
	page_out(a, 1);
	sim_failpoint("page_alloc", 1);
	CHECK(PTR_ERR(swap_read(slot_at(a))) == -ENOMEM && sim_failpoint_end("page_alloc"));
	/* No memory for the request is not the device's fault. */
	for (u64 n = 1; n <= 3; n++) {
		sim_failpoint("slab_alloc", n);
		page = swap_read(slot_at(a));
		sim_failpoint_end("slab_alloc");
		CHECK(PTR_ERR(page) == -ENOMEM || !IS_ERR_OR_NULL(page));
		if (!IS_ERR(page))
			page_put(page);
	}
	CHECK(load_word(a) == 1 && !sim_swap_off(swap));
}

/* The owner goes while its page is on the way to the device: nothing stays behind. */
static void owner_goes(void *arg)
{
	struct mm *child;

	swap = sim_swap_on(64, SWAP_PRIO_DEFAULT);
	a = enter_filled(0 + 20);
	child = mm_fork(sim_mm());
	sim_use(NULL);
	for (unsigned i = 0; i < 20; i++) {
		struct page *page = pfn_to_page((pfn_t)sim_entry(child, a + P(i)).payload);
		struct swap_io io;

		swap_io_init(&io);
		page_get(page);
		page_lock(page);
		CHECK(swap_add(page) && page_unmap(page, NULL) == UNMAP_DONE);
		swap_write(&io, page);
		swap_submit(&io);
		page_put(page);
	}
	mm_put(child);
	while (slots_used(swap))
		sim_sleep(1000);
	CHECK(!sim_swap_off(swap));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(merging);
	CASE(write_error);
	CASE(read_error);
	CASE(killed);
	CASE(no_memory);
	CASE(owner_goes);
	return sim_end();
}
