/*
 * test_fault_cow.c - mm/space/fault_cow.c: a store to a private page makes a copy, unless nobody else has the page.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

static vaddr_t a;

/* One page with 7 in it, shared with a child. */
static struct mm *shared_with_child(void)
{
	struct mm *child;

	enter_space();
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(a, 7);
	child = mm_fork(sim_mm());
	CHECK(!IS_ERR(child));
	return child;
}

static u64 word_of(struct mm *mm)
{
	u64 word = 0;

	CHECK(mm_access(mm, a, &word, sizeof(word), false) == sizeof(word));
	return word;
}

/* Who stores first copies; the other one keeps the page, alone, and does not copy. */
static void first_copies_second_reuses(void *arg)
{
	struct mm *child = shared_with_child();
	struct page *page = frame_at(a);
	u64 nine = 9;

	CHECK(!page_test(page, PG_ANON_EXCLUSIVE) && page->mapcount == 2 && page->refs == 2);
	store_word(a, 8);
	CHECK(frame_at(a) != page && page_test(frame_at(a), PG_ANON_EXCLUSIVE) && page->mapcount == 1);
	CHECK(word_of(child) == 7);
	CHECK(mm_access(child, a, &nine, sizeof(nine), true) == sizeof(nine));
	CHECK(sim_entry(child, a).payload == page_to_pfn(page) && page_test(page, PG_ANON_EXCLUSIVE));
	CHECK(load_word(a) == 8);
	mm_put(child);
}

static void last_one_reuses(void *arg)
{
	struct mm *child = shared_with_child();
	struct page *page = frame_at(a);

	mm_put(child);
	store_word(a, 8);
	CHECK(frame_at(a) == page && page_test(page, PG_ANON_EXCLUSIVE) && sim_entry(sim_mm(), a).dirty);
}

/* Somebody holds the page without mapping it: he must go on seeing the old content. */
static void borrowed_page_is_copied(void *arg)
{
	struct mm *child = shared_with_child();
	struct page *page = frame_at(a);

	mm_put(child);
	page_get(page);
	store_word(a, 8);
	CHECK(frame_at(a) != page && page->mapcount == 0 && page->refs == 1 && *(u64 *)page_address(page) == 7);
	page_put(page);
}

/* ... but an exclusive page is reused whoever holds it: that is what exclusive means. */
static void exclusive_is_reused(void *arg)
{
	struct mm *mm = enter_space();
	struct page *page;

	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(a, 7);
	page = frame_at(a);
	page_get(page);
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0 && mm_mprotect(mm, a, P(1), RW) == 0);
	store_word(a, 8);
	CHECK(frame_at(a) == page && *(u64 *)page_address(page) == 8);
	page_put(page);
}

/* The file never sees what is stored through a private mapping, and a page of the file is never reused. */
static void file_page_is_copied(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(1), true);
	struct page *page;

	enter_space();
	a = map_pages(1, MAP_PRIVATE, f, 0);
	CHECK(load_word(a) == FILLED(0));
	page = frame_at(a);
	store_word(a, 8);
	CHECK(frame_at(a) != page && page->mapcount == 0 && page->refs == 1 && !page_test(page, PG_DIRTY));
	CHECK(load_word(a) == 8 && load_word(a + 8) == FILLED(0) && sim_file_sync(f) == 0 && sim_disk_writes(f, 0) == 0);
	sim_file_put(f);
}

static void no_memory(void *arg)
{
	struct mm *child = shared_with_child();
	struct page *page = frame_at(a);

	sim_failpoint("page_alloc", 1);
	CHECK(mm_fault(sim_mm(), a, FAULT_WRITE) == FAULT_OOM);
	CHECK(sim_failpoint_end("page_alloc") == 1 && frame_at(a) == page && page->mapcount == 2 && page->refs == 2);
	store_word(a, 8);
	mm_put(child);
}

static void store_other_word(void *arg)
{
	store_word(a + 8, 1);
}

/* Two threads copy the same page: the copy that comes second is thrown away, no store is lost. */
static void overtaken(void *arg)
{
	const char *const place = "fault-mapped";
	struct mm *child = shared_with_child();
	struct sim_thread *t;

	t = race_begin(place, store_other_word, NULL);
	store_word(a, 8);
	race_end(place, t);
	CHECK(load_word(a) == 8 && load_word(a + 8) == 1 && frame_at(a)->mapcount == 1 && word_of(child) == 7);
	mm_put(child);
}

/* A pin that only reads makes the page its own, but not writable. */
static void unshare(void *arg)
{
	struct mm *child = shared_with_child(), *mm = sim_mm();
	struct page *page = frame_at(a);
	struct fault_io io;

	for (unsigned i = 0; i < 2; i++) { /* the second finds it done */
		rwsem_read_lock(&mm->lock);
		CHECK(vma_fault(vma_of(a), a, FAULT_READ, true, &io) == FAULT_OK);
		rwsem_read_unlock(&mm->lock);
	}
	CHECK(frame_at(a) != page && page_test(frame_at(a), PG_ANON_EXCLUSIVE) && !sim_entry(mm, a).write);
	CHECK(load_word(a) == 7 && word_of(child) == 7);
	mm_put(child);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(first_copies_second_reuses);
	CASE(last_one_reuses);
	CASE(borrowed_page_is_copied);
	CASE(exclusive_is_reused);
	CASE(file_page_is_copied);
	CASE_CALM(no_memory);
	CASE_CALM(overtaken);
	CASE(unshare);
	return sim_end();
}
