/*
 * test_mremap.c - mm/space/mremap.c: ranges grow, shrink and move, and their entries with them.
 *
 * machine: amd64 pae tiny2
 */
#include "tests/unit/sim_laws.h"

#define PAGES 4
#define LEN P(PAGES)
#define PLACE P(64) /* the lowest address of the playground */

static struct mm *mm;
static vaddr_t a;

static long mremap(vaddr_t old, size_t old_len, size_t new_len, unsigned flags, vaddr_t new)
{
	return mm_mremap(mm, old, old_len, new_len, flags, new);
}

/* Anonymous memory at PLACE with 1, 2, 3, 4 in it; nothing around it. */
static void four_pages(void)
{
	mm = enter_space();
	a = (vaddr_t)sim_mmap(mm, PLACE, LEN, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0);
	for (unsigned i = 0; i < PAGES; i++)
		store_word(a + P(i), i + 1);
}

/* A shared mapping of a file of 16 pages, at PLACE. */
static struct sim_file *four_file_pages(void)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(16), true);

	mm = enter_space();
	a = (vaddr_t)sim_mmap(mm, PLACE, LEN, RW, MAP_SHARED | MAP_FIXED, f, 0);
	return f;
}

static bool four_words(vaddr_t at)
{
	for (unsigned i = 0; i < PAGES; i++)
		if (load_word(at + P(i)) != i + 1)
			return false;
	return true;
}

/* -- what it refuses ---------------------------------------------------------------------------------------------------------- */
static void refuses(void *arg)
{
	four_pages();
	CHECK(mremap(a, LEN, LEN, 8, 0) == -EINVAL && mremap(a + 1, LEN, LEN, 0, 0) == -EINVAL);
	CHECK(mremap(a, LEN, 0, 0, 0) == -EINVAL && mremap(a, LEN, ~0ul, 0, 0) == -EINVAL);
	CHECK(mremap(a, LEN, LEN, MREMAP_FIXED, P(96)) == -EINVAL && mremap(a, LEN, LEN, MREMAP_DONTUNMAP, 0) == -EINVAL);
	CHECK(mremap(a, LEN, P(5), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0) == -EINVAL); /* would have to make memory */
	CHECK(mremap(a, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, P(96) + 1) == -EINVAL);
	CHECK(mremap(a, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, USER_END) == -EINVAL);
	CHECK(mremap(a, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, a + P(1)) == -EINVAL); /* onto itself */
	CHECK(mremap(a, LEN, USER_END + P(1), MREMAP_MAYMOVE, 0) == -ENOMEM);
	CHECK(four_words(a) && count_vmas() == 1);
}

/* The old range must lie in one mapping. */
static void source(void *arg)
{
	four_pages();
	CHECK(mremap(P(96), P(1), P(2), MREMAP_MAYMOVE, 0) == -EFAULT);
	CHECK(mremap(a, P(5), P(6), MREMAP_MAYMOVE, 0) == -EFAULT);
	CHECK(mm_mprotect(mm, a + P(2), P(1), PROT_READ) == 0 && mremap(a, LEN, P(5), MREMAP_MAYMOVE, 0) == -EFAULT);
	CHECK(mremap(a, 0, P(1), MREMAP_MAYMOVE, 0) == -EINVAL); /* private memory has no second mapping */
	CHECK(four_words(a));
}

/* Offsets in the file may not wrap. */
static void offset_wraps(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, 0, false);

	mm = enter_space();
	a = (vaddr_t)sim_mmap(mm, 0, P(1), RW, MAP_SHARED, f, ~0ul - 2);
	CHECK(mremap(a, P(1), P(4), MREMAP_MAYMOVE, 0) == -EINVAL && count_vmas() == 1);
	sim_file_put(f);
}

static void interrupted_mremap(void *arg)
{
	CHECK(mremap(a, LEN, P(8), MREMAP_MAYMOVE, 0) == -EINTR);
}

static void interrupted(void *arg)
{
	four_pages();
	by_killed_waiter(interrupted_mremap, NULL);
	CHECK(four_words(a) && vma_of(a)->end == a + LEN);
}

/* -- in place --------------------------------------------------------------------------------------------------------------------- */
static void shrinks(void *arg)
{
	four_pages();
	CHECK(mremap(a, LEN, LEN, 0, 0) == (long)a && four_words(a));
	CHECK(mremap(a, LEN, P(1) + 1, 0, 0) == (long)a && vma_of(a)->end == a + P(2));
	CHECK(load_word(a + P(1)) == 2 && sim_touch(a + P(2), FAULT_READ) == FAULT_MAPERR);
}

static void grows(void *arg)
{
	four_pages();
	CHECK(mremap(a, LEN, P(6), 0, 0) == (long)a && count_vmas() == 1 && vma_of(a)->end == a + P(6));
	CHECK(four_words(a) && load_word(a + P(5)) == 0);
	CHECK(sim_mmap(mm, a + P(7), P(1), PROT_READ, MAP_PRIVATE | MAP_FIXED, NULL, 0) > 0);
	CHECK(mremap(a, P(6), P(8), 0, 0) == -ENOMEM); /* something is there */
	CHECK(mremap(a, P(2), P(3), 0, 0) == -ENOMEM); /* something is there: the mapping itself */
	CHECK(mremap(a + P(5), P(1), P(2), 0, 0) == (long)(a + P(5)) && load_word(a + P(6)) == 0);
	CHECK(four_words(a) && count_vmas() == 2);
}

/* What is added to a file mapping is the next part of the file, also where entries have places of their own. */
static void grows_a_file(void *arg)
{
	struct sim_file *f = four_file_pages();

	CHECK(mm_remap_file_pages(mm, a, P(1), 0, 9, 0) == 0);
	CHECK(mremap(a, LEN, P(6), 0, 0) == (long)a && count_vmas() == 1);
	CHECK(load_word(a) == FILLED(9) && load_word(a + P(1)) == FILLED(1) && load_word(a + P(5)) == FILLED(5));
	sim_file_put(f);
}

/* -- elsewhere ---------------------------------------------------------------------------------------------------------------------- */
static void blocked_so_moves(void *arg)
{
	struct page *first;
	vaddr_t b;

	four_pages();
	first = frame_at(a);
	CHECK(sim_mmap(mm, a + LEN, P(1), PROT_READ, MAP_PRIVATE | MAP_FIXED, NULL, 0) > 0);
	b = (vaddr_t)mremap(a, LEN, P(6), MREMAP_MAYMOVE, 0);
	CHECK(!IS_ERR_VALUE(b) && b != a && four_words(b) && load_word(b + P(5)) == 0 && frame_at(b) == first);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_MAPERR && first->mapcount == 1);
}

/* To where the caller wants it, over what is there. */
static void fixed(void *arg)
{
	four_pages();
	CHECK(sim_mmap(mm, P(96), LEN, RW, MAP_PRIVATE | MAP_FIXED, NULL, 0) > 0);
	store_word(P(96), 99);
	CHECK(mremap(a, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, P(96)) == (long)P(96) && four_words(P(96)));
	CHECK(mremap(P(96), LEN, P(2), MREMAP_MAYMOVE | MREMAP_FIXED, P(33)) == (long)P(33)); /* moved and cut */
	CHECK(load_word(P(34)) == 2 && sim_touch(P(35), FAULT_READ) == FAULT_MAPERR);
	CHECK(sim_touch(P(96), FAULT_READ) == FAULT_MAPERR && sim_touch(P(98), FAULT_READ) == FAULT_MAPERR);
	CHECK(mm->total_pages == 2);
}

/* From the middle of a mapping: three are left. */
static void middle(void *arg)
{
	four_pages();
	CHECK(mremap(a + P(1), P(2), P(2), MREMAP_MAYMOVE | MREMAP_FIXED, P(99)) == (long)P(99));
	CHECK(load_word(P(99)) == 2 && load_word(P(100)) == 3 && load_word(a) == 1 && load_word(a + P(3)) == 4);
	CHECK(count_vmas() == 3 && sim_touch(a + P(1), FAULT_READ) == FAULT_MAPERR);
}

/* The old range stays mapped and is empty. */
static void dontunmap(void *arg)
{
	vaddr_t b;

	four_pages();
	b = (vaddr_t)mremap(a, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	CHECK(four_words(b) && kind_at(a) == PTE_KIND_NONE && load_word(a) == 0 && mm->total_pages == 2 * PAGES);
	CHECK(mremap(b, LEN, LEN, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, a) == (long)a && four_words(a));
}

/* Old length 0: a second mapping of shared memory. */
static void duplicates(void *arg)
{
	struct sim_file *f = four_file_pages();
	vaddr_t b;

	store_word(a + P(1), 5);
	b = (vaddr_t)mremap(a + P(1), 0, P(2), MREMAP_MAYMOVE, 0);
	CHECK(b != a && load_word(b) == 5 && load_word(b + P(1)) == FILLED(2));
	store_word(b, 6);
	CHECK(load_word(a + P(1)) == 6);
	sim_file_put(f);
}

/* Nothing that a store made dirty is forgotten on the way. */
static void dirty_moves(void *arg)
{
	struct sim_file *f = four_file_pages();

	store_word(a + P(1), 5);
	CHECK(mremap(a, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, P(97)) == (long)P(97));
	CHECK(mm_munmap(mm, P(97), LEN) == 0 && sim_file_sync(f) == 0 && disk_word(f, 1) == 5);
	sim_file_put(f);
}

/* Offsets, rights and reverse links of a nonlinear window go with it. */
static void nonlinear(void *arg)
{
	struct sim_file *f = four_file_pages();

	CHECK(mm_remap_file_pages(mm, a, P(1), 0, 9, 0) == 0);
	CHECK(mm_remap_file_pages(mm, a + P(1), P(1), PROT_READ, 12, MAP_CHGPROT | MAP_NONBLOCK) == 0);
	CHECK(load_word(a + P(2)) == FILLED(2));
	CHECK(mremap(a, LEN, LEN, MREMAP_MAYMOVE | MREMAP_FIXED, P(97)) == (long)P(97));
	CHECK(frame_at(P(97))->index == 9 && kind_at(P(98)) == PTE_KIND_FILE && sim_entry(mm, P(98)).payload == 12);
	CHECK(load_word(P(98)) == FILLED(12) && sim_touch(P(98), FAULT_WRITE) == FAULT_ACCERR);
	sim_file_truncate(f, P(8));
	CHECK(kind_at(P(97)) == PTE_KIND_FILE && kind_at(P(98)) == PTE_KIND_FILE && load_word(P(99)) == FILLED(2));
	sim_file_put(f);
}

/* -- all or nothing ---------------------------------------------------------------------------------------------------------------- */
static long grow_two(void)
{
	return mremap(a, LEN, P(6), 0, 0);
}

static long move_middle(void)
{
	return mremap(a + P(1), P(2), P(3), MREMAP_MAYMOVE, 0);
}

static long move_to(void)
{
	return mremap(a + P(1), P(2), P(2), MREMAP_MAYMOVE | MREMAP_FIXED, P(200));
}

static long cut_middle(void)
{
	long r = mremap(a + P(1), P(2), P(1), 0, 0);

	return r < 0 ? r : 0;
}

static void as_before(void)
{
	CHECK(four_words(a) && count_vmas() == 1 && mm->total_pages == PAGES);
}

static void no_memory(void *arg)
{
	static long (*const forms[])(void) = {grow_two, move_middle, move_to, cut_middle};

	for (unsigned i = 0; i < ARRAY_SIZE(forms); i++) {
		four_pages();
		CHECK(each_fails("slab_alloc", forms[i], as_before) > 0);
		four_pages();
		CHECK(each_fails("page_alloc", forms[i], as_before) > 0 || forms[i] != move_middle); /* far: new tables */
	}
}

static void no_room(void *arg)
{
	four_pages();
	CHECK(mremap(a, LEN, USER_END - P(32), MREMAP_MAYMOVE, 0) == -ENOMEM && four_words(a) && count_vmas() == 1);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(refuses);
	CASE(source);
	CASE(offset_wraps);
	CASE(interrupted);
	CASE(shrinks);
	CASE(grows);
	CASE(grows_a_file);
	CASE(blocked_so_moves);
	CASE(fixed);
	CASE(middle);
	CASE(dontunmap);
	CASE(duplicates);
	CASE(dirty_moves);
	CASE(nonlinear);
	CASE_CALM(no_memory);
	CASE(no_room);
	return sim_end();
}
