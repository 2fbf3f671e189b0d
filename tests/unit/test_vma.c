/*
 * test_vma.c - mm/space/vma.c: finding ranges, splitting and merging them, finding holes.
 *
 * machine: amd64 tiny2
 */
#include "tests/unit/sim_laws.h"

#define BASE P(64)

static void map_at(unsigned long page, unsigned long pages, unsigned prot)
{
	CHECK(sim_mmap(sim_mm(), BASE + P(page), P(pages), prot, MAP_PRIVATE | MAP_FIXED, NULL, 0) ==
	      (long)(BASE + P(page)));
}

static bool covers(unsigned long page, unsigned long pages)
{
	bool is;

	rwsem_read_lock(&sim_mm()->lock);
	is = vma_covers(sim_mm(), BASE + P(page), BASE + P(page + pages));
	rwsem_read_unlock(&sim_mm()->lock);
	return is;
}

/* The range that holds the address, or the next above, or none. */
static void finds(void *arg)
{
	struct mm *mm = enter_space();

	CHECK(!vma_find(mm, 0) && !vma_first(mm));
	map_at(0, 2, RW);
	map_at(4, 2, RW);
	CHECK(vma_find(mm, 0)->start == BASE && vma_find(mm, BASE + P(2) - 1)->start == BASE);
	CHECK(vma_find(mm, BASE + P(2))->start == BASE + P(4));
	CHECK(!vma_find(mm, BASE + P(6)));
	CHECK(vma_first(mm) == vma_find(mm, 0) && vma_next(vma_first(mm)) == vma_find(mm, BASE + P(5)));
	CHECK(!vma_next(vma_find(mm, BASE + P(5))));
	CHECK(mm->nr_vmas == 2 && mm->total_pages == 4);
}

static void covered(void *arg)
{
	enter_space();
	map_at(0, 2, RW);
	map_at(2, 1, PROT_READ);
	map_at(4, 1, RW);
	CHECK(covers(0, 1) && covers(0, 3) && covers(1, 2) && covers(4, 1));
	CHECK(!covers(0, 4) && !covers(3, 1) && !covers(3, 2) && !covers(4, 2));
}

/* A part that becomes different is a range of its own; when it is equal again there is one. */
static void splits_and_merges(void *arg)
{
	struct mm *mm = enter_space();

	map_at(0, 6, RW);
	CHECK(mm_mprotect(mm, BASE + P(2), P(2), PROT_READ) == 0);
	CHECK(mm->nr_vmas == 3 && mm->total_pages == 6);
	CHECK(vma_of(BASE + P(2))->end == BASE + P(4) && vma_of(BASE + P(2))->pgoff == 64 + 2);
	CHECK(mm_mprotect(mm, BASE + P(2), P(2), RW) == 0);
	CHECK(mm->nr_vmas == 1 && vma_of(BASE)->end == BASE + P(6) && mm->total_pages == 6);
}

/* Neighbours are one only if the file goes on in the second where it stopped in the first. */
static void merges_by_offset(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(8), false),
					*g = sim_file_create(SIM_FILE_TMPFS, P(8), false);
	struct mm *mm = enter_space();
	const unsigned flags = MAP_SHARED | MAP_FIXED;

	CHECK(sim_mmap(mm, BASE, P(1), RW, flags, f, 0) > 0);
	CHECK(sim_mmap(mm, BASE + P(2), P(1), RW, flags, f, 2) > 0);
	CHECK(mm->nr_vmas == 2 && sim_file_object(f)->maps.nr_links == 2);
	CHECK(sim_mmap(mm, BASE + P(1), P(1), RW, flags, f, 3) > 0 && mm->nr_vmas == 3);
	CHECK(sim_mmap(mm, BASE + P(1), P(1), RW, flags, g, 1) > 0 && mm->nr_vmas == 3);
	CHECK(sim_mmap(mm, BASE + P(1), P(1), RW, flags, f, 1) > 0 && mm->nr_vmas == 1);
	CHECK(sim_file_object(f)->maps.nr_links == 1 && sim_file_object(g)->maps.nr_links == 0);
	sim_file_put(f);
	sim_file_put(g);
}

static long protect_middle(void)
{
	return mm_mprotect(sim_mm(), BASE + P(2), P(2), PROT_READ);
}

static void one_writable_range(void)
{
	CHECK(sim_mm()->nr_vmas == 1 && vma_of(BASE)->end == BASE + P(6) && (vma_of(BASE)->flags & VM_WRITE));
}

/* No memory for either of two splits: there is one range as before. */
static void split_without_memory(void *arg)
{
	enter_space();
	map_at(0, 6, RW);
	CHECK(each_fails("slab_alloc", protect_middle, one_writable_range) == 2);
	CHECK(sim_mm()->nr_vmas == 3);
}

/* As many ranges as Linux allows: no split makes more. */
static void too_many(void *arg)
{
	struct mm *mm = enter_space();

	map_at(0, 6, RW);
	mm->nr_vmas += VM_MAX_MAP_COUNT - 1;
	CHECK(mm_mprotect(mm, BASE + P(2), P(2), PROT_READ) == -ENOMEM);
	CHECK(mm_munmap(mm, BASE + P(2), P(1)) == -ENOMEM);
	CHECK(sim_mmap(mm, 0, P(1), RW, MAP_PRIVATE, NULL, 0) == -ENOMEM);
	mm->nr_vmas -= VM_MAX_MAP_COUNT - 1;
	one_writable_range();
}

/* -- holes ---------------------------------------------------------------------------------------------------------------- */

/* From the base downwards, the first hole that is large enough; when there is none, the lowest above the base. */
static void highest_hole_first(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(1, MAP_PRIVATE, NULL, 0), b = map_pages(2, MAP_PRIVATE, NULL, 0),
			c = map_pages(1, MAP_PRIVATE, NULL, 0);

	CHECK(a == USER_MMAP_BASE - P(1) && b == a - P(2) && c == b - P(1));
	CHECK(mm_munmap(mm, b, P(2)) == 0);
	CHECK(map_pages(3, MAP_PRIVATE, NULL, 0) == c - P(3));
	CHECK(map_pages(2, MAP_PRIVATE, NULL, 0) == b);
	CHECK(mm_munmap(mm, b, P(2)) == 0);
	CHECK(map_pages(1, MAP_PRIVATE, NULL, 0) == b + P(1));
}

/* Everything below the base taken by one mapping, and perhaps one above it. */
static void fill_below(bool above)
{
	vaddr_t lowest = 0x10000;

	CHECK(sim_mmap(sim_mm(), lowest, USER_MMAP_BASE - lowest, 0, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, NULL, 0) > 0);
	if (above)
		CHECK(sim_mmap(sim_mm(), USER_MMAP_BASE + P(1), P(1), PROT_READ, MAP_PRIVATE | MAP_FIXED, NULL, 0) > 0);
}

static void lowest_above(void *arg)
{
	struct mm *mm = enter_space();

	fill_below(true);
	CHECK(map_pages(2, MAP_PRIVATE, NULL, 0) == USER_MMAP_BASE + P(2));
	CHECK(map_pages(1, MAP_PRIVATE, NULL, 0) == USER_MMAP_BASE);
	CHECK(sim_mmap(mm, 0, USER_END - USER_MMAP_BASE, RW, MAP_PRIVATE | MAP_NORESERVE, NULL, 0) == -ENOMEM);
}

/* A mapping that lies across the base. */
static void across_the_base(void *arg)
{
	enter_space();
	CHECK(sim_mmap(sim_mm(), USER_MMAP_BASE - P(1), P(2), RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) > 0);
	CHECK(map_pages(1, MAP_PRIVATE, NULL, 0) == USER_MMAP_BASE - P(2));
}

static void space_is_full(void *arg)
{
	struct mm *mm = enter_space();

	fill_below(false);
	CHECK(sim_mmap(mm, USER_MMAP_BASE, USER_END - USER_MMAP_BASE, 0, MAP_PRIVATE | MAP_FIXED, NULL, 0) > 0);
	CHECK(sim_mmap(mm, 0, P(1), RW, MAP_PRIVATE, NULL, 0) == -ENOMEM);
	CHECK(mm_munmap(mm, USER_END - P(1), P(1)) == 0);
	CHECK(map_pages(1, MAP_PRIVATE, NULL, 0) == USER_END - P(1));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(finds);
	CASE(covered);
	CASE(splits_and_merges);
	CASE(merges_by_offset);
	CASE_CALM(split_without_memory);
	CASE(too_many);
	CASE(highest_hole_first);
	CASE(lowest_above);
	CASE(across_the_base);
	CASE(space_is_full);
	return sim_end();
}
