/*
 * test_truncate.c - mm/object/truncate.c: what a file no longer has, nobody sees any more, in the cache or through a mapping.
 *
 * machine: amd64 i386 tiny2
 */
#include "mm/object/pagecache.h"

#include "tests/unit/sim_laws.h"

#define PAGES 6

static struct sim_file *f;
static struct vm_object *obj;
static struct mm *mm;
static vaddr_t shared, private;

static void file_mapped_twice(enum sim_file_kind kind)
{
	f = sim_file_create(kind, P(PAGES), true);
	obj = sim_file_object(f);
	mm = enter_space();
	shared = map_pages(PAGES, MAP_SHARED, f, 0);
	private = map_pages(PAGES, MAP_PRIVATE, f, 0);
}

static bool cached(pgoff_t pgoff)
{
	struct page *page = pagecache_find(obj, pgoff);

	if (page)
		page_put(page);
	return page;
}

/* -- shorter -------------------------------------------------------------------------------------------------------------------- */

/* Out of every mapping, with the private copies (as Linux has it), and out of the cache; what is left stays as it is. */
static void unmaps_everywhere(void *arg)
{
	struct mm *child;
	u64 word;

	file_mapped_twice(SIM_FILE_DISK);
	for (unsigned i = 0; i < PAGES; i++) {
		store_word(shared + P(i), i + 1);
		store_word(private + P(i), i + 100);
	}
	child = mm_fork(mm);
	CHECK(mm_access(child, shared + P(3), &word, 8, false) == 8 && word == 4);
	sim_file_truncate(f, P(2));
	for (unsigned i = 0; i < PAGES; i++) {
		enum fault_result expected = i < 2 ? FAULT_OK : FAULT_SIGBUS;

		CHECK(cached(i) == (i < 2));
		CHECK(sim_touch(shared + P(i), FAULT_READ) == expected && sim_touch(private + P(i), FAULT_READ) == expected);
	}
	CHECK(sim_entry(child, shared + P(3)).kind == PTE_KIND_NONE &&
	      sim_entry(child, private + P(3)).kind == PTE_KIND_NONE);
	CHECK(load_word(shared + P(1)) == 2 && load_word(private + P(1)) == 101);
	mm_put(child);
	sim_file_put(f);
}

/* Nothing is written that is not the file's any more; when the file grows again it is zero there. */
static void gone_for_good(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	store_word(shared + P(3), 7);
	sim_file_truncate(f, P(2));
	sim_file_truncate(f, P(PAGES));
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 3) == 0);
	CHECK(load_word(shared + P(3)) == 0 && load_word(private + P(2)) == 0);
	sim_file_put(f);
}

/* The rest of the last page reads as zero, at once and after growing, in the cache and on the disk. */
static void tail(void *arg)
{
	u64 page[PAGE_SIZE / sizeof(u64)];

	file_mapped_twice(SIM_FILE_DISK);
	CHECK(load_word(shared + P(1) + 16) == FILLED(1));
	sim_file_truncate(f, P(1) + 12);
	CHECK(load_word(shared + P(1)) == FILLED(1) && load_word(shared + P(1) + 8) == (u32)FILLED(1));
	CHECK(load_word(shared + P(1) + 16) == 0);
	sim_file_truncate(f, P(PAGES));
	CHECK(load_word(shared + P(1) + 16) == 0 && sim_file_sync(f) == 0 && sim_disk_read(f, 1, page));
	CHECK(page[0] == FILLED(1) && page[2] == 0 && page[PAGE_SIZE / 8 - 1] == 0);
	sim_file_put(f);
}

/* Growing too: what a mapping stored beyond the end, in the last page, never becomes content. */
static void stored_beyond_the_end(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	sim_file_truncate(f, P(1) + 8);
	store_word(shared + P(1) + 64, 99);
	sim_file_truncate(f, P(PAGES));
	CHECK(load_word(shared + P(1) + 64) == 0 && load_word(shared + P(1)) == FILLED(1));
	sim_file_put(f);
}

/* A tail that is zero already costs no block. */
static void zero_tail_is_left_alone(void *arg)
{
	f = sim_file_create(SIM_FILE_DISK, P(PAGES), false);
	sim_file_truncate(f, 100);
	CHECK(sim_file_sync(f) == 0 && sim_disk_writes(f, 0) == 0);
	sim_file_put(f);
}

/* The tail's page cannot be read, or the file system has no room: the file is shorter all the same. */
static void tail_cannot_be_had(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	sim_disk_fail_reads(f, 1, -EIO);
	sim_file_truncate(f, P(2) + 8);
	CHECK(obj->size == P(2) + 8 && load_word(shared + P(2) + 8) == 0);
	sim_disk_fail_reserve(f, 1, -ENOSPC);
	sim_file_truncate(f, P(1) + 8);
	CHECK(obj->size == P(1) + 8 && sim_touch(shared + P(2), FAULT_READ) == FAULT_SIGBUS);
	sim_file_put(f);
}

/* -- nonlinear mappings: the entries keep their places -------------------------------------------------------------------------- */
static void nonlinear(void *arg)
{
	file_mapped_twice(SIM_FILE_TMPFS);
	CHECK(mm_remap_file_pages(mm, shared, P(2), 0, 4, 0) == 0);
	CHECK(mm_remap_file_pages(mm, shared + P(3), P(1), PROT_READ, 3, MAP_CHGPROT) == 0);
	store_word(shared + P(2), 3);
	sim_file_truncate(f, P(3));
	CHECK(kind_at(shared) == PTE_KIND_FILE && sim_entry(mm, shared).payload == 4);
	CHECK(sim_entry(mm, shared + P(1)).payload == 5 && kind_at(shared + P(3)) == PTE_KIND_FILE); /* rights of its own */
	CHECK(load_word(shared + P(2)) == 3 && sim_touch(shared, FAULT_WRITE) == FAULT_SIGBUS);
	sim_file_truncate(f, P(PAGES));
	CHECK(load_word(shared) == 0 && frame_at(shared)->index == 4);
	CHECK(mm_fault(mm, shared + P(3), FAULT_WRITE) == FAULT_ACCERR && load_word(shared + P(3)) == 0);
	sim_file_put(f);
}

/* -- holes -------------------------------------------------------------------------------------------------------------------------- */

/* The range reads as zero; private copies, which are nobody's file, stay. */
static void punch(void *arg)
{
	file_mapped_twice(SIM_FILE_DISK);
	for (unsigned i = 0; i < PAGES; i++) {
		store_word(shared + P(i), i + 1);
		if (i != 2)
			store_word(private + P(i), i + 100);
	}
	CHECK(load_word(private + P(2)) == 3);
	sim_file_punch(f, 2, 3);
	for (unsigned i = 0; i < PAGES; i++) {
		bool hole = i == 2 || i == 3;

		CHECK(cached(i) == !hole && load_word(shared + P(i)) == (hole ? 0 : i + 1));
		CHECK(load_word(private + P(i)) == (i == 2 ? 0 : i + 100));
	}
	CHECK(obj->size == P(PAGES) && sim_file_sync(f) == 0 && disk_word(f, 1) == 2 && disk_word(f, 3) == 0);
	sim_file_put(f);
}

/* -- while others are there --------------------------------------------------------------------------------------------------------- */
static void store_and_load(void *arg)
{
	for (unsigned i = 0; i < 150; i++) {
		vaddr_t va = (sim_below(2) ? shared : private) + P(sim_below(PAGES));
		enum fault_result result = sim_touch(va, FAULT_WRITE);

		CHECK(result == FAULT_OK || result == FAULT_SIGBUS);
	}
}

/* Whatever faults do meanwhile: when it is over, no entry shows what is not in the file. */
static void against_faults(void *arg)
{
	struct sim_thread *t[3];

	file_mapped_twice(SIM_FILE_DISK);
	for (unsigned i = 0; i < 3; i++)
		t[i] = sim_spawn(mm, -1, store_and_load, NULL);
	for (unsigned i = 0; i < 40; i++) {
		pgoff_t pages = sim_below(PAGES);

		sim_file_truncate(f, P(pages));
		for (unsigned page = (unsigned)pages; page < PAGES; page++)
			CHECK(kind_at(shared + P(page)) == PTE_KIND_NONE && !cached(page));
		sim_file_truncate(f, P(PAGES));
	}
	for (unsigned i = 0; i < 3; i++)
		sim_join(t[i]);
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(unmaps_everywhere);
	CASE(gone_for_good);
	CASE(tail);
	CASE(stored_beyond_the_end);
	CASE(zero_tail_is_left_alone);
	CASE(tail_cannot_be_had);
	CASE(nonlinear);
	CASE(punch);
	CASE(against_faults);
	return sim_end();
}
