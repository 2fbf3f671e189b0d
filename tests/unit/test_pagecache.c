/*
 * test_pagecache.c - mm/object/pagecache.c: one page for each offset, whoever asks, whatever goes wrong.
 *
 * machine: amd64
 */
#include "mm/object/pagecache.h"

#include "tests/unit/sim_laws.h"

#define PAGES 4

static struct sim_file *f;
static struct vm_object *obj;

static void file(enum sim_file_kind kind)
{
	f = sim_file_create(kind, P(PAGES), true);
	obj = sim_file_object(f);
}

static u64 word_of(struct page *page)
{
	u64 *va = page_kmap(page), word = *va;

	page_kunmap(va);
	return word;
}

static void let_go(struct page *page)
{
	page_unlock(page);
	page_put(page);
}

/* -- find, create, read ---------------------------------------------------------------------------------------------------------- */

/* A page that was created belongs to the cache and its finder, and is not worth anything yet. */
static void create_and_find(void *arg)
{
	struct page *page, *again;

	file(SIM_FILE_DISK);
	CHECK(!pagecache_find(obj, 1));
	page = pagecache_get_locked(obj, 1);
	CHECK(page_test(page, PG_LOCKED) && !page_test(page, PG_UPTODATE) && page->object == obj && page->index == 1);
	CHECK(page->refs == 2 && obj->nr_pages == 1 && sim_disk_reads(f, 1) == 0);
	again = pagecache_find(obj, 1);
	CHECK(again == page && page->refs == 3 && !pagecache_find(obj, 0) && !pagecache_find(obj, 2));
	page_put(again);
	let_go(page);
	again = pagecache_get_locked(obj, 1);
	CHECK(again == page);
	let_go(again);
	sim_file_put(f);
}

/* Once from the disk, then from the cache. */
static void reads_once(void *arg)
{
	struct page *page, *again;

	file(SIM_FILE_DISK);
	page = pagecache_read(obj, 2);
	again = pagecache_read(obj, 2);
	CHECK(page == again && page_test(page, PG_UPTODATE) && !page_test(page, PG_LOCKED) && word_of(page) == FILLED(2));
	CHECK(sim_disk_reads(f, 2) == 1);
	page_put(page);
	page_put(again);
	page = pagecache_read(obj, PAGES + 5); /* the size is the caller's affair */
	CHECK(!IS_ERR(page) && word_of(page) == 0);
	page_put(page);
	sim_file_put(f);
}

/* The error is the reader's; the next one tries again. */
static void read_errors(void *arg)
{
	static const int errors[] = {-EIO, -ENOMEM};
	struct page *page;

	file(SIM_FILE_DISK);
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		sim_disk_fail_reads(f, 1, errors[i]);
		CHECK(PTR_ERR(pagecache_read(obj, 0)) == errors[i]);
	}
	page = pagecache_read(obj, 0);
	CHECK(word_of(page) == FILLED(0) && page->refs == 2);
	page_put(page);
	sim_file_put(f);
}

static long read_one(void)
{
	struct page *page = pagecache_read(obj, 1u << 20);

	if (IS_ERR(page))
		return PTR_ERR(page);
	page_put(page);
	return 0;
}

static void nothing_cached(void)
{
	CHECK(obj->nr_pages == 0 && !pagecache_find(obj, 1u << 20));
}

static void no_memory(void *arg)
{
	file(SIM_FILE_DISK);
	CHECK(each_fails("page_alloc", read_one, nothing_cached) >= 1);
	pagecache_drop(obj, 0, ~0UL);
	CHECK(each_fails("slab_alloc", read_one, nothing_cached) >= 1);
	sim_file_put(f);
}

/* -- many at once ------------------------------------------------------------------------------------------------------------------ */
static struct page *seen[4];

static void slow_reader(void *arg)
{
	seen[sim_cpu()] = pagecache_read(obj, 0);
}

/* Four readers of a slow disk: one transfer, one page. */
static void one_transfer(void *arg)
{
	struct sim_thread *t[3];

	file(SIM_FILE_DISK);
	sim_disk_delay(f, 1000000);
	for (unsigned i = 0; i < 3; i++)
		t[i] = sim_spawn(NULL, (int)i + 1, slow_reader, NULL);
	slow_reader(NULL);
	for (unsigned i = 0; i < 3; i++) {
		sim_join(t[i]);
		CHECK(seen[i + 1] == seen[0]);
		page_put(seen[i + 1]);
	}
	CHECK(sim_disk_reads(f, 0) == 1 && seen[0]->refs == 2);
	page_put(seen[0]);
	sim_file_put(f);
}

static void look_up(void *arg)
{
	for (unsigned i = 0; i < 100; i++) {
		pgoff_t index = sim_below(PAGES);
		struct page *page = pagecache_get_locked(obj, index);

		CHECK(page->object == obj && page->index == index && page_test(page, PG_LOCKED));
		let_go(page);
	}
}

static void drop(void *arg)
{
	for (unsigned i = 0; i < 100; i++)
		pagecache_drop(obj, sim_below(PAGES), PAGES);
}

/* Whoever gets a page locked gets the object's page, even if it was dropped while he waited. */
static void lookup_against_drop(void *arg)
{
	struct sim_thread *t[4];

	file(SIM_FILE_DISK);
	for (unsigned i = 0; i < 4; i++)
		t[i] = sim_spawn(NULL, -1, i == 3 ? drop : look_up, NULL);
	for (unsigned i = 0; i < 4; i++)
		sim_join(t[i]);
	pagecache_drop(obj, 0, ~0UL);
	CHECK(obj->nr_pages == 0);
	sim_file_put(f);
}

/* -- dirty -------------------------------------------------------------------------------------------------------------------------- */
static void dirty_page_is_written(void *arg)
{
	struct page *page;

	file(SIM_FILE_DISK);
	page = pagecache_read(obj, 3);
	page_lock(page);
	pagecache_set_dirty(page);
	pagecache_set_dirty(page); /* the second time says nothing new */
	CHECK(page_test(page, PG_DIRTY));
	let_go(page);
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 3) == 1 && sim_disk_writes(f, 2) == 0);
	sim_file_put(f);
}

static void dirty_tmpfs_goes_nowhere(void *arg)
{
	struct page *page;

	file(SIM_FILE_TMPFS);
	page = pagecache_read(obj, 0);
	CHECK(page_test(page, PG_SWAPBACKED));
	page_lock(page);
	pagecache_set_dirty(page);
	let_go(page);
	CHECK(object_writeback(obj, 0, ~0UL, true) == 0);
	sim_file_put(f);
}

/* A page about to change: the file system has room for it, or it is not dirty. */
static void reservation(void *arg)
{
	struct page *page;

	file(SIM_FILE_DISK);
	page = pagecache_read(obj, 0);
	page_lock(page);
	sim_disk_fail_reserve(f, 1, -ENOSPC);
	CHECK(pagecache_mkwrite(obj, page) == -ENOSPC && !page_test(page, PG_DIRTY));
	CHECK(pagecache_reserve(obj, page) == 0 && !page_test(page, PG_DIRTY));
	CHECK(pagecache_mkwrite(obj, page) == 0 && page_test(page, PG_DIRTY));
	let_go(page);
	sim_file_put(f);
}

static void write_slowly(void *arg)
{
	CHECK(sim_file_sync(f) == 0);
}

/* What the device is reading does not change: a reservation waits for it, and so does dropping. */
static void stable_pages(void *arg)
{
	struct sim_thread *t;
	struct page *page;

	for (unsigned dropped = 0; dropped < 2; dropped++) {
		file(SIM_FILE_DISK);
		page = pagecache_read(obj, 0);
		page_lock(page);
		CHECK(pagecache_mkwrite(obj, page) == 0);
		page_unlock(page);
		sim_disk_delay(f, 1000000);
		t = sim_spawn(NULL, 1, write_slowly, NULL);
		sim_sleep(500000);
		CHECK(page_test(page, PG_WRITEBACK) && sim_disk_writes(f, 0) == 0);
		if (dropped) {
			pagecache_drop(obj, 0, 0);
		} else {
			page_lock(page);
			CHECK(pagecache_reserve(obj, page) == 0);
			page_unlock(page);
		}
		CHECK(!page_test(page, PG_WRITEBACK) && sim_disk_writes(f, 0) == 1);
		sim_join(t);
		page_put(page);
		sim_file_put(f);
	}
}

/* -- drop ---------------------------------------------------------------------------------------------------------------------------- */

/* Exactly the range, dirty or not; a borrower keeps the frame, which belongs to nobody then. */
static void drops_the_range(void *arg)
{
	struct page *pages[PAGES];

	file(SIM_FILE_DISK);
	for (unsigned i = 0; i < PAGES; i++)
		pages[i] = pagecache_read(obj, i);
	page_lock(pages[1]);
	CHECK(pagecache_mkwrite(obj, pages[1]) == 0);
	page_unlock(pages[1]);
	pagecache_drop(obj, 1, 2);
	CHECK(obj->nr_pages == 2 && !pagecache_find(obj, 1) && !pagecache_find(obj, 2));
	for (unsigned i = 0; i < PAGES; i++) {
		bool gone = i == 1 || i == 2;

		CHECK((pages[i]->object == NULL) == gone && pages[i]->refs == (gone ? 1 : 2) && !page_test(pages[i], PG_DIRTY));
		page_put(pages[i]);
	}
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 1) == 0);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(create_and_find);
	CASE(reads_once);
	CASE(read_errors);
	CASE_CALM(no_memory);
	CASE(one_transfer);
	CASE(lookup_against_drop);
	CASE(dirty_page_is_written);
	CASE(dirty_tmpfs_goes_nowhere);
	CASE(reservation);
	CASE_CALM(stable_pages);
	CASE(drops_the_range);
	return sim_end();
}
