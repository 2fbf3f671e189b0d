/*
 * test_nonlinear_exchange.c - mm/space/nonlinear_exchange.c: many entries at a time, old translations gone, no memory
 * for what is in use already.
 *
 * machine: amd64 pae tiny2
 */
#include "tests/unit/sim_laws.h"

#define PAGES 40 /* more than two batches; on the tiny machine, twenty tables */

static struct sim_file *f;
static struct mm *mm;
static vaddr_t a;

static void window(enum sim_file_kind kind)
{
	f = sim_file_create(kind, P(2 * PAGES), true);
	mm = enter_space();
	a = map_pages(PAGES, MAP_SHARED, f, 0);
}

static int remap(unsigned page, unsigned pages, pgoff_t pgoff)
{
	return mm_remap_file_pages(mm, a + P(page), P(pages), 0, pgoff, MAP_NONBLOCK);
}

static bool shows(unsigned page, unsigned pages, pgoff_t pgoff)
{
	for (unsigned i = 0; i < pages; i++)
		if (load_word(a + P(page + i)) != FILLED(pgoff + i))
			return false;
	return true;
}

/* Over batches and tables, in whatever state the entries are. */
static void long_runs(void *arg)
{
	window(SIM_FILE_DISK);
	CHECK(remap(0, PAGES, PAGES) == 0 && shows(0, PAGES, PAGES));
	CHECK(remap(1, PAGES - 3, 0) == 0 && shows(1, PAGES - 3, 0) && shows(0, 1, PAGES) &&
	      shows(PAGES - 2, 2, 2 * PAGES - 2));
	CHECK(remap(0, PAGES, PAGES) == 0 && remap(0, PAGES, 0) == 0); /* to file entries, to pages, and home */
	CHECK(shows(0, PAGES, 0) && !vma_of(a)->link.nonlinear->count);
	sim_file_put(f);
}

/* A window in use costs nothing: an entry brings its own node. (Many pages at once want room, to flush only once.) */
static void nothing_to_allocate(void *arg)
{
	window(SIM_FILE_DISK);
	CHECK(shows(0, PAGES, 0) && remap(0, PAGES, 7) == 0 && shows(0, PAGES, 7) && remap(0, 16, 8) == 0);
	sim_failpoint("slab_alloc", 1);
	CHECK(remap(0, 16, 3) == 0 && remap(5, 9, 9) == 0 && remap(0, 16, 0) == 0);
	CHECK(sim_failpoint_end("slab_alloc") == 0 && shows(0, 16, 0) && shows(16, PAGES - 16, 23));
	sim_failpoint("slab_alloc", 1);
	CHECK(remap(0, PAGES, 0) == 0 && shows(0, PAGES, 0)); /* without the room, too */
	CHECK(sim_failpoint_end("slab_alloc") >= 1);
	sim_file_put(f);
}

/* All or nothing: whichever allocation fails, no entry has changed. */
static void all_or_nothing(void *arg)
{
	u64 failures = 0;

	window(SIM_FILE_DISK);
	for (u64 n = 1;; n++) {
		bool failed;
		int err;

		CHECK(mm_munmap(mm, a, P(PAGES)) == 0); /* and with it the spare nodes */
		a = map_pages(PAGES, MAP_SHARED, f, 0);
		CHECK(shows(0, PAGES, 0));
		sim_failpoint("slab_alloc", n);
		err = remap(0, PAGES, PAGES);
		failed = sim_failpoint_end("slab_alloc") >= n;
		CHECK(err == 0 || (failed && err == -ENOMEM)); /* room for the index or for one flush only is not needed */
		CHECK(shows(0, PAGES, err ? 0 : PAGES) && !sim_audit(false));
		failures += err != 0;
		if (!failed)
			break;
	}
	CHECK(failures >= PAGES); /* a node for each entry */
	sim_file_put(f);
}

static void no_table(void *arg)
{
	u64 word;

	window(SIM_FILE_DISK);
	CHECK(sim_file_read(f, P(9), &word, sizeof(word)) == sizeof(word)); /* cached: would be mapped */
	for (u64 n = 1;; n++) {
		int err;

		sim_failpoint("page_alloc", n);
		err = remap(0, 4, 9);
		if (sim_failpoint_end("page_alloc") < n)
			break;
		CHECK(err == -ENOMEM && kind_at(a) == PTE_KIND_NONE && !sim_audit(false));
	}
	CHECK(shows(0, 4, 9));
	sim_file_put(f);
}

/* Nobody reaches the old page any more when the call returns, on any CPU; what was stored there is not lost. */
static void reader(void *arg)
{
	u64 *stop = arg, last = 0;

	while (!READ_ONCE(*stop)) {
		u64 now = load_word(a);

		CHECK(now >= last);
		last = now;
	}
}

static void old_translations_are_gone(void *arg)
{
	struct sim_thread *t;
	u64 stop = 0;

	window(SIM_FILE_DISK);
	store_word(a, FILLED(0));
	t = sim_spawn(mm, 1, reader, &stop);
	for (unsigned i = 1; i < 2 * PAGES; i++) {
		CHECK(remap(0, 1, i) == 0 && load_word(a) == FILLED(i));
		CHECK(!sim_tlb_stale(true));
	}
	WRITE_ONCE(stop, 1);
	sim_join(t);
	sim_file_put(f);
}

static void stores_survive(void *arg)
{
	window(SIM_FILE_DISK);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), i + 1000);
	CHECK(remap(0, PAGES, PAGES) == 0 && sim_file_sync(f) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(disk_word(f, i) == i + 1000);
	sim_file_put(f);
}

/* A page whose reading failed is in the cache, but is not shown. */
static void not_uptodate(void *arg)
{
	struct page *page;

	window(SIM_FILE_DISK);
	sim_disk_fail_reads(f, 1, -EIO);
	CHECK(sim_touch(a + P(9), FAULT_READ) == FAULT_SIGBUS);
	page = pagecache_find(sim_file_object(f), 9);
	CHECK(page && remap(0, 1, 9) == 0 && kind_at(a) == PTE_KIND_FILE && shows(0, 1, 9) && frame_at(a) == page);
	page_put(page);
	sim_file_put(f);
}

/* tmpfs pages may be stored into at once; a disk's tell of the first store. */
static void write_notify(void *arg)
{
	const enum sim_file_kind kinds[] = {SIM_FILE_DISK, SIM_FILE_TMPFS};

	for (unsigned i = 0; i < 2; i++) {
		window(kinds[i]);
		(void)load_word(a + P(9));
		CHECK(remap(0, 1, 9) == 0 && sim_entry(mm, a).write == (kinds[i] == SIM_FILE_TMPFS));
		sim_file_put(f);
	}
}

static void resize(void *arg)
{
	for (unsigned i = 0; i < 30; i++) {
		sim_file_truncate(f, P(sim_below(2 * PAGES)));
		sim_file_truncate(f, P(2 * PAGES));
	}
}

/* The file's size changes meanwhile: no entry may show a page that is not the file's any more. */
static void against_truncate(void *arg)
{
	struct sim_thread *t;

	window(SIM_FILE_TMPFS);
	t = sim_spawn(NULL, 1, resize, NULL);
	for (unsigned i = 0; i < 60; i++) {
		unsigned page = (unsigned)sim_below(PAGES), pages = 1 + (unsigned)sim_below(PAGES - page);

		CHECK(remap(page, pages, sim_below(PAGES)) == 0);
		(void)sim_touch(a + P(page), FAULT_WRITE);
	}
	sim_join(t);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(kind_at(a + P(i)) != PTE_KIND_PAGE || frame_at(a + P(i))->object == sim_file_object(f));
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(long_runs);
	CASE_CALM(nothing_to_allocate);
	CASE_CALM(all_or_nothing);
	CASE_CALM(no_table);
	CASE(old_translations_are_gone);
	CASE(stores_survive);
	CASE(not_uptodate);
	CASE(write_notify);
	CASE(against_truncate);
	return sim_end();
}
