/*
 * test_fault_file.c - mm/space/fault_file.c: pages of files come in, and the file learns of the first store.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

#define PAGES 3

static struct sim_file *f;
static vaddr_t a;

static void map_file(enum sim_file_kind kind, unsigned flags)
{
	f = sim_file_create(kind, P(PAGES), true);
	enter_space();
	a = map_pages(PAGES, flags, f, 0);
}

static void done(void)
{
	sim_file_put(f);
}

/* -- write-notify --------------------------------------------------------------------------------------------------------- */

/* A page that was only read is mapped without hardware RW, so that the first store is seen; then it is dirty. */
static void first_store_is_noticed(void *arg)
{
	struct page *page;

	map_file(SIM_FILE_DISK, MAP_SHARED);
	CHECK(load_word(a) == FILLED(0));
	page = frame_at(a);
	CHECK(!sim_entry(sim_mm(), a).write && !page_test(page, PG_DIRTY));
	store_word(a, 1);
	CHECK(frame_at(a) == page && sim_entry(sim_mm(), a).write && page_test(page, PG_DIRTY));
	CHECK(page->mapcount == 1 && page->refs == 2);
	done();
}

/* A store that comes first maps the page writable at once. */
static void store_first(void *arg)
{
	map_file(SIM_FILE_DISK, MAP_SHARED);
	CHECK(mm_fault(sim_mm(), a, FAULT_WRITE) == FAULT_OK);
	CHECK(sim_entry(sim_mm(), a).write && page_test(frame_at(a), PG_DIRTY));
	done();
}

/* Nobody writes tmpfs pages back: nothing to notice. */
static void tmpfs_needs_no_notice(void *arg)
{
	map_file(SIM_FILE_TMPFS, MAP_SHARED);
	CHECK(load_word(a) == 0 && sim_entry(sim_mm(), a).write);
	CHECK(mm_fault(sim_mm(), a + P(1), FAULT_WRITE) == FAULT_OK && sim_entry(sim_mm(), a + P(1)).write);
	done();
}

/* No room for what the store would make: SIGBUS, and the entry stays as it is; reading goes on. */
static void no_space(void *arg)
{
	u64 word = 5;

	map_file(SIM_FILE_DISK, MAP_SHARED);
	sim_disk_fail_reserve(f, 2, -ENOSPC);
	CHECK(load_word(a) == FILLED(0));
	CHECK(sim_store(a, &word, sizeof(word)) == FAULT_SIGBUS);        /* mapped already */
	CHECK(sim_store(a + P(1), &word, sizeof(word)) == FAULT_SIGBUS); /* not mapped yet */
	CHECK(!sim_entry(sim_mm(), a).write && kind_at(a + P(1)) == PTE_KIND_NONE && !page_test(frame_at(a), PG_DIRTY));
	CHECK(load_word(a) == FILLED(0) && load_word(a + P(1)) == FILLED(1));
	store_word(a, word);
	store_word(a + P(1), word);
	done();
}

/* -- where there is nothing --------------------------------------------------------------------------------------------------- */
static void beyond_the_end(void *arg)
{
	map_file(SIM_FILE_DISK, MAP_SHARED);
	sim_file_truncate(f, P(1) + 8);
	CHECK(load_word(a + P(1) + 16) == 0); /* the rest of the last page is there, and zero */
	CHECK(sim_touch(a + P(2), FAULT_READ) == FAULT_SIGBUS && sim_touch(a + P(2), FAULT_WRITE) == FAULT_SIGBUS);
	CHECK(kind_at(a + P(2)) == PTE_KIND_NONE && !pagecache_find(sim_file_object(f), 2));
	sim_file_truncate(f, P(3));
	CHECK(load_word(a + P(2)) == 0);
	done();
}

/* The device fails once: SIGBUS once. */
static void read_error(void *arg)
{
	map_file(SIM_FILE_DISK, MAP_SHARED);
	sim_disk_fail_reads(f, 1, -EIO);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_SIGBUS && kind_at(a) == PTE_KIND_NONE);
	CHECK(load_word(a) == FILLED(0) && sim_disk_reads(f, 0) == 2);
	done();
}

static void reads_too_late(void *arg)
{
	CHECK(sim_touch(a + P(1), FAULT_READ) == FAULT_SIGBUS);
}

/* The file becomes shorter while the page is on its way. */
static void truncated_meanwhile(void *arg)
{
	struct sim_thread *t;

	map_file(SIM_FILE_DISK, MAP_SHARED);
	sim_disk_delay(f, 1000000);
	t = sim_spawn(sim_mm(), 1, reads_too_late, NULL);
	sim_sleep(500000);
	sim_file_truncate(f, P(1));
	sim_join(t);
	CHECK(kind_at(a + P(1)) == PTE_KIND_NONE);
	done();
}

static enum fault_result wait_for(pgoff_t pgoff)
{
	struct fault_io io = {.file = sim_file_handle(f), .object = sim_file_object(f), .pgoff = pgoff};

	sim_file_get(f);
	return fault_wait(&io);
}

/* Waiting for what is not in the file any more is not an error: the next try will say what it is. */
static void waits(void *arg)
{
	map_file(SIM_FILE_DISK, MAP_SHARED);
	CHECK(wait_for(0) == FAULT_OK && sim_disk_reads(f, 0) == 1 && wait_for(PAGES) == FAULT_OK);
	sim_disk_fail_reads(f, 1, -EIO);
	CHECK(wait_for(1) == FAULT_SIGBUS);
	sim_disk_fail_reads(f, 1, -EINTR);
	CHECK(wait_for(1) == FAULT_KILLED);
	sim_failpoint("page_alloc", 1);
	CHECK(wait_for(2) == FAULT_OOM && sim_failpoint_end("page_alloc") == 1);
	done();
}

/* -- private mappings ----------------------------------------------------------------------------------------------------------- */

/* A store that comes first goes to a copy at once; the page of the file is not mapped at all. */
static void store_to_private(void *arg)
{
	struct page *page;

	map_file(SIM_FILE_DISK, MAP_PRIVATE);
	CHECK(mm_fault(sim_mm(), a, FAULT_WRITE) == FAULT_OK);
	page = frame_at(a);
	CHECK(page_test(page, PG_ANON_EXCLUSIVE) && !page_object(page) && sim_entry(sim_mm(), a).dirty);
	CHECK(load_word(a) == FILLED(0));
	page = pagecache_find(sim_file_object(f), 0);
	CHECK(page->mapcount == 0 && !page_test(page, PG_DIRTY));
	page_put(page);
	done();
}

/* A file without a device gets its pages in the fault itself. */
static void no_memory_for_tmpfs(void *arg)
{
	map_file(SIM_FILE_TMPFS, MAP_SHARED);
	CHECK(load_word(a + P(1)) == 0); /* tables */
	sim_failpoint("page_alloc", 1);
	CHECK(mm_fault(sim_mm(), a, FAULT_READ) == FAULT_OOM && sim_failpoint_end("page_alloc") == 1);
	CHECK(kind_at(a) == PTE_KIND_NONE && load_word(a) == 0);
	done();
}

static void no_memory_for_copy(void *arg)
{
	map_file(SIM_FILE_DISK, MAP_PRIVATE);
	CHECK(load_word(a + P(1)) == FILLED(1)); /* tables */
	CHECK(wait_for(0) == FAULT_OK);
	sim_failpoint("page_alloc", 1);
	CHECK(mm_fault(sim_mm(), a, FAULT_WRITE) == FAULT_OOM && sim_failpoint_end("page_alloc") == 1);
	CHECK(kind_at(a) == PTE_KIND_NONE);
	done();
}

static void store_other_word(void *arg)
{
	store_word(a + 8, 1);
}

/* Two threads make the copy: one of the two is it. */
static void copy_is_overtaken(void *arg)
{
	const char *const place = "fault-mapped";
	struct sim_thread *t;

	map_file(SIM_FILE_DISK, MAP_PRIVATE);
	t = race_begin(place, store_other_word, NULL);
	store_word(a, 8);
	race_end(place, t);
	CHECK(load_word(a) == 8 && load_word(a + 8) == 1 && frame_at(a)->mapcount == 1);
	done();
}

static void write_protect_it(void *arg)
{
	CHECK(sim_file_sync(f) == 0);
}

/* Writeback cannot come between the notice and the entry's RW: the store that follows would never be seen again. */
static void notice_and_right_are_one(void *arg)
{
	const char *const place = "fault-mapped";
	struct sim_thread *t, *sync;

	map_file(SIM_FILE_DISK, MAP_SHARED);
	CHECK(wait_for(0) == FAULT_OK);
	t = race_begin(place, store_other_word, NULL);
	sync = sim_spawn(NULL, 2, write_protect_it, NULL);
	sim_sleep(1000000);
	CHECK(sim_disk_writes(f, 0) == 0); /* it waits for the page lock */
	race_end(place, t);
	sim_join(sync);
	CHECK(sim_file_sync(f) == 0 && !sim_entry(sim_mm(), a).write);
	done();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(first_store_is_noticed);
	CASE(store_first);
	CASE(tmpfs_needs_no_notice);
	CASE(no_space);
	CASE(beyond_the_end);
	CASE(read_error);
	CASE_CALM(truncated_meanwhile);
	CASE(waits);
	CASE(store_to_private);
	CASE_CALM(no_memory_for_tmpfs);
	CASE_CALM(no_memory_for_copy);
	CASE_CALM(copy_is_overtaken);
	CASE_CALM(notice_and_right_are_one);
	return sim_end();
}
