/*
 * test_page.c - mm/phys/page.c: the page lock, waiting for writeback, content wherever the frame lies.
 *
 * machine: amd64 i386
 * tsan: amd64
 */
#include "tests/unit/sim_space.h"

#include "kernel/sync/completion.h"
#include "mm/phys/phys.h"

#define THREADS 4
#define ROUNDS 50

static struct page *page;

/* -- the lock --------------------------------------------------------------------------------------------------------- */
static unsigned inside, total;

static void lock_storm_thread(void *arg)
{
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (sim_below(4) == 0) {
			if (!page_try_lock(page))
				continue;
		} else {
			page_lock(page);
		}
		CHECK(inside++ == 0);
		sim_yield();
		total++;
		CHECK(--inside == 0);
		page_unlock(page);
		sim_yield();
	}
}

/* One thread at a time, and nobody sleeps for ever. */
static void lock_excludes(void *arg)
{
	struct sim_thread *threads[THREADS];

	page = page_alloc(0, GFP_USER);
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = sim_spawn(NULL, -1, lock_storm_thread, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		sim_join(threads[i]);
	CHECK(total > ROUNDS && !page_test(page, PG_LOCKED));
	page_put(page);
}

static void try_lock_never_waits(void *arg)
{
	page = page_alloc(0, GFP_USER);
	CHECK(page_try_lock(page) && page_test(page, PG_LOCKED));
	CHECK(!page_try_lock(page));
	page_unlock(page);
	sim_failpoint("page_trylock", 1);
	CHECK(!page_try_lock(page) && !page_test(page, PG_LOCKED));
	CHECK(sim_failpoint_end("page_trylock") == 1);
	CHECK(page_lock_killable(page) == 0 && page_test(page, PG_LOCKED));
	page_unlock(page);
	page_put(page);
}

static void wait_to_be_killed(void *arg)
{
	CHECK(page_lock_killable(page) == -EINTR);
}

/* A killed waiter gives up and holds nothing; the owner keeps the lock. */
static void killed_waiter(void *arg)
{
	struct sim_thread *t;

	page = page_alloc(0, GFP_USER);
	page_lock(page);
	t = sim_spawn(NULL, 1, wait_to_be_killed, NULL);
	sim_sleep(1000000);
	sim_kill(t);
	sim_join(t);
	CHECK(page_test(page, PG_LOCKED));
	page_unlock(page);
	page_put(page);
}

static void unlock_unlocked(void *arg)
{
	page = page_alloc(0, GFP_USER);
	page_unlock(page);
}

/* -- writeback ---------------------------------------------------------------------------------------------------------- */
static bool over;

static void await_writeback(void *arg)
{
	page_lock(page); /* may be held, see page.h */
	page_wait_writeback(page);
	CHECK(READ_ONCE(over) && !page_test(page, PG_WRITEBACK));
	page_unlock(page);
}

/* Its end wakes who waits, and who waits for the lock of the same page as well is not lost. */
static void writeback_ends(void *arg)
{
	struct sim_thread *threads[THREADS];

	page = page_alloc(0, GFP_USER);
	page_set(page, PG_WRITEBACK);
	for (unsigned i = 0; i < THREADS; i++)
		threads[i] = sim_spawn(NULL, -1, await_writeback, NULL);
	sim_sleep(1000000);
	WRITE_ONCE(over, true);
	page_end_writeback(page);
	for (unsigned i = 0; i < THREADS; i++)
		sim_join(threads[i]);
	CHECK(!page_test(page, PG_WAITERS));
	page_put(page);
}

static void writeback_that_never_began(void *arg)
{
	page = page_alloc(0, GFP_USER);
	page_end_writeback(page);
}

/* -- references ----------------------------------------------------------------------------------------------------------- */

/* A frame on its way back cannot be caught any more. */
static void try_get_needs_a_reference(void *arg)
{
	page = page_alloc(0, GFP_USER);
	CHECK(page_try_get(page) && page->refs == 2);
	page_put(page);
	page->refs = 0;
	CHECK(!page_try_get(page) && page->refs == 0);
	page->refs = 1;
	page_put(page);
}

/* -- content ---------------------------------------------------------------------------------------------------------------- */

/* Every frame can be reached, also one that is not direct-mapped; two at once. */
static void content(void *arg)
{
	struct page *from = page_alloc(0, GFP_HIGH), *to = page_alloc(0, GFP_HIGH);
	u8 *a, *b;

	CHECK((page_zone(from) == &zones[ZONE_LOW]) == !zones[ZONE_MID].present);
	a = page_kmap(from);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		a[i] = (u8)(i * 7);
	page_kunmap(a);
	page_copy(to, from);
	page_zero(from);
	a = page_kmap(from);
	b = page_kmap(to);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		CHECK(a[i] == 0 && b[i] == (u8)(i * 7));
	page_kunmap(b);
	page_kunmap(a);
	page_put(from);
	page_put(to);
}

static void address_and_back(void *arg)
{
	u8 *va;

	page = page_alloc(2, GFP_KERNEL);
	va = page_address(page);
	CHECK(virt_to_page(va) == page && virt_to_page(va + PAGE_SIZE - 1) == page);
	CHECK(virt_to_page(va + PAGE_SIZE) == page + 1 && page_kmap(page) == va);
	CHECK(pfn_to_page(page_to_pfn(page)) == page);
	page_free(page, 2);
}

static void no_such_frame(void *arg)
{
	virt_to_page(phys_to_virt((paddr_t)max_pfn << PAGE_SHIFT));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(lock_excludes);
	CASE_CALM(try_lock_never_waits);
	CASE(killed_waiter);
	CASE(writeback_ends);
	CASE(try_get_needs_a_reference);
	CASE(content);
	CASE(address_and_back);
	CASE_PANICS(unlock_unlocked);
	CASE_PANICS(writeback_that_never_began);
	CASE_PANICS(no_such_frame);
	return sim_end();
}
