/*
 * test_mlock.c - mm/service/mlock.c: a lock brings the pages in and marks the range, whole or not at all.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

#define PAGES 4

static struct mm *mm;
static vaddr_t a;

static void four_pages(void)
{
	mm = enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
}

static bool locked(unsigned page)
{
	return vma_of(a + P(page))->flags & VM_LOCKED;
}

static void marks_and_populates(void *arg)
{
	four_pages();
	CHECK(mm_mlock(mm, a + P(1) + 10, P(1), true) == 0); /* every page that the bytes lie in */
	CHECK(!locked(0) && locked(1) && locked(2) && !locked(3) && count_vmas() == 3);
	CHECK(kind_at(a) == PTE_KIND_NONE && sim_entry(mm, a + P(1)).write && sim_entry(mm, a + P(2)).write);
	CHECK(mm_mlock(mm, a, P(PAGES), false) == 0 && !locked(1) && count_vmas() == 1);
	CHECK(kind_at(a + P(1)) == PTE_KIND_PAGE); /* unlocked pages need not go */
}

static void refuses(void *arg)
{
	four_pages();
	CHECK(mm_mlock(mm, P(20), 0, true) == 0 && mm_mlock(mm, a, ~0ul, true) == 0 /* it wraps to nothing */);
	CHECK(mm_mlock(mm, a, USER_END, true) == -ENOMEM && mm_mlock(mm, USER_END + P(1), P(1), true) == -ENOMEM);
	CHECK(mm_munmap(mm, a + P(2), P(1)) == 0);
	CHECK(mm_mlock(mm, a, P(PAGES), true) == -ENOMEM && !locked(0) && kind_at(a) == PTE_KIND_NONE);
}

/* Locked memory is not dropped and not invalidated. */
static void keeps_pages(void *arg)
{
	four_pages();
	store_word(a + P(3), 5);
	CHECK(mm_mlock(mm, a + P(1), P(1), true) == 0);
	CHECK(mm_madvise(mm, a, P(PAGES), MADV_DONTNEED) == -EINVAL && load_word(a + P(3)) == 5);
	CHECK(mm_msync(mm, a, P(PAGES), MS_ASYNC | MS_INVALIDATE) == -EBUSY);
}

/* Private memory that nobody could touch comes when it may be written; shared memory when somebody touches it. */
static void comes_when_writable(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(1), false);
	vaddr_t shared;

	four_pages();
	shared = map_pages(1, MAP_SHARED, f, 0);
	sim_file_put(f);
	CHECK(mm_mprotect(mm, a, P(PAGES), 0) == 0 && mm_mprotect(mm, shared, P(1), 0) == 0);
	CHECK(mm_mlock(mm, a, P(2), true) == -ENOMEM && mm_mlock(mm, shared, P(1), true) == -ENOMEM && locked(1));
	CHECK(mm_mprotect(mm, a, P(PAGES), PROT_READ) == 0 && kind_at(a) == PTE_KIND_NONE);
	CHECK(mm_mprotect(mm, a + P(1), P(2), RW) == 0 && mm_mprotect(mm, shared, P(1), RW) == 0);
	CHECK(kind_at(a) == PTE_KIND_NONE && sim_entry(mm, a + P(1)).write);
	CHECK(kind_at(a + P(2)) == PTE_KIND_NONE && kind_at(shared) == PTE_KIND_NONE);
}

/* Everything that is mapped now. */
static void all(void *arg)
{
	vaddr_t b;

	four_pages();
	b = (vaddr_t)sim_mmap(mm, P(64), P(1), PROT_READ, MAP_PRIVATE | MAP_FIXED, NULL, 0);
	CHECK(mm_mlockall(mm, true) == 0 && locked(0) && (vma_of(b)->flags & VM_LOCKED));
	CHECK(kind_at(a) == PTE_KIND_PAGE && kind_at(b) == PTE_KIND_PAGE);
	CHECK(!(vma_of(map_pages(1, MAP_PRIVATE, NULL, 0))->flags & VM_LOCKED));
	CHECK(mm_mlockall(mm, false) == 0 && !locked(0) && !(vma_of(b)->flags & VM_LOCKED));
}

static long lock_middle(void)
{
	return mm_mlock(mm, a + P(1), P(2), true);
}

static void as_before(void)
{
	CHECK(count_vmas() == 1 && !locked(1) && kind_at(a + P(1)) == PTE_KIND_NONE);
}

static void no_memory(void *arg)
{
	four_pages();
	store_word(a, 1); /* it has a family */
	CHECK(each_fails("slab_alloc", lock_middle, as_before) == 4 && locked(1));
}

static void interrupted_mlock(void *arg)
{
	CHECK(lock_middle() == -EINTR && mm_mlockall(mm, true) == -EINTR);
}

static void interrupted(void *arg)
{
	four_pages();
	by_killed_waiter(interrupted_mlock, NULL);
	as_before();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(marks_and_populates);
	CASE(refuses);
	CASE(keeps_pages);
	CASE(comes_when_writable);
	CASE(all);
	CASE_CALM(no_memory);
	CASE(interrupted);
	return sim_end();
}
