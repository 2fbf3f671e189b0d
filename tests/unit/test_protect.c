/*
 * test_protect.c - mm/space/protect.c: the whole range is judged first, then all of it changes, on every CPU.
 *
 * machine: amd64 i386 tiny2
 */
#include "tests/unit/sim_laws.h"

static struct mm *mm;
static vaddr_t a;

static void four_pages(void)
{
	mm = enter_space();
	a = map_pages(4, MAP_PRIVATE, NULL, 0);
	for (unsigned i = 0; i < 4; i++)
		store_word(a + P(i), i + 1);
}

static void refuses(void *arg)
{
	four_pages();
	CHECK(mm_mprotect(mm, a + 1, P(1), PROT_READ) == -EINVAL);
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ | PROT_GROWSDOWN) == -EINVAL && mm_mprotect(mm, a, P(1), 8) == -EINVAL);
	CHECK(mm_mprotect(mm, a, 0, PROT_READ) == 0 && mm_mprotect(mm, P(20), 0, PROT_READ) == 0);
	CHECK(mm_mprotect(mm, a, ~0ul, PROT_READ) == -ENOMEM && mm_mprotect(mm, P(20), P(1), PROT_READ) == -ENOMEM);
	CHECK(mm_mprotect(mm, a, USER_END, PROT_READ) == -ENOMEM);
	CHECK(count_vmas() == 1 && vma_of(a)->flags & VM_WRITE);
}

/* A hole, or one mapping that may not: then nothing of the range has changed. */
static void judged_as_a_whole(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(1), false);
	struct mmap_request req = {.flags = MAP_SHARED | MAP_FIXED,
	                           .length = P(1),
	                           .prot = PROT_READ,
	                           .object = sim_file_object(f),
	                           .file = sim_file_handle(f),
	                           .may = VM_MAYREAD};

	four_pages();
	CHECK(mm_mprotect(mm, a, P(4), PROT_READ) == 0);
	req.addr = a + P(2);
	CHECK(mm_mmap(mm, &req) == (long)req.addr);
	CHECK(mm_mprotect(mm, a, P(4), RW) == -EACCES && sim_touch(a, FAULT_WRITE) == FAULT_ACCERR);
	CHECK(mm_munmap(mm, a + P(2), P(1)) == 0);
	CHECK(mm_mprotect(mm, a, P(4), RW) == -ENOMEM && sim_touch(a, FAULT_WRITE) == FAULT_ACCERR);
	CHECK(mm_mprotect(mm, a, P(2), RW) == 0 && sim_touch(a, FAULT_WRITE) == FAULT_OK && count_vmas() == 2);
	sim_file_put(f);
}

/* Rights go at once, on every CPU, and come back without a fault where that is safe. */
static void for_everybody(void *arg)
{
	u64 word = 9;

	four_pages();
	CHECK(sim_tlb_has(0, a));
	CHECK(mm_mprotect(mm, a, P(1), PROT_READ) == 0 && !sim_tlb_has(0, a) && !sim_try(a, FAULT_WRITE, &word, 8));
	CHECK(mm_mprotect(mm, a, P(1), 0) == 0 && sim_touch(a, FAULT_READ) == FAULT_ACCERR);
	CHECK(kind_at(a) == PTE_KIND_PAGE && sim_entry(mm, a).grant == GRANT_NONE); /* the page stays */
	CHECK(mm_mprotect(mm, a, P(1), RW) == 0 && sim_try(a, FAULT_WRITE, &word, 8) && load_word(a + 8) == 0);
	CHECK(count_vmas() == 1);
}

/* What must be asked first is not given: copies, notices. */
static void not_too_much(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(1), true);
	struct mm *child;
	vaddr_t shared;

	four_pages();
	shared = map_pages(1, MAP_SHARED, f, 0);
	CHECK(load_word(shared) == FILLED(0));
	child = mm_fork(mm);
	for (unsigned prot = PROT_READ;; prot = RW) {
		CHECK(mm_mprotect(mm, a, P(4), prot) == 0 && mm_mprotect(mm, shared, P(1), prot) == 0);
		CHECK(!sim_entry(mm, a).write && !sim_entry(mm, shared).write);
		if (prot == RW)
			break;
	}
	mm_put(child);
	sim_file_put(f);
}

static void tmpfs_is_free(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(1), false);

	mm = enter_space();
	a = map_pages(1, MAP_SHARED, f, 0);
	CHECK(load_word(a) == 0 && mm_mprotect(mm, a, P(1), PROT_READ) == 0 && !sim_entry(mm, a).write);
	CHECK(mm_mprotect(mm, a, P(1), RW) == 0 && sim_entry(mm, a).write);
	sim_file_put(f);
}

/* Over protections of entries: all become equal, resident or not, offsets stay; the rest of the range keeps its own. */
static void over_many_protections(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(16), true);

	mm = enter_space();
	a = map_pages(4, MAP_SHARED, f, 0);
	CHECK(mm_remap_file_pages(mm, a, P(4), PROT_READ, 8, MAP_CHGPROT | MAP_NONBLOCK) == 0);
	CHECK(load_word(a) == FILLED(8) && sim_touch(a, FAULT_WRITE) == FAULT_ACCERR);
	CHECK(mm_mprotect(mm, a, P(2), RW) == 0); /* equal to the default: yet the entries differ */
	CHECK(!(vma_of(a)->flags & VM_MANYPROTS) && (vma_of(a + P(2))->flags & VM_MANYPROTS));
	CHECK(sim_touch(a, FAULT_WRITE) == FAULT_OK && sim_touch(a + P(1), FAULT_WRITE) == FAULT_OK);
	CHECK(load_word(a + P(1)) == FILLED(9) && sim_touch(a + P(2), FAULT_WRITE) == FAULT_ACCERR);
	CHECK(mm_mprotect(mm, a, P(4), PROT_READ) == 0 && sim_touch(a, FAULT_WRITE) == FAULT_ACCERR);
	CHECK(load_word(a + P(3)) == FILLED(11) && !(vma_of(a + P(3))->flags & VM_MANYPROTS));
	sim_file_put(f);
}

/* A store through the old right is not lost by what comes after. */
static void keeps_dirty(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(1), true);

	mm = enter_space();
	a = map_pages(1, MAP_SHARED, f, 0);
	store_word(a, 4);
	CHECK(mm_mprotect(mm, a, P(1), 0) == 0 && sim_entry(mm, a).dirty);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 4);
	sim_file_put(f);
}

static void no_change(void *arg)
{
	unsigned long flushes;

	four_pages();
	flushes = sim_tlb_flushes();
	CHECK(mm_mprotect(mm, a, P(4), RW) == 0 && sim_tlb_flushes() == flushes && sim_tlb_has(0, a));
}

static long protect_middle(void)
{
	return mm_mprotect(mm, a + P(1), P(2), PROT_READ);
}

static void as_before(void)
{
	CHECK(count_vmas() == 1 && (vma_of(a)->flags & VM_WRITE) && sim_entry(mm, a + P(1)).write);
}

static void no_memory(void *arg)
{
	four_pages();
	CHECK(each_fails("slab_alloc", protect_middle, as_before) == 4);
}

static void interrupted_mprotect(void *arg)
{
	CHECK(protect_middle() == -EINTR);
}

static void interrupted(void *arg)
{
	four_pages();
	by_killed_waiter(interrupted_mprotect, NULL);
	as_before();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(refuses);
	CASE(judged_as_a_whole);
	CASE_CALM(for_everybody);
	CASE(not_too_much);
	CASE(tmpfs_is_free);
	CASE(over_many_protections);
	CASE(keeps_dirty);
	CASE_CALM(no_change);
	CASE_CALM(no_memory);
	CASE(interrupted);
	return sim_end();
}
