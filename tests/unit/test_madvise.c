/*
 * test_madvise.c - mm/service/madvise.c: pages dropped, populated, kept from children; hints that do nothing.
 *
 * machine: amd64 scrambled
 */
#include "tests/unit/sim_laws.h"

#define PAGES 4

static struct mm *mm;
static vaddr_t a;

static void four_pages(void)
{
	mm = enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), i + 1);
}

static void refuses(void *arg)
{
	static const int unknown[] = {5, 12, 13, 18, 26, 100, -1};

	four_pages();
	for (unsigned i = 0; i < ARRAY_SIZE(unknown); i++)
		CHECK(mm_madvise(mm, a, P(1), unknown[i]) == -EINVAL && mm_madvise(mm, a, 0, unknown[i]) == -EINVAL);
	CHECK(mm_madvise(mm, a + 1, P(1), MADV_NORMAL) == -EINVAL && mm_madvise(mm, a, ~0ul, MADV_NORMAL) == -EINVAL);
	CHECK(mm_madvise(mm, a, (size_t)0 - a - P(1), MADV_NORMAL) == -ENOMEM);
	CHECK(mm_madvise(mm, P(20), 0, MADV_DONTNEED) == 0 && load_word(a) == 1);
	CHECK(mm_madvise(mm, a, USER_END, MADV_DONTNEED) == -ENOMEM && load_word(a) == 0); /* what is there was dropped */
}

/* Only the range is judged. */
static void hints(void *arg)
{
	four_pages();
	for (int advice = MADV_NORMAL; advice <= MADV_WILLNEED; advice++) {
		CHECK(mm_madvise(mm, a, P(PAGES), advice) == 0);
		CHECK(mm_madvise(mm, a, P(PAGES + 1), advice) == -ENOMEM);
	}
	CHECK(load_word(a) == 1 && count_vmas() == 1);
}

/* Files' pages are read before they are touched: those of the range, and nothing for a mapping of remapped pages. */
static void will_need(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(16), true);
	vaddr_t b;

	sim_file_batched(f);
	four_pages(); /* no file's: passed over */
	b = (vaddr_t)sim_mmap(mm, a + P(PAGES), P(8), RW, MAP_SHARED | MAP_FIXED, f, 2);
	CHECK(b == a + P(PAGES) && mm_madvise(mm, a, P(PAGES + 3), MADV_WILLNEED) == 0);
	for (pgoff_t i = 0; i < 16; i++)
		CHECK(sim_disk_reads(f, i) == (i >= 2 && i < 5));
	CHECK(load_word(b) == FILLED(2) && sim_disk_reads(f, 2) == 1 && mm->major_faults == 0);
	CHECK(mm_remap_file_pages(mm, b, P(1), 0, 12, MAP_NONBLOCK) == 0);
	CHECK(mm_madvise(mm, a, P(PAGES + 9), MADV_WILLNEED) == -ENOMEM && sim_disk_reads(f, 7) == 0);
	sim_file_put(f);
}

/* How far is read ahead is the mapping's choice. */
static void in_order_or_not(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(128), true);

	sim_file_batched(f);
	mm = enter_space();
	a = map_pages(128, MAP_SHARED, f, 0);
	CHECK(mm_madvise(mm, a, P(64), MADV_RANDOM) == 0 && mm_madvise(mm, a + P(64), P(64), MADV_SEQUENTIAL) == 0);
	CHECK(load_word(a) == FILLED(0) && sim_disk_reads(f, 1) == 0);
	CHECK(load_word(a + P(1)) == FILLED(1) && sim_disk_reads(f, 2) == 0);
	CHECK(load_word(a + P(64)) == FILLED(64) && load_word(a + P(65)) == FILLED(65));
	CHECK(sim_disk_reads(f, 66) == 1 && sim_disk_reads(f, 120) == 1);
	sim_file_put(f);
}

/* Anonymous memory is zero again; only in the range. */
static void drops_memory(void *arg)
{
	four_pages();
	CHECK(mm_madvise(mm, a + P(1), P(1) + 1, MADV_DONTNEED) == 0);
	CHECK(kind_at(a + P(1)) == PTE_KIND_NONE && !sim_tlb_has(sim_cpu(), a + P(1)));
	CHECK(load_word(a) == 1 && load_word(a + P(1)) == 0 && load_word(a + P(2)) == 0 && load_word(a + P(3)) == 4);
}

/* A hole is reported, but what is mapped has been dropped all the same (Linux). */
static void drops_around_a_hole(void *arg)
{
	four_pages();
	CHECK(mm_munmap(mm, a + P(1), P(1)) == 0);
	CHECK(mm_madvise(mm, a, P(PAGES), MADV_DONTNEED) == -ENOMEM);
	CHECK(load_word(a) == 0 && load_word(a + P(3)) == 0);
}

/* A shared page is in the file still, with what was stored; a private copy is gone and the file shows again. */
static void drops_file_pages(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(2), true);
	vaddr_t shared, private;

	mm = enter_space();
	shared = map_pages(1, MAP_SHARED, f, 0);
	private = map_pages(1, MAP_PRIVATE, f, 1);
	store_word(shared, 5);
	store_word(private, 6);
	CHECK(mm_madvise(mm, shared, P(1), MADV_DONTNEED) == 0 && mm_madvise(mm, private, P(1), MADV_DONTNEED) == 0);
	CHECK(load_word(shared) == 5 && load_word(private) == FILLED(1));
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 5);
	sim_file_put(f);
}

static void populates(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(2), true);
	vaddr_t shared;

	four_pages();
	shared = map_pages(2, MAP_SHARED, f, 0);
	CHECK(mm_madvise(mm, shared, P(2), MADV_POPULATE_READ) == 0 && kind_at(shared + P(1)) == PTE_KIND_PAGE);
	CHECK(!sim_entry(mm, shared).write && mm_madvise(mm, shared, P(2), MADV_POPULATE_WRITE) == 0);
	CHECK(sim_entry(mm, shared).write && page_test(frame_at(shared), PG_DIRTY));
	sim_file_truncate(f, P(1));
	CHECK(mm_madvise(mm, shared, P(2), MADV_POPULATE_READ) == -EFAULT);
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0 && mm_madvise(mm, a, P(1), MADV_POPULATE_WRITE) == -EINVAL);
	CHECK(mm_munmap(mm, a + P(1), P(1)) == 0 && mm_madvise(mm, a, P(3), MADV_DONTNEED) == -ENOMEM);
	CHECK(mm_madvise(mm, a, P(3), MADV_POPULATE_READ) == -ENOMEM && kind_at(a) == PTE_KIND_PAGE); /* up to the hole */
	sim_file_put(f);
}

/* The pages leave the file, for everybody; what cannot be emptied so is refused, vma by vma. */
static void removes_from_files(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(PAGES), false);
	vaddr_t b;

	four_pages();
	b = map_pages(PAGES, MAP_SHARED, f, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(b + P(i), i + 1);
	CHECK(mm_madvise(mm, b + P(1), P(2), MADV_REMOVE) == 0 && sim_file_object(f)->nr_pages == 2);
	CHECK(load_word(b) == 1 && load_word(b + P(1)) == 0 && load_word(b + P(2)) == 0 && load_word(b + P(3)) == 4);
	CHECK(mm_madvise(mm, a, P(1), MADV_REMOVE) == -EINVAL && load_word(a) == 1); /* no file's */
	CHECK(mm_munmap(mm, b + P(1), P(1)) == 0 && mm_madvise(mm, b, P(PAGES), MADV_REMOVE) == -ENOMEM);
	CHECK(load_word(b) == 0 && load_word(b + P(3)) == 0);
	store_word(b, 5);
	CHECK(mm_mlock(mm, b, P(1), true) == 0 && mm_madvise(mm, b, P(1), MADV_REMOVE) == -EINVAL && load_word(b) == 5);
	b = map_pages(1, MAP_PRIVATE, f, 0);
	CHECK(mm_madvise(mm, b, P(1), MADV_REMOVE) == -EACCES && load_word(b) == 5);
	sim_file_put(f);
}

/* What is locked goes only to who says so. */
static void drops_locked_memory(void *arg)
{
	four_pages();
	CHECK(mm_mlock(mm, a, P(2), true) == 0 && mm_madvise(mm, a, P(2), MADV_FREE) == -EINVAL);
	CHECK(mm_madvise(mm, a, P(2), MADV_DONTNEED_LOCKED) == 0 && load_word(a) == 0 && load_word(a + P(2)) == 3);
	CHECK(mm_madvise(mm, a, P(PAGES), MADV_DONTDUMP) == 0 && mm_madvise(mm, a, P(PAGES + 1), MADV_DODUMP) == -ENOMEM);
}

static long dont_fork(void)
{
	return mm_madvise(mm, a + P(1), P(2), MADV_DONTFORK);
}

static void as_before(void)
{
	CHECK(count_vmas() == 1 && !(vma_of(a)->flags & VM_DONTCOPY));
}

static void dontfork(void *arg)
{
	struct mm *child;

	four_pages();
	CHECK(each_fails("slab_alloc", dont_fork, as_before) == 4); /* twice a vma and its place in a family */
	CHECK(count_vmas() == 3);
	child = mm_fork(mm);
	CHECK(vma_find(child, a)->end == a + P(1) && vma_find(child, a + P(1))->start == a + P(3));
	mm_put(child);
	CHECK(mm_madvise(mm, a, P(PAGES + 1), MADV_DOFORK) == -ENOMEM); /* done as far as there is something */
	as_before();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(refuses);
	CASE(hints);
	CASE_CALM(will_need);
	CASE_CALM(in_order_or_not);
	CASE_CALM(drops_memory);
	CASE(drops_around_a_hole);
	CASE(drops_file_pages);
	CASE(populates);
	CASE(removes_from_files);
	CASE(drops_locked_memory);
	CASE_CALM(dontfork);
	return sim_end();
}
