/*
 * test_writeback.c - mm/object/writeback.c: every store reaches the disk, each once, and every failure is told.
 *
 * machine: amd64 pae
 */
#include "mm/service/pin.h"
#include "tests/unit/sim_laws.h"

#define PAGES 100 /* more than one request takes */

static struct sim_file *f;
static struct vm_object *obj;
static vaddr_t a;

static void mapped_file(void)
{
	f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	obj = sim_file_object(f);
	enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
}

static int sync(void)
{
	return sim_file_sync(f);
}

/* A page that was written is clean and write-protected; the next store makes it dirty again. */
static void clean_until_the_next_store(void *arg)
{
	mapped_file();
	store_word(a, 1);
	CHECK(sync() == 0 && disk_word(f, 0) == 1 && !sim_entry(sim_mm(), a).write && !sim_entry(sim_mm(), a).dirty);
	CHECK(!page_test(frame_at(a), PG_DIRTY) && !sim_tlb_stale(true));
	CHECK(sync() == 0 && sim_disk_writes(f, 0) == 1);
	store_word(a, 2);
	CHECK(page_test(frame_at(a), PG_DIRTY) && sync() == 0 && disk_word(f, 0) == 2 && sim_disk_writes(f, 0) == 2);
	sim_file_put(f);
}

/* All of them, once each; and only those of the range that are dirty. */
static void many(void *arg)
{
	mapped_file();
	for (unsigned i = 0; i < PAGES; i++)
		if (i % 7)
			store_word(a + P(i), i);
		else
			CHECK(load_word(a + P(i)) == FILLED(i));
	CHECK(object_writeback(obj, 10, 20, true) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(sim_disk_writes(f, i) == (i >= 10 && i <= 20 && i % 7));
	CHECK(object_writeback(obj, 0, ~0UL, true) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(sim_disk_writes(f, i) == (i % 7 != 0) && disk_word(f, i) == (i % 7 ? i : FILLED(i)));
	sim_file_put(f);
}

/* Every mapping of the page is asked, in every space. */
static void all_mappings(void *arg)
{
	struct mm *child;
	vaddr_t second;
	u64 two = 2;

	mapped_file();
	second = map_pages(1, MAP_SHARED, f, 5);
	CHECK(mm_remap_file_pages(sim_mm(), a, P(1), 0, 5, 0) == 0);
	child = mm_fork(sim_mm());
	store_word(a, 1);
	store_word(second + 8, 1);
	CHECK(mm_access(child, a + P(5) + 16, &two, 8, true) == 8);
	CHECK(sync() == 0 && sim_disk_writes(f, 5) == 1 && disk_word(f, 5) == 1);
	CHECK(!sim_entry(sim_mm(), a).write && !sim_entry(sim_mm(), second).write && !sim_entry(child, a + P(5)).write);
	mm_put(child);
	sim_file_put(f);
}

/* -- while it is being written ---------------------------------------------------------------------------------------------------- */
static void sync_well(void *arg)
{
	CHECK(sync() == 0);
}

/* A store during the transfer waits for it: the disk gets the old content, then the new. */
static void stable_during_io(void *arg)
{
	struct sim_thread *t;

	mapped_file();
	store_word(a, 1);
	sim_disk_delay(f, 1000000);
	t = sim_spawn(NULL, 1, sync_well, NULL);
	sim_sleep(500000);
	CHECK(page_test(frame_at(a), PG_WRITEBACK) && sim_disk_writes(f, 0) == 0 &&
	      load_word(a) == 1); /* reading goes on */
	store_word(a, 2);
	CHECK(sim_disk_writes(f, 0) == 1 && disk_word(f, 0) == 1);
	sim_join(t);
	CHECK(sync() == 0 && disk_word(f, 0) == 2);
	sim_file_put(f);
}

static void store_and_note(void *arg)
{
	store_word(a, 2);
}

/* A store that comes after the look at the entries, before the verdict: it faults, waits and makes dirty again. */
static void store_in_between(void *arg)
{
	const char *const place = "mkclean-before-pin";
	struct sim_thread *t, *writer;

	mapped_file();
	store_word(a, 1);
	t = race_begin(place, sync_well, NULL);
	CHECK(!sim_entry(sim_mm(), a).write);
	writer = sim_spawn(sim_mm(), 2, store_and_note, NULL);
	sim_sleep(1000000);
	race_end(place, t);
	sim_join(writer);
	CHECK(disk_word(f, 0) == 1 && page_test(frame_at(a), PG_DIRTY) && sync() == 0 && disk_word(f, 0) == 2);
	sim_file_put(f);
}

/* Waiting means also for what somebody else is writing. */
static void waits_for_others(void *arg)
{
	struct sim_thread *t;

	mapped_file();
	store_word(a, 1);
	sim_disk_delay(f, 1000000);
	t = sim_spawn(NULL, 1, sync_well, NULL);
	sim_sleep(500000);
	CHECK(object_writeback(obj, 0, ~0UL, false) == 0 && sim_disk_writes(f, 0) == 0); /* only starts: nothing to start */
	CHECK(object_writeback(obj, 0, ~0UL, true) == 0 && sim_disk_writes(f, 0) == 1);
	sim_join(t);
	sim_file_put(f);
}

static void storm(void *arg)
{
	vaddr_t mine = a + 8 * (1 + sim_cpu());

	for (u64 i = 1; i <= 200; i++)
		store_word(mine + P(i % 4), i);
}

/* No store is lost, whenever it comes. */
static void against_stores(void *arg)
{
	struct sim_thread *t[3];

	mapped_file();
	for (unsigned i = 0; i < 3; i++)
		t[i] = sim_spawn(sim_mm(), (int)i + 1, storm, NULL);
	for (unsigned i = 0; i < 30; i++)
		CHECK(sync() == 0);
	for (unsigned i = 0; i < 3; i++)
		sim_join(t[i]);
	CHECK(sync() == 0);
	for (unsigned page = 0; page < 4; page++) {
		u64 words[PAGE_SIZE / sizeof(u64)];

		CHECK(sim_disk_read(f, page, words));
		for (unsigned cpu = 1; cpu < 4; cpu++)
			CHECK(words[1 + cpu] == (page ? 196 + page : 200));
	}
	sim_file_put(f);
}

/* -- pins ---------------------------------------------------------------------------------------------------------------------------- */

/* A page that a device stores into is written each time and never called clean. */
static void pinned(void *arg)
{
	struct page *page;
	u64 *va;

	mapped_file();
	CHECK(pin_user_pages(sim_mm(), a, 1, FOLL_WRITE, &page) == 1);
	for (u64 i = 1; i <= 3; i++) {
		va = page_kmap(page);
		*va = i;
		page_kunmap(va);
		CHECK(sync() == 0 && sim_disk_writes(f, 0) == i && disk_word(f, 0) == i && page_test(page, PG_DIRTY));
	}
	unpin_user_pages(&page, 1, FOLL_WRITE, false);
	CHECK(sync() == 0 && sim_disk_writes(f, 0) == 4 && !page_test(page, PG_DIRTY));
	CHECK(sync() == 0 && sim_disk_writes(f, 0) == 4);
	sim_file_put(f);
}

static void sync_page_2(void *arg)
{
	CHECK(object_writeback(obj, 2, 2, true) == 0);
}

/* Somebody is writing the pinned page already: it is waited for, and written again; the others need not wait for it. */
static void pinned_and_slow(void *arg)
{
	struct sim_thread *t;
	struct page *page;

	mapped_file();
	CHECK(pin_user_pages(sim_mm(), a + P(2), 1, FOLL_WRITE, &page) == 1);
	CHECK(load_word(a) == FILLED(0) && load_word(a + P(1)) == FILLED(1));
	sim_disk_delay(f, 1000000);
	t = sim_spawn(NULL, 1, sync_page_2, NULL);
	sim_sleep(500000);
	CHECK(page_test(page, PG_WRITEBACK) && page_test(page, PG_DIRTY));
	store_word(a, 1);
	store_word(a + P(1), 1);
	CHECK(sync() == 0 && disk_word(f, 0) == 1 && disk_word(f, 1) == 1 && sim_disk_writes(f, 2) == 2);
	sim_join(t);
	unpin_user_pages(&page, 1, FOLL_WRITE, false);
	sim_file_put(f);
}

/* -- failures -------------------------------------------------------------------------------------------------------------------------- */

/* Told once; the page stays dirty, and the next attempt writes it. */
static void failures(void *arg)
{
	static const int errors[] = {-EIO, -ENOSPC};

	mapped_file();
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		store_word(a, i + 1);
		sim_disk_fail_writes(f, 1, errors[i]);
		CHECK(sync() == errors[i] && page_test(frame_at(a), PG_DIRTY) && page_test(frame_at(a), PG_ERROR));
		CHECK(sync() == 0 && disk_word(f, 0) == i + 1 && !page_test(frame_at(a), PG_DIRTY) &&
		      !page_test(frame_at(a), PG_ERROR));
		CHECK(sync() == 0);
	}
	sim_file_put(f);
}

/* One bad page does not keep the others from the disk. */
static void one_of_many_fails(void *arg)
{
	unsigned written = 0;

	mapped_file();
	for (unsigned i = 0; i < 10; i++)
		store_word(a + P(i), i);
	sim_disk_fail_writes(f, 1, -EIO);
	CHECK(sync() == -EIO);
	for (unsigned i = 0; i < 10; i++)
		written += disk_word(f, i) == i;
	CHECK(written == 9 && sync() == 0 && disk_word(f, 0) == 0 && disk_word(f, 9) == 9);
	sim_file_put(f);
}

/* Pages without a device have nowhere to go. */
static void untracked(void *arg)
{
	f = sim_file_create(SIM_FILE_TMPFS, P(1), false);
	enter_space();
	store_word(map_pages(1, MAP_SHARED, f, 0), 1);
	CHECK(object_writeback(sim_file_object(f), 0, ~0UL, true) == 0 && sync() == 0);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(clean_until_the_next_store);
	CASE(many);
	CASE(all_mappings);
	CASE_CALM(stable_during_io);
	CASE_CALM(store_in_between);
	CASE_CALM(waits_for_others);
	CASE(against_stores);
	CASE(pinned);
	CASE_CALM(pinned_and_slow);
	CASE(failures);
	CASE(one_of_many_fails);
	CASE(untracked);
	return sim_end();
}
