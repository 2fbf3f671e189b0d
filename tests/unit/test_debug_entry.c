/*
 * test_debug_entry.c - mm/debug/entry.c: single steps on entries: look at one, clear accessed bits, clean without I/O.
 *
 * machine: amd64 pae
 */
#include "tests/unit/sim_space.h"

#include "mm/debug/debug.h"

static struct sim_file *file;
static vaddr_t anon, shared, window;

static void make_world(void)
{
	enter_space();
	file = sim_file_create(SIM_FILE_DISK, 4 * PAGE_SIZE, true);
	anon = map_pages(4, MAP_PRIVATE, NULL, 0);
	shared = map_pages(4, MAP_SHARED, file, 0);
	window = map_pages(1, MAP_SHARED, file, 0);
}

static void end_world(void)
{
	CHECK(sim_file_sync(file) == 0);
	sim_file_put(file);
}

static struct mm_entry look(vaddr_t va, u64 flags)
{
	struct mm_entry e = {.addr = va, .flags = flags};

	CHECK(debug_entry(sim_mm(), &e) == 0);
	return e;
}

static void describes_what_is_there(void *arg)
{
	struct mm_entry e;

	make_world();
	e = look(PAGE_SIZE, 0);
	CHECK(!e.table && e.kind == MM_ENTRY_NONE);
	store_word(anon, 1);
	e = look(anon + PAGE_SIZE, 0);
	CHECK(e.table && e.kind == MM_ENTRY_NONE && !e.page);
	e = look(anon, 0);
	CHECK(e.kind == MM_ENTRY_PAGE && e.grant == RW && e.write && e.accessed && e.dirty && !e.special);
	CHECK(e.page == (MM_PAGE_ANON | MM_PAGE_EXCLUSIVE) ||
	      e.page == (MM_PAGE_ANON | MM_PAGE_EXCLUSIVE | MM_PAGE_UPTODATE));
	CHECK(e.mapcount == 1 && e.refs == 1 && e.pins_w == 0 && e.pins_r == 0 && e.pfn == page_to_pfn(frame_at(anon)));
	load_word(anon + 2 * PAGE_SIZE);
	CHECK(look(anon + 2 * PAGE_SIZE, 0).special); /* the zero page */
	store_word(shared + 3 * PAGE_SIZE, 1);
	e = look(shared + 3 * PAGE_SIZE, 0);
	CHECK(e.page == (MM_PAGE_CACHED | MM_PAGE_DIRTY | MM_PAGE_UPTODATE) && e.index == 3 && e.refs == 2);
	CHECK(mm_remap_file_pages(sim_mm(), window, PAGE_SIZE, 0, 2, 0) == 0);
	CHECK(mm_madvise(sim_mm(), window, PAGE_SIZE, MADV_DONTNEED) == 0);
	e = look(window, 0);
	CHECK(e.kind == MM_ENTRY_FILE && e.pgoff == 2 && e.grant == RW);
	end_world();
}

/* As a walker without locks: the same entry, nothing of the page. */
static void lockless_look(void *arg)
{
	struct mm_entry locked, lockless;

	make_world();
	store_word(anon, 1);
	locked = look(anon, 0);
	lockless = look(anon, MM_ENTRY_LOCKLESS);
	CHECK(lockless.kind == locked.kind && lockless.pfn == locked.pfn && lockless.dirty && lockless.write);
	CHECK(lockless.mapcount == 0 && lockless.page == 0);
	CHECK(!look(PAGE_SIZE, MM_ENTRY_LOCKLESS).table);
	end_world();
}

static void bad_requests(void *arg)
{
	struct mm_range none = {.addr = USER_END};

	make_world();
	CHECK(debug_entry(sim_mm(), &(struct mm_entry){.addr = USER_END}) == -EFAULT);
	CHECK(debug_entry(sim_mm(), &(struct mm_entry){.addr = anon, .flags = 2}) == -EINVAL);
	CHECK(debug_clear_young(sim_mm(), &none) == -EFAULT && debug_clean(sim_mm(), &none) == -EFAULT);
	none = (struct mm_range){.addr = PAGE_SIZE, .len = USER_END};
	CHECK(debug_clear_young(sim_mm(), &none) == -EFAULT && debug_clean(sim_mm(), &none) == -EFAULT);
	none = (struct mm_range){.addr = PAGE_SIZE, .len = 0, .pages = 9};
	CHECK(debug_clear_young(sim_mm(), &none) == 0 && none.pages == 0);
	end_world();
}

/* The CPUs tell of the next access again: their TLBs do not answer for them. */
static void young_again_after_access(void *arg)
{
	struct mm_range r;

	make_world();
	for (unsigned i = 0; i < 3; i++)
		store_word(anon + i * PAGE_SIZE, i);
	r = (struct mm_range){.addr = anon + 10, .len = 3 * PAGE_SIZE - 20};
	CHECK(debug_clear_young(sim_mm(), &r) == 0 && r.pages == 3 && r.count == 3);
	CHECK(!look(anon, 0).accessed && look(anon, 0).dirty);
	CHECK(debug_clear_young(sim_mm(), &r) == 0 && r.pages == 3 && r.count == 0);
	load_word(anon + PAGE_SIZE);
	CHECK(debug_clear_young(sim_mm(), &r) == 0 && r.pages == 3 && r.count == 1);
	end_world();
}

/* Entries are cleaned and the page keeps the knowledge; nothing goes to the disk. */
static void clean_without_io(void *arg)
{
	struct mm_range r;

	make_world();
	store_word(anon, 1);
	store_word(shared, 1);
	store_word(shared + PAGE_SIZE, 2);
	load_word(shared + 2 * PAGE_SIZE);
	load_word(anon + PAGE_SIZE);
	r = (struct mm_range){.addr = 0, .len = USER_END};
	CHECK(debug_clean(sim_mm(), &r) == 0);
	CHECK(r.pages == 3 && r.count == 2); /* of files; that were dirty */
	CHECK(!look(shared, 0).dirty && !look(shared, 0).write && look(shared, 0).grant == RW);
	CHECK(look(shared, 0).page & MM_PAGE_DIRTY && sim_disk_writes(file, 0) == 0);
	CHECK(look(anon, 0).dirty);
	CHECK(debug_clean(sim_mm(), &r) == 0 && r.pages == 3 && r.count == 0);
	store_word(shared, 3);
	CHECK(look(shared, 0).dirty && load_word(shared) == 3);
	CHECK(debug_clean(sim_mm(), &r) == 0 && r.count == 1);
	end_world();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(describes_what_is_there);
	CASE_CALM(lockless_look);
	CASE_CALM(bad_requests);
	CASE_CALM(young_again_after_access);
	CASE_CALM(clean_without_io);
	return sim_end();
}
