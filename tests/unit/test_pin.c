/*
 * test_pin.c - mm/service/pin.c: a device and a program go on seeing the same page, whatever happens around them.
 *
 * machine: amd64 i386
 */
#include "mm/service/pin.h"

#include "tests/unit/sim_laws.h"

#define PAGES 4

static struct mm *mm;
static vaddr_t a;
static struct page *pages[PAGES];

static void four_pages(struct sim_file *f, unsigned flags)
{
	mm = enter_space();
	a = map_pages(PAGES, flags, f, 0);
}

static void device_stores(struct page *page, u64 word)
{
	u64 *va = page_kmap(page);

	*va = word;
	page_kunmap(va);
}

static u64 device_loads(struct page *page)
{
	u64 *va = page_kmap(page), word = *va;

	page_kunmap(va);
	return word;
}

/* -- counts ------------------------------------------------------------------------------------------------------------------- */

/* Exact, apart for readers and writers, and apart from the mapping's own count. */
static void counts(void *arg)
{
	unsigned long before = pin_acquired - pin_released;

	four_pages(NULL, MAP_PRIVATE);
	CHECK(pin_user_pages(mm, a + 5, PAGES, FOLL_WRITE, pages) == PAGES);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(pages[i] == frame_at(a + P(i)) && pages[i]->pins_w == 1 && pages[i]->refs == 2 &&
		      pages[i]->mapcount == 1);
	CHECK(pin_user_pages(mm, a, 1, 0, pages) == 1 && pages[0]->pins_r == 1 && page_pins(pages[0]) == 2);
	CHECK(pin_acquired - pin_released == before + PAGES + 1);
	CHECK(mm_munmap(mm, a, P(PAGES)) == 0 && pages[1]->refs == 1 &&
	      pages[1]->mapcount == 0); /* it stays the device's */
	device_stores(pages[1], 3);
	unpin_user_pages(pages, 1, 0, false);
	CHECK(page_pins(pages[0]) == 1);
	unpin_user_pages(pages, PAGES, FOLL_WRITE, true);
	CHECK(pin_acquired - pin_released == before);
}

static void refuses(void *arg)
{
	four_pages(NULL, MAP_PRIVATE);
	CHECK(pin_user_pages(mm, a, 1, FOLL_GET, pages) == -EINVAL && pin_user_pages(mm, a, 0, 0, pages) == 0);
	CHECK(pin_user_pages(mm, a, 1, 1u << 30, pages) == -EINVAL &&
	      pin_user_pages(mm, a, 1, FOLL_FAST_ONLY, pages) == -EINVAL);
	CHECK(get_user_pages(mm, a, 1, FOLL_LONGTERM, pages) == -EINVAL &&
	      get_user_pages(mm, a, 1, FOLL_PIN, pages) == -EINVAL);
	CHECK(pin_user_pages(mm, a, ~0ul, 0, pages) == -EOVERFLOW &&
	      pin_user_pages(mm, a, ~0ul >> PAGE_SHIFT, 0, pages) == -EOVERFLOW &&
	      pin_user_pages(mm, USER_END - P(1), 2, 0, pages) == -EFAULT);
	CHECK(pin_user_pages(mm, P(20), 1, 0, pages) == -EFAULT);
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0 && pin_user_pages(mm, a, 1, FOLL_WRITE, pages) == -EFAULT);
	CHECK(mm_mprotect(mm, a, P(1), 0) == 0 && pin_user_pages(mm, a, 1, 0, pages) == -EFAULT);
}

/* References that are no pins. */
static void references(void *arg)
{
	four_pages(NULL, MAP_PRIVATE);
	CHECK(get_user_pages(mm, a, 2, FOLL_WRITE, pages) == 2 && pages[1]->refs == 2 && !page_pinned(pages[1]));
	put_user_pages(pages, 2);
	CHECK(get_user_pages(mm, a + P(2), 1, 0, pages) == 1 && pages[0] == zero_page);
	put_user_pages(pages, 1);
	CHECK(get_user_pages(mm, a + P(2), 1, FOLL_DUMP, pages) == -EFAULT);
}

/* What the vma forbids, but not for ever: in private mappings only. */
static void forced(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);

	four_pages(f, MAP_PRIVATE);
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0 && load_word(a) == FILLED(0));
	CHECK(pin_user_pages(mm, a, 1, FOLL_WRITE | FOLL_FORCE, pages) == 1 && page_test(pages[0], PG_ANON_EXCLUSIVE));
	device_stores(pages[0], 8);
	CHECK(load_word(a) == 8 && !sim_entry(mm, a).write);
	unpin_user_pages(pages, 1, FOLL_WRITE, true);
	CHECK(mm_mprotect(mm, a, P(2), 0) == 0 && pin_user_pages(mm, a, 1, 0, pages) == -EFAULT);
	CHECK(pin_user_pages(mm, a, 2, FOLL_FORCE, pages) == 2 && device_loads(pages[0]) == 8 &&
	      device_loads(pages[1]) == FILLED(1));
	unpin_user_pages(pages, 2, 0, false);
	a = map_pages(1, MAP_SHARED, f, 0);
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0);
	CHECK(pin_user_pages(mm, a, 1, FOLL_WRITE | FOLL_FORCE, pages) == -EFAULT);
	sim_file_put(f);
}

/* Only anonymous memory; only what is there; only what needs no device. */
static void only_some(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);

	four_pages(f, MAP_SHARED);
	CHECK(pin_user_pages(mm, a, 1, FOLL_ANON, pages) == -EFAULT &&
	      pin_user_pages(mm, a, 1, FOLL_NOFAULT, pages) == -EFAULT);
	CHECK(pin_user_pages(mm, a, 1, FOLL_NOWAIT, pages) == 0 && load_word(a) == FILLED(0));
	CHECK(pin_user_pages(mm, a, 2, FOLL_NOWAIT, pages) == 1);
	unpin_user_pages(pages, 1, 0, false);
	CHECK(pin_user_pages(mm, a, 1, FOLL_NOFAULT, pages) == 1);
	unpin_user_pages(pages, 1, 0, false);
	CHECK(pin_user_pages(mm, a, 1, FOLL_NOFAULT | FOLL_WRITE, pages) == -EFAULT);
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	CHECK(pin_user_pages(mm, a, 1, FOLL_ANON | FOLL_WRITE, pages) == 1);
	unpin_user_pages(pages, 1, FOLL_WRITE, false);
	sim_file_put(f);
}

/* T1-18: a file's page for long is leased; in the other mode it cannot be had, but tmpfs' can. */
static void for_long(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct sim_file *t = sim_file_create(SIM_FILE_TMPFS, P(PAGES), false);
	const unsigned flags = FOLL_WRITE | FOLL_LONGTERM;

	four_pages(f, MAP_SHARED);
	CHECK(pin_user_pages(mm, a, 1, flags, pages) == 1 && page_leased(pages[0]));
	unpin_user_pages(pages, 1, flags, false);
	pin_linux_compat = true;
	CHECK(pin_user_pages(mm, a, 1, flags, pages) == -EFAULT && pin_user_pages(mm, a, 1, FOLL_WRITE, pages) == 1);
	unpin_user_pages(pages, 1, FOLL_WRITE, false);
	CHECK(pin_user_pages(mm, a, 1, FOLL_LONGTERM, pages) == 1);
	unpin_user_pages(pages, 1, FOLL_LONGTERM, false);
	a = map_pages(1, MAP_SHARED, t, 0);
	CHECK(pin_user_pages(mm, a, 1, flags, pages) == 1 && !page_leased(pages[0]));
	unpin_user_pages(pages, 1, flags, false);
	pin_linux_compat = false;
	sim_file_put(f);
	sim_file_put(t);
}

/* As many as there are. */
static void fewer(void *arg)
{
	four_pages(NULL, MAP_PRIVATE);
	CHECK(mm_munmap(mm, a + P(2), P(1)) == 0);
	CHECK(pin_user_pages(mm, a, PAGES, FOLL_WRITE, pages) == 2);
	unpin_user_pages(pages, 2, FOLL_WRITE, false);
	sim_failpoint("page_alloc", 1);
	CHECK(pin_user_pages(mm, a + P(3), 1, FOLL_WRITE, pages) == -ENOMEM && sim_failpoint_end("page_alloc") == 1);
}

static void killed_pin(void *arg)
{
	CHECK(pin_user_pages(mm, a, 1, 0, pages) == -EINTR);
}

static void interrupted(void *arg)
{
	four_pages(NULL, MAP_PRIVATE);
	by_killed(killed_pin, NULL);
}

/* -- one page for both ----------------------------------------------------------------------------------------------------------- */

/* A short read pin of untouched memory reads zeros and pins nothing; a long one must see what is stored later. */
static void untouched_memory(void *arg)
{
	four_pages(NULL, MAP_PRIVATE);
	CHECK(pin_user_pages(mm, a, 1, 0, pages) == 1 && pages[0] == zero_page && page_pins(zero_page) == 0);
	unpin_user_pages(pages, 1, 0, false);
	CHECK(pin_user_pages(mm, a, 1, FOLL_LONGTERM, pages) == 1 && pages[0] != zero_page);
	store_word(a, 5);
	CHECK(device_loads(pages[0]) == 5);
	unpin_user_pages(pages, 1, FOLL_LONGTERM, false);
}

/* A page shared with a child becomes the pinner's own first, even to be read: the next store would part them. */
static void after_fork(void *arg)
{
	struct mm *child;

	four_pages(NULL, MAP_PRIVATE);
	store_word(a, 1);
	child = mm_fork(mm);
	CHECK(pin_user_pages(mm, a, 1, 0, pages) == 1 && page_test(pages[0], PG_ANON_EXCLUSIVE));
	CHECK(sim_entry(child, a).payload != page_to_pfn(pages[0]));
	store_word(a, 2);
	CHECK(device_loads(pages[0]) == 2);
	unpin_user_pages(pages, 1, 0, false);
	mm_put(child);
}

/* A private mapping of a file: a long pin gets a copy of its own; if nobody can ever store, the file's page will do. */
static void private_file(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct mmap_request req = {.length = P(1),
	                           .prot = PROT_READ,
	                           .flags = MAP_PRIVATE,
	                           .object = sim_file_object(f),
	                           .file = sim_file_handle(f),
	                           .may = VM_MAYREAD};
	vaddr_t readonly;

	four_pages(f, MAP_PRIVATE);
	CHECK(pin_user_pages(mm, a, 1, 0, pages) == 1 && pages[0]->object == sim_file_object(f));
	unpin_user_pages(pages, 1, 0, false);
	CHECK(pin_user_pages(mm, a, 1, FOLL_LONGTERM, pages) == 1 && page_test(pages[0], PG_ANON));
	store_word(a, 6);
	CHECK(device_loads(pages[0]) == 6);
	unpin_user_pages(pages, 1, FOLL_LONGTERM, false);
	readonly = (vaddr_t)mm_mmap(mm, &req);
	CHECK(pin_user_pages(mm, readonly, 1, FOLL_LONGTERM, pages) == 1 && pages[0]->object == sim_file_object(f));
	unpin_user_pages(pages, 1, FOLL_LONGTERM, false);
	sim_file_put(f);
}

/* -- what the device stores reaches the file -------------------------------------------------------------------------------------- */
static void file_is_told(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);

	four_pages(f, MAP_SHARED);
	sim_disk_fail_reserve(f, 1, -ENOSPC);
	CHECK(pin_user_pages(mm, a, 1, FOLL_WRITE, pages) == -EFAULT);
	CHECK(pin_user_pages(mm, a, 1, FOLL_WRITE, pages) == 1 && page_test(pages[0], PG_DIRTY) && sim_entry(mm, a).write);
	device_stores(pages[0], 1);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 1);
	device_stores(pages[0], 2); /* after writeback took the right to store from the entry */
	CHECK(!sim_entry(mm, a).write);
	unpin_user_pages(pages, 1, FOLL_WRITE, true);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 2 && !page_test(frame_at(a), PG_DIRTY));
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 0) == 2);
	sim_file_put(f);
}

/* A read pin leaves the file alone. */
static void reader_makes_nothing_dirty(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);

	four_pages(f, MAP_SHARED);
	CHECK(pin_user_pages(mm, a, 1, 0, pages) == 1 && device_loads(pages[0]) == FILLED(0));
	CHECK(!sim_entry(mm, a).write);
	unpin_user_pages(pages, 1, 0, true);
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 0) == 0);
	sim_file_put(f);
}

static void write_back(void *arg)
{
	CHECK(sim_file_sync(arg) == 0);
}

static void pin_first(void *arg)
{
	CHECK(pin_user_pages(mm, a, 1, FOLL_WRITE, pages) == 1);
}

/* A pin that comes after writeback's look at the entries, and before its verdict. */
static void pin_in_between(void *arg)
{
	const char *const place = "mkclean-before-pin";
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct sim_thread *t, *pinner;

	four_pages(f, MAP_SHARED);
	store_word(a, 3);
	t = race_begin(place, write_back, f);
	pinner = sim_spawn(mm, 2, pin_first, NULL); /* its reservation waits for the page lock ... */
	sim_sleep(1000000);
	race_end(place, t);
	sim_join(pinner); /* ... so that it comes after: the entry is writable and the page dirty again */
	device_stores(pages[0], 4);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 4);
	CHECK(page_test(pages[0], PG_DIRTY)); /* under a pin it is never clean */
	device_stores(pages[0], 5);
	unpin_user_pages(pages, 1, FOLL_WRITE, false);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 5);
	sim_file_put(f);
}

static void one_too_many(void *arg)
{
	four_pages(NULL, MAP_PRIVATE);
	CHECK(pin_user_pages(mm, a, 1, FOLL_WRITE, pages) == 1);
	unpin_user_pages(pages, 1, 0, false);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(counts);
	CASE(refuses);
	CASE_CALM(fewer);
	CASE(interrupted);
	CASE(references);
	CASE(forced);
	CASE(only_some);
	CASE(for_long);
	CASE(untouched_memory);
	CASE(after_fork);
	CASE(private_file);
	CASE(file_is_told);
	CASE(reader_makes_nothing_dirty);
	CASE_CALM(pin_in_between);
	CASE_PANICS(one_too_many);
	return sim_end();
}
