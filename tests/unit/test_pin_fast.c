/*
 * test_pin_fast.c - mm/service/pin_fast.c: pins without a lock, against everything that changes entries.
 *
 * machine: all
 * tsan: amd64
 */
#include "kernel/lib/mutation.h"
#include "mm/object/unmap.h"
#include "mm/service/pin.h"

#include "tests/unit/sim_laws.h"

#define PAGES 6
#define ROUNDS 30

static struct mm *mm;
static vaddr_t a;
static struct page *pages[PAGES];

static void some_pages(struct sim_file *f, unsigned flags)
{
	mm = enter_space();
	a = map_pages(PAGES, flags, f, 0);
}

static long fast_only(vaddr_t va, unsigned long nr, unsigned flags)
{
	return pin_user_pages_fast(mm, va, nr, flags | FOLL_FAST_ONLY, pages);
}

static u64 *device(struct page *page)
{
	return page_kmap(page);
}

static u64 device_exchanges(struct page *page, u64 word)
{
	u64 *va = device(page), old = *va;

	*va = word;
	page_kunmap(va);
	return old;
}

/* -- alone ----------------------------------------------------------------------------------------------------------- */

/* What is there is pinned whoever holds the address space's lock. */
static void without_a_lock(void *arg)
{
	unsigned long before = pin_acquired - pin_released;

	some_pages(NULL, MAP_PRIVATE);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), i);
	rwsem_write_lock(&mm->lock);
	CHECK(fast_only(a + 7, PAGES, FOLL_WRITE) == PAGES);
	rwsem_write_unlock(&mm->lock);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(pages[i] == frame_at(a + P(i)) && pages[i]->pins_w == 1 && pages[i]->refs == 2);
	CHECK(pin_acquired - pin_released == before + PAGES);
	unpin_user_pages(pages, PAGES, FOLL_WRITE, true);
	CHECK(fast_only(a, PAGES, 0) == PAGES && pages[0]->pins_r == 1);
	unpin_user_pages(pages, PAGES, 0, false);
	CHECK(get_user_pages_fast(mm, a, 2, FOLL_FAST_ONLY, pages) == 2 && pages[1]->refs == 2 && !page_pins(pages[1]));
	put_user_pages(pages, 2);
	CHECK(pin_acquired - pin_released == before && fast_only(a, 0, 0) == 0);
}

/* Across the tables of the leaf level. */
static void across_tables(void *arg)
{
	vaddr_t border = ALIGN_UP(USER_END / 2, pt_span(1));

	mm = enter_space();
	a = (vaddr_t)sim_mmap(mm, border - P(3), P(PAGES), RW, MAP_PRIVATE | MAP_FIXED, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), i);
	CHECK(fast_only(a, PAGES, FOLL_WRITE) == PAGES && pages[5] == frame_at(a + P(5)));
	unpin_user_pages(pages, PAGES, FOLL_WRITE, false);
}

/* It has to stop, and the slow way goes on from there. */
static void where_it_stops(void *arg)
{
	some_pages(NULL, MAP_PRIVATE);
	CHECK(fast_only(a, 1, 0) == 0); /* no table */
	store_word(a, 1);
	CHECK(fast_only(a, 2, FOLL_WRITE) == 1); /* nothing there */
	unpin_user_pages(pages, 1, FOLL_WRITE, false);
	CHECK(load_word(a + P(1)) == 0 && fast_only(a + P(1), 1, 0) == 0); /* zeros */
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0 && fast_only(a, 1, FOLL_WRITE) == 0 && fast_only(a, 1, 0) == 1);
	unpin_user_pages(pages, 1, 0, false);
	CHECK(mm_mprotect(mm, a, P(1), 0) == 0 && fast_only(a, 1, 0) == 0);
	CHECK(mm_mprotect(mm, a, P(1), RW) == 0);
	CHECK(pin_user_pages_fast(mm, a, PAGES, FOLL_WRITE, pages) == PAGES); /* the first fast, the others not */
	unpin_user_pages(pages, PAGES, FOLL_WRITE, false);
	CHECK(mm_munmap(mm, a + P(3), P(1)) == 0 && pin_user_pages_fast(mm, a, PAGES, FOLL_WRITE, pages) == 3);
	unpin_user_pages(pages, 3, FOLL_WRITE, false);
	CHECK(pin_user_pages_fast(mm, a + P(3), 1, 0, pages) == -EFAULT);
	CHECK(pin_user_pages_fast(mm, a, 1, FOLL_GET, pages) == -EINVAL &&
	      get_user_pages_fast(mm, a, 1, FOLL_LONGTERM, pages) == -EINVAL);
}

/* A file's page: to be read, unless for long; to be written, when a store would need no notice. */
static void file_pages(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);

	some_pages(f, MAP_SHARED);
	CHECK(load_word(a) == FILLED(0) && fast_only(a, 1, FOLL_WRITE) == 0);
	CHECK(fast_only(a, 1, FOLL_LONGTERM) == 0 && fast_only(a, 1, 0) == 1);
	unpin_user_pages(pages, 1, 0, false);
	store_word(a, 1);
	CHECK(fast_only(a, 1, FOLL_WRITE | FOLL_LONGTERM) == 1 && page_leased(pages[0]));
	CHECK(sim_file_sync(f) == 0 && page_test(pages[0], PG_DIRTY)); /* the pin holds it dirty */
	(void)device_exchanges(pages[0], 2);
	unpin_user_pages(pages, 1, FOLL_WRITE, true);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 2 && fast_only(a, 1, FOLL_WRITE) == 0);
	pin_linux_compat = true;
	store_word(a, 3);
	CHECK(fast_only(a, 1, FOLL_WRITE | FOLL_LONGTERM) == 0);
	CHECK(pin_user_pages_fast(mm, a, 1, FOLL_WRITE | FOLL_LONGTERM, pages) == -EFAULT);
	pin_linux_compat = false;
	sim_file_put(f);
}

/* Another address space's pages: the slow way. */
static void of_another_space(void *arg)
{
	struct mm *other;

	some_pages(NULL, MAP_PRIVATE);
	store_word(a, 5);
	other = mm;
	mm_get(other);
	(void)enter_space();
	CHECK(pin_user_pages_fast(other, a, 1, FOLL_FAST_ONLY, pages) == 0);
	CHECK(pin_user_pages_fast(other, a, 1, 0, pages) == 1 && device_exchanges(pages[0], 6) == 5);
	unpin_user_pages(pages, 1, 0, false);
	mm_put(other);
}

/* -- in a chosen order -------------------------------------------------------------------------------------------------- */

static long got;

static void pin_fast_only(void *flags)
{
	got = fast_only(a, 1, (unsigned)(uintptr_t)flags);
}

/*
 * The pinner has seen the entry and not counted yet (at "pin-fast-seen"), interrupts off.  @change is made meanwhile by a
 * thread of its own: its flush waits for the pinner's CPU.
 */
static void changed_while_seen(void (*change)(void *), void *arg, unsigned flags)
{
	struct sim_thread *pinner, *changer;

	pinner = race_begin("pin-fast-seen", pin_fast_only, (void *)(uintptr_t)flags);
	changer = sim_spawn(sim_mm(), 2, change, arg);
	for (unsigned i = 0; i < 50; i++)
		sim_sleep(10000);
	race_end("pin-fast-seen", pinner);
	sim_join(changer);
}

static struct mm *child;

static void fork_it(void *arg)
{
	child = mm_fork(mm);
}

static void against_fork(void *flags)
{
	some_pages(NULL, MAP_PRIVATE);
	store_word(a, 1);
	if (!((uintptr_t)flags & FOLL_WRITE))
		CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0); /* the entry is the same before and after fork */
	changed_while_seen(fork_it, NULL, (unsigned)(uintptr_t)flags);
	CHECK(got == 0 && !page_pins(frame_at(a)) && !page_test(frame_at(a), PG_ANON_EXCLUSIVE));
	mm_put(child);
}

static void write_pin_against_fork(void *arg)
{
	against_fork((void *)(uintptr_t)FOLL_WRITE);
}

static void read_pin_against_fork(void *arg)
{
	against_fork(NULL);
}

static void write_back(void *file)
{
	CHECK(sim_file_sync(file) == 0);
}

static void against_writeback(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);

	some_pages(f, MAP_SHARED);
	store_word(a, 3);
	changed_while_seen(write_back, f, FOLL_WRITE);
	CHECK(got == 0 && !page_pins(frame_at(a)) && !page_test(frame_at(a), PG_DIRTY) && disk_word(f, 0) == 3);
	sim_file_put(f);
}

static void unmap_it(void *arg)
{
	CHECK(mm_munmap(mm, a, P(1)) == 0);
}

static void against_munmap(void *arg)
{
	some_pages(NULL, MAP_PRIVATE);
	store_word(a, 3);
	changed_while_seen(unmap_it, NULL, FOLL_WRITE);
	CHECK(got == 0 && kind_at(a) == PTE_KIND_NONE);
}

/* Counted before the entry changed: then the change must see it. */
static void counted_before_fork(void *arg)
{
	some_pages(NULL, MAP_PRIVATE);
	store_word(a, 1);
	CHECK(fast_only(a, 1, 0) == 1);
	fork_it(NULL);
	CHECK(frame_at(a) == pages[0] && page_test(pages[0], PG_ANON_EXCLUSIVE) &&
	      sim_entry(child, a).payload != page_to_pfn(pages[0]));
	unpin_user_pages(pages, 1, 0, false);
	mm_put(child);
}

/* -- in any order ------------------------------------------------------------------------------------------------------- */

static bool stop;

static void fork_on(void *arg)
{
	while (!READ_ONCE(stop)) {
		struct mm *c = mm_fork(mm);

		if (!IS_ERR(c))
			mm_put(c);
		sim_point();
	}
}

/* T1-06: for each pin, the device's page is the one that the parent goes on seeing. */
static void storm_fork(void *arg)
{
	struct sim_thread *t;
	struct page *page;
	unsigned fast = 0;

	some_pages(NULL, MAP_PRIVATE);
	stop = false;
	t = sim_spawn(mm, -1, fork_on, NULL);
	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned flags = i & 1 ? FOLL_WRITE : 0;

		store_word(a, i);
		if (pin_user_pages_fast(mm, a, 1, flags | FOLL_FAST_ONLY, &page) == 1)
			fast++;
		else
			CHECK(pin_user_pages_fast(mm, a, 1, flags, &page) == 1);
		store_word(a, i + 1000);
		CHECK(device_exchanges(page, i + 2000) == i + 1000);
		CHECK(load_word(a) == i + 2000);
		unpin_user_pages(&page, 1, flags, flags);
	}
	stop = true;
	sim_join(t);
}

static void sync_on(void *file)
{
	while (!READ_ONCE(stop)) {
		CHECK(sim_file_sync(file) == 0);
		sim_point();
	}
}

static void remap_on(void *file)
{
	while (!READ_ONCE(stop)) {
		vaddr_t b = map_pages(1, MAP_SHARED, file, 0);

		store_word(b + 8, 1);
		CHECK(mm_munmap(mm, b, P(1)) == 0);
	}
}

/* T1-15 in small: every store of the device is on the disk in the end. */
static void storm_writeback(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct sim_thread *t[2];
	struct page *page;

	some_pages(f, MAP_SHARED);
	stop = false;
	t[0] = sim_spawn(mm, -1, sync_on, f);
	t[1] = sim_spawn(mm, -1, remap_on, f);
	for (unsigned i = 1; i <= ROUNDS; i++) {
		CHECK(pin_user_pages_fast(mm, a, 1, FOLL_WRITE, &page) == 1);
		(void)device_exchanges(page, i);
		unpin_user_pages(&page, 1, FOLL_WRITE, true);
		if (i % 10 == 0)
			CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == i);
	}
	stop = true;
	sim_join(t[0]);
	sim_join(t[1]);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == ROUNDS && !page_test(frame_at(a), PG_DIRTY));
	sim_file_put(f);
}

/* The tests of a chosen order must notice what they are for. */
static void blind_to_fork(void *arg)
{
	mutation_active = 13;
	write_pin_against_fork(NULL);
}

static void blind_to_writeback(void *arg)
{
	mutation_active = 13;
	against_writeback(NULL);
}

static void must_complain(const char *name, void (*fn)(void *))
{
	struct sim_config c = *CALM;

	c.mute = true;
	sim_case_ends(name, &c, fn, SIM_COMPLAINED);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(without_a_lock);
	CASE(across_tables);
	CASE(where_it_stops);
	CASE(file_pages);
	CASE(of_another_space);
	CASE_CALM(write_pin_against_fork);
	CASE_CALM(read_pin_against_fork);
	CASE_CALM(against_writeback);
	CASE_CALM(against_munmap);
	CASE(counted_before_fork);
	CASE(storm_fork);
	CASE(storm_writeback);
	if (!sim_threads()) {
		must_complain("blind_to_fork", blind_to_fork);
		must_complain("blind_to_writeback", blind_to_writeback);
	}
	return sim_end();
}
