/*
 * test_readahead.c - mm/object/readahead.c: pages are there before they are asked for, each is read once, in few requests;
 * and what looks at or gives up pages that are there: object_ready(), pagecache_shed().
 *
 * machine: amd64 i386
 */
#include "mm/object/readahead.h"

#include "mm/object/pagecache.h"
#include "tests/unit/sim_laws.h"

#define PAGES 512
#define FIRST 4    /* the first window */
#define MOST 128   /* the largest */
#define REQUEST 64 /* pages of the longest request */
#define CALL 1024  /* pages of one call that are looked at */

static struct sim_file *f;
static struct vm_object *obj;
static struct readahead ra;

static void file(pgoff_t pages)
{
	f = sim_file_create(SIM_FILE_DISK, P(pages), true);
	sim_file_batched(f);
	obj = sim_file_object(f);
	ra = (struct readahead){0};
}

/* Idle and worth something: nobody but the cache refers to it. */
static bool is_there(pgoff_t index)
{
	struct page *page = pagecache_find(obj, index);
	bool good;

	if (!page)
		return false;
	good = page_test(page, PG_UPTODATE) && !page_test(page, PG_LOCKED) && page->refs == 2;
	page_put(page);
	return good;
}

/* Just [first, end) of the first @pages is cached and was read, each page once. */
static bool just_read(pgoff_t first, pgoff_t end, pgoff_t pages)
{
	for (pgoff_t i = 0; i < pages; i++) {
		bool in = i >= first && i < end;

		if (is_there(i) != in || sim_disk_reads(f, i) != in)
			return false;
	}
	return obj->nr_pages == end - first;
}

/* -- ranges ------------------------------------------------------------------------------------------------------------ */
static void range(void *arg)
{
	file(PAGES);
	readahead_range(obj, 5, 9);
	CHECK(just_read(5, 10, PAGES) && sim_disk_requests(f) == 1);
	readahead_range(obj, 7, 7);
	CHECK(just_read(5, 10, PAGES) && sim_disk_requests(f) == 1);
	readahead_range(obj, 9, 8); /* empty */
	CHECK(just_read(5, 10, PAGES));
	sim_file_put(f);
}

/* What is cached is not read again, and parts the requests (that a request is of consecutive pages, the disk checks). */
static void cached_pages(void *arg)
{
	struct page *page;

	file(PAGES);
	page = pagecache_read(obj, 4);
	page_lock(page);
	CHECK(pagecache_mkwrite(obj, page) == 0);
	page_unlock(page);
	page_put(page);
	readahead_range(obj, 0, 9);
	CHECK(page_test(page, PG_DIRTY) && sim_disk_requests(f) == 2);
	CHECK(just_read(0, 10, PAGES));
	sim_file_put(f);
}

static void long_range(void *arg)
{
	file(PAGES);
	readahead_range(obj, 1, REQUEST);
	CHECK(just_read(1, REQUEST + 1, PAGES) && sim_disk_requests(f) == 1);
	readahead_range(obj, REQUEST + 1, 3 * REQUEST + 1);
	CHECK(just_read(1, 3 * REQUEST + 2, PAGES) && sim_disk_requests(f) == 4);
	sim_file_put(f);
}

/* Up to the end of the file; its last page may be there in part. */
static void end_of_file(void *arg)
{
	file(10);
	sim_file_truncate(f, P(8) - 100);
	pagecache_drop(obj, 0, ~0UL); /* truncating looks at the last page */
	CHECK(sim_disk_reads(f, 7) == 1);
	readahead_range(obj, 0, ~0UL);
	for (pgoff_t i = 0; i < 10; i++)
		CHECK(is_there(i) == (i < 8));
	CHECK(sim_disk_reads(f, 7) == 2 && sim_disk_reads(f, 8) == 0);
	readahead_range(obj, 8, 20);
	readahead_range(obj, ~0UL, ~0UL);
	CHECK(obj->nr_pages == 8 && sim_disk_requests(f) == 1);
	sim_file_put(f);
}

/* A file without read_pages is read when somebody needs it. */
static void file_without(void *arg)
{
	f = sim_file_create(SIM_FILE_TMPFS, P(9), false);
	obj = sim_file_object(f);
	ra = (struct readahead){0};
	readahead_range(obj, 0, 8);
	readahead_access(obj, &ra, 0, 4);
	CHECK(obj->nr_pages == 0 && ra.end == 0);
	sim_file_put(f);
}

/* -- the guess ----------------------------------------------------------------------------------------------------------- */

/*
 * Page by page from the start: at least half a window is always there ahead, at most a window, and the window doubles
 * each time it is topped up until it is full; a topping up is half a window at least, and once the window is full just
 * that: one request of the largest size.
 */
static void sequential(void *arg)
{
	unsigned window = 0, requests = 0;
	pgoff_t old = 0;

	file(PAGES);
	for (pgoff_t i = 0; i < PAGES - MOST; i++) {
		readahead_access(obj, &ra, i, 1);
		if (sim_disk_requests(f) != requests) {
			CHECK(sim_disk_requests(f) - requests <= (window == MOST ? 1 : 2) && ra.end - old >= ra.window / 2);
			CHECK(window != MOST || ra.end - old == REQUEST);
			requests = sim_disk_requests(f);
			old = ra.end;
			window = window ? min(2 * window, (unsigned)MOST) : FIRST;
		}
		CHECK(ra.window == window && ra.next == i + 1 && ra.end >= i + 1 + window / 2 && ra.end <= i + 1 + window);
		CHECK(just_read(0, ra.end, i + 2 * MOST));
	}
	CHECK(window == MOST && requests <= 7 + (PAGES - MOST) / REQUEST);
	sim_file_put(f);
}

/* Several pages at a time, the last of them perhaps twice: sequential as well. */
static void in_pieces(void *arg)
{
	file(PAGES);
	for (pgoff_t i = 0; i < 195; i += 3) {
		readahead_access(obj, &ra, i, 4); /* pages 3, 6, ... end one piece and begin the next */
		CHECK(ra.window && ra.end > i + 4 && just_read(0, ra.end, PAGES));
	}
	CHECK(ra.window == MOST);
	sim_file_put(f);
}

/* One call for much more than a window: all of it, and a window ahead. */
static void large_access(void *arg)
{
	file(PAGES);
	readahead_access(obj, &ra, 0, 100);
	CHECK(ra.next == 100 && ra.window == FIRST && just_read(0, 100 + FIRST, PAGES));
	readahead_access(obj, &ra, 100, 100);
	CHECK(ra.next == 200 && ra.window == 2 * FIRST && just_read(0, 200 + 2 * FIRST, PAGES));
	sim_file_put(f);
}

/* Whoever uses what was read ahead, skipping the rest, goes on from there. */
static void goes_on_at_the_end(void *arg)
{
	file(PAGES);
	readahead_access(obj, &ra, 0, 1);
	CHECK(ra.end == 1 + FIRST);
	readahead_access(obj, &ra, ra.end, 1);
	CHECK(ra.window == 2 * FIRST && just_read(0, ra.end, PAGES) && ra.end == 2 + FIRST + 2 * FIRST);
	sim_file_put(f);
}

/* A jump reads what was asked for, and is the start of a new guess, small again. */
static void jump(void *arg)
{
	file(PAGES);
	for (pgoff_t i = 0; i < 40; i++)
		readahead_access(obj, &ra, i, 1);
	CHECK(ra.window > FIRST);
	pagecache_drop(obj, 0, ~0UL);
	readahead_access(obj, &ra, 200, 2);
	CHECK(obj->nr_pages == 2 && is_there(200) && is_there(201) && ra.window == 0 && ra.next == 202);
	readahead_access(obj, &ra, 202, 1);
	CHECK(ra.window == FIRST && obj->nr_pages == 3 + FIRST && is_there(202 + FIRST) && sim_disk_reads(f, 202) == 1);
	readahead_access(obj, &ra, 100, 1); /* backwards is a jump too */
	CHECK(ra.window == 0 && is_there(100) && !is_there(101) && obj->nr_pages == 4 + FIRST);
	sim_file_put(f);
}

static void told_random(void *arg)
{
	file(PAGES);
	ra.mode = READAHEAD_RANDOM;
	for (pgoff_t i = 0; i < 20; i++) {
		readahead_access(obj, &ra, i, 1);
		CHECK(just_read(0, i + 1, PAGES) && ra.window == 0);
	}
	readahead_access(obj, &ra, 20, 5);
	CHECK(just_read(0, 25, PAGES));
	sim_file_put(f);
}

static void told_sequential(void *arg)
{
	file(PAGES);
	ra.mode = READAHEAD_SEQUENTIAL;
	readahead_access(obj, &ra, 0, 1);
	CHECK(ra.window == MOST && just_read(0, MOST, PAGES)); /* in whole requests */
	sim_file_put(f);
}

/* One call does not fill the memory. */
static void huge_access(void *arg)
{
	f = sim_file_create(SIM_FILE_DISK, P(CALL + 500), false);
	sim_file_batched(f);
	obj = sim_file_object(f);
	for (unsigned mode = READAHEAD_NORMAL; mode <= READAHEAD_RANDOM; mode++) {
		ra = (struct readahead){.mode = mode};
		readahead_access(obj, &ra, 0, ~0UL);
		CHECK(ra.next == CALL && obj->nr_pages == (mode ? CALL : CALL + FIRST));
		pagecache_drop(obj, 0, ~0UL);
	}
	sim_file_put(f);
}

/* The guess is of no use at the end of the file, and does no harm. */
static void guess_at_the_end(void *arg)
{
	file(10);
	for (pgoff_t i = 0; i < 10; i++)
		readahead_access(obj, &ra, i, 1);
	CHECK(just_read(0, 10, 10));
	readahead_access(obj, &ra, 10, 1);
	CHECK(obj->nr_pages == 10);
	sim_file_put(f);
}

/* -- when it goes wrong ------------------------------------------------------------------------------------------------- */

/* Memory runs out: what came before is read, nothing after it is tried, and whoever reads gets it all the same. */
static void no_memory(void *arg)
{
	u64 word;

	file(PAGES);
	for (unsigned n = 1; n <= 3; n++) {
		unsigned long requests = sim_disk_requests(f);

		sim_failpoint("page_alloc", 1 + n);
		readahead_range(obj, 100, 200);
		CHECK(sim_failpoint_end("page_alloc") == 1 + n);
		CHECK(obj->nr_pages <= n && is_there(100) == (obj->nr_pages > 0) && !is_there(100 + n));
		CHECK(sim_disk_requests(f) == requests + (obj->nr_pages > 0));
		CHECK(sim_file_read(f, P(105), &word, 8) == 8 && word == FILLED(105));
		pagecache_drop(obj, 0, ~0UL);
	}
	sim_failpoint("slab_alloc", 1);
	readahead_range(obj, 100, 200);
	CHECK(sim_failpoint_end("slab_alloc") >= 1 && obj->nr_pages <= 101);
	sim_file_put(f);
}

/* A page that could not be read ahead is not worth anything; the next reader tries again. */
static void read_error(void *arg)
{
	u64 word = 0;

	file(PAGES);
	sim_disk_fail_reads(f, 2, -EIO);
	readahead_range(obj, 0, 3);
	CHECK(!is_there(0) && !is_there(1) && is_there(2) && object_ready(obj, 0, P(4)) == 0);
	CHECK(sim_file_read(f, P(1), &word, 8) == 8 && word == FILLED(1) && sim_disk_reads(f, 1) == 2);
	CHECK(is_there(1) && sim_disk_reads(f, 2) == 1);
	sim_file_put(f);
}

/* -- by way of read(2) and faults --------------------------------------------------------------------------------------- */
static void read_and_fault(void *arg)
{
	vaddr_t to, a;

	file(PAGES);
	enter_space();
	to = map_pages(1, MAP_PRIVATE, NULL, 0);
	for (pgoff_t i = 0; i < 100; i++)
		CHECK(object_read_user(obj, P(i), (void *)to, P(1), &ra) == P(1) && load_word(to) == FILLED(i));
	CHECK(just_read(0, ra.end, PAGES) && sim_disk_requests(f) <= 8);
	pagecache_drop(obj, 0, ~0UL);
	a = map_pages(PAGES, MAP_SHARED, f, 0);
	for (pgoff_t i = 0; i < PAGES; i++)
		CHECK(load_word(a + P(i)) == FILLED(i) && sim_disk_reads(f, i) <= 2);
	CHECK(sim_disk_requests(f) <= 20 && obj->nr_pages == PAGES);
	sim_file_put(f);
}

/* -- while others are there ---------------------------------------------------------------------------------------------- */
static void read_range(void *arg)
{
	readahead_range(obj, 0, 7);
}

/* What is under way is waited for, not read a second time. */
static void under_way(void *arg)
{
	struct sim_thread *t;
	u64 word = 0;

	file(PAGES);
	sim_disk_delay(f, 1000000);
	t = sim_spawn(NULL, 1, read_range, NULL);
	sim_sleep(500000);
	CHECK(obj->nr_pages == 8 && object_ready(obj, 0, P(8)) == 0);
	readahead_range(obj, 0, 7); /* nothing to start, nothing to wait for */
	CHECK(sim_disk_reads(f, 0) == 0);
	CHECK(sim_file_read(f, P(3), &word, 8) == 8 && word == FILLED(3));
	sim_join(t);
	CHECK(just_read(0, 8, 8));
	sim_file_put(f);
}

/* Several at once: each page is brought in by one of them. */
static void many_at_once(void *arg)
{
	for (unsigned round = 0; round < 20; round++) {
		struct sim_thread *t[3];

		file(8);
		for (unsigned i = 0; i < 3; i++)
			t[i] = sim_spawn(NULL, (int)i + 1, read_range, NULL);
		for (unsigned i = 0; i < 3; i++)
			sim_join(t[i]);
		CHECK(just_read(0, 8, 8));
		sim_file_put(f);
	}
}

static void read_again_and_again(void *arg)
{
	for (unsigned i = 0; i < 40; i++)
		readahead_range(obj, sim_below(8), 7);
}

/* No page comes back beyond the end once the file is shorter. */
static void against_truncate(void *arg)
{
	struct sim_thread *t[2];

	file(8);
	for (unsigned i = 0; i < 2; i++)
		t[i] = sim_spawn(NULL, (int)i + 1, read_again_and_again, NULL);
	for (unsigned i = 0; i < 40; i++) {
		pgoff_t size = sim_below(8);

		sim_file_truncate(f, P(size));
		for (pgoff_t index = size; index < 8; index++) {
			struct page *page = pagecache_find(obj, index);

			CHECK(!page);
			if (page)
				page_put(page);
		}
		sim_file_truncate(f, P(8));
	}
	for (unsigned i = 0; i < 2; i++)
		sim_join(t[i]);
	sim_file_put(f);
}

/* -- what is there, and giving it up -------------------------------------------------------------------------------------- */
static void ready(void *arg)
{
	file(PAGES);
	CHECK(object_ready(obj, 0, 100) == 0);
	readahead_range(obj, 1, 2);
	CHECK(object_ready(obj, P(1), 100) == 100 && object_ready(obj, P(1) + 100, P(3)) == P(2) - 100);
	CHECK(object_ready(obj, P(1) - 1, 2) == 0 && object_ready(obj, P(1), P(2)) == P(2));
	sim_file_put(f);
	f = sim_file_create(SIM_FILE_TMPFS, P(2), false);
	CHECK(object_ready(sim_file_object(f), 0, P(2)) == P(2)); /* needs no device */
	sim_file_put(f);
}

/* Clean pages that nobody uses, and only they, of the range. */
static void shed(void *arg)
{
	struct page *dirty, *used, *locked;

	file(16);
	readahead_range(obj, 0, 15);
	dirty = pagecache_read(obj, 3);
	page_lock(dirty);
	CHECK(pagecache_mkwrite(obj, dirty) == 0);
	page_unlock(dirty);
	page_put(dirty);
	used = pagecache_read(obj, 4);
	locked = pagecache_get_locked(obj, 5);
	page_put(locked); /* the lock alone must hold it */
	CHECK(pagecache_shed(obj, 2, 7) == 3 && obj->nr_pages == 13);
	for (pgoff_t i = 0; i < 16; i++) {
		struct page *page = pagecache_find(obj, i);

		CHECK(!page == (i == 2 || i == 6 || i == 7));
		if (page)
			page_put(page);
	}
	page_unlock(locked);
	page_put(used);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 3) == FILLED(3));
	CHECK(pagecache_shed(obj, 0, ~0UL) == 13 && obj->nr_pages == 0);
	sim_file_put(f);
}

static void sync_slowly(void *arg)
{
	CHECK(sim_file_sync(f) == 0);
}

/* Not what is on its way to the disk, and not what has no disk to be read from again. */
static void not_shed(void *arg)
{
	struct sim_thread *t;
	u64 word = 7;

	file(2);
	CHECK(sim_file_write(f, 0, &word, 8) == 8);
	sim_disk_delay(f, 1000000);
	t = sim_spawn(NULL, 1, sync_slowly, NULL);
	sim_sleep(500000);
	CHECK(obj->nr_writeback == 1 && pagecache_shed(obj, 0, ~0UL) == 0);
	sim_join(t);
	CHECK(pagecache_shed(obj, 0, ~0UL) == 1);
	CHECK(sim_file_read(f, 0, &word, 8) == 8 && word == 7);
	sim_file_put(f);
	f = sim_file_create(SIM_FILE_TMPFS, P(1), false);
	obj = sim_file_object(f);
	CHECK(sim_file_write(f, 0, &word, 8) == 8 && pagecache_shed(obj, 0, ~0UL) == 0 && obj->nr_pages == 1);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(range);
	CASE(cached_pages);
	CASE(long_range);
	CASE(end_of_file);
	CASE(file_without);
	CASE_CALM(sequential);
	CASE_CALM(in_pieces);
	CASE(large_access);
	CASE(goes_on_at_the_end);
	CASE(jump);
	CASE(told_random);
	CASE(told_sequential);
	CASE_CALM(huge_access);
	CASE(guess_at_the_end);
	CASE_CALM(no_memory);
	CASE(read_error);
	CASE(read_and_fault);
	CASE_CALM(under_way);
	CASE(many_at_once);
	CASE(against_truncate);
	CASE(ready);
	CASE(shed);
	CASE_CALM(not_shed);
	return sim_end();
}
