/*
 * test_nonlinear.c - mm/space/nonlinear.c: remap_file_pages(2), what it refuses, and that it makes no mapping.
 *
 * machine: amd64 i386
 */
#include "tests/unit/sim_laws.h"

static struct sim_file *f;
static struct mm *mm;
static vaddr_t a;

/* A window of 4 pages over a file of 16. */
static void window(enum sim_file_kind kind)
{
	f = sim_file_create(kind, P(16), true);
	mm = enter_space();
	a = map_pages(4, MAP_SHARED, f, 0);
}

static int remap(unsigned page, unsigned pages, pgoff_t pgoff)
{
	return mm_remap_file_pages(mm, a + P(page), P(pages), 0, pgoff, 0);
}

static int remap_prot(unsigned page, unsigned pages, pgoff_t pgoff, unsigned prot)
{
	return mm_remap_file_pages(mm, a + P(page), P(pages), prot, pgoff, MAP_CHGPROT);
}

/* In this order, and nothing has changed. */
static void numbers(void *arg)
{
	const pgoff_t last = (pgoff_t)PTE_FILE_PGOFF_MAX;

	window(SIM_FILE_DISK);
	CHECK(mm_remap_file_pages(mm, a, P(1), PROT_READ, 0, 0) == -EINVAL); /* prot without MAP_CHGPROT */
	CHECK(mm_remap_file_pages(mm, a, P(1), 8, 0, MAP_CHGPROT) == -EINVAL);
	CHECK(mm_remap_file_pages(mm, a, PAGE_SIZE - 1, 0, 0, 0) == -EINVAL); /* rounded down: nothing */
	CHECK(mm_remap_file_pages(mm, a, (size_t)0 - a, 0, 0, 0) == -EINVAL);
	CHECK(remap(0, 2, ~0ul) == -EINVAL);
	CHECK(remap(0, 2, last) == -EOVERFLOW && remap(0, 1, last + 1) == -EOVERFLOW);
	CHECK(mm_remap_file_pages(mm, P(20), P(1), 0, last + 1, 0) == -EOVERFLOW); /* before it looks for the mapping */
	CHECK(!(vma_of(a)->flags & VM_NONLINEAR));
	CHECK(remap(0, 1, last) == 0 && sim_touch(a, FAULT_READ) == FAULT_SIGBUS); /* beyond the end: when it is touched */
	CHECK(sim_entry(mm, a).payload == last);
	sim_file_put(f);
}

static void mappings(void *arg)
{
	struct sim_file *g = sim_file_create(SIM_FILE_DISK, P(16), true);
	vaddr_t private;

	window(SIM_FILE_DISK);
	private = map_pages(1, MAP_PRIVATE, f, 0);
	CHECK(mm_remap_file_pages(mm, private, P(1), 0, 1, 0) == -EINVAL);
	CHECK(mm_remap_file_pages(mm, P(20), P(1), 0, 1, 0) == -EINVAL);
	CHECK(sim_mmap(mm, a + P(4), P(1), RW, MAP_SHARED | MAP_FIXED, g, 0) > 0);
	CHECK(remap(3, 2, 0) == -EINVAL); /* the other file's */
	CHECK(mm_munmap(mm, a + P(2), P(1)) == 0 && remap(1, 3, 8) == -EINVAL);
	CHECK(load_word(a + P(1)) == FILLED(1));
	sim_file_put(g);
	sim_file_put(f);
}

/* Rights that the mapping may never have. */
static void too_much(void *arg)
{
	struct mmap_request req = {.length = P(2), .prot = PROT_READ, .flags = MAP_SHARED};

	window(SIM_FILE_DISK);
	req.object = sim_file_object(f);
	req.file = sim_file_handle(f);
	req.may = VM_MAYREAD | VM_MAYWRITE | VM_SHARED;
	a = (vaddr_t)mm_mmap(mm, &req);
	CHECK(remap_prot(0, 1, 5, PROT_READ | PROT_EXEC) == -EPERM && load_word(a) == FILLED(0));
	CHECK(remap_prot(0, 1, 5, RW) == 0 && sim_touch(a, FAULT_WRITE) == FAULT_OK);
	sim_file_put(f);
}

/* Every page of the window shows what it was told, and there still is one mapping. */
static void no_mapping_is_made(void *arg)
{
	window(SIM_FILE_DISK);
	CHECK(remap(0, 2, 14) == 0 && remap(2, 1, 3) == 0 && remap(3, 1, 14) == 0);
	CHECK(load_word(a) == FILLED(14) && load_word(a + P(1)) == FILLED(15));
	CHECK(load_word(a + P(2)) == FILLED(3) && frame_at(a + P(3)) == frame_at(a));
	store_word(a, 1);
	CHECK(load_word(a + P(3)) == 1 && count_vmas() == 1);
	CHECK(remap(0, 4, 0) == 0 && load_word(a) == FILLED(0) && load_word(a + P(3)) == FILLED(3)); /* and back */
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 14) == 1);
	sim_file_put(f);
}

/* The range may lie over several mappings of the file that differ in rights. */
static void over_several_mappings(void *arg)
{
	window(SIM_FILE_TMPFS);
	CHECK(mm_mprotect(mm, a + P(2), P(2), PROT_READ) == 0 && count_vmas() == 2);
	CHECK(remap(1, 2, 10) == 0 && frame_at(a + P(1))->index == 10 && frame_at(a + P(2))->index == 11);
	CHECK(sim_touch(a + P(1), FAULT_WRITE) == FAULT_OK && sim_touch(a + P(2), FAULT_WRITE) == FAULT_ACCERR);
	sim_file_put(f);
}

/* Without MAP_CHGPROT the mapping's rights hold; with it the entries' own, also where nothing is resident. */
static void rights(void *arg)
{
	window(SIM_FILE_DISK);
	CHECK(remap_prot(0, 1, 9, PROT_READ) == 0 && remap_prot(1, 1, 1, 0) == 0);
	CHECK(sim_touch(a, FAULT_WRITE) == FAULT_ACCERR && sim_touch(a, FAULT_READ) == FAULT_OK);
	CHECK(sim_touch(a + P(1), FAULT_READ) == FAULT_ACCERR && sim_touch(a + P(2), FAULT_WRITE) == FAULT_OK);
	CHECK(remap(0, 1, 10) == 0 && sim_touch(a, FAULT_WRITE) == FAULT_OK); /* the mapping's default again */
	CHECK(load_word(a + 8) == FILLED(10));
	sim_file_put(f);
}

/* MAP_NONBLOCK maps what is cached and reads nothing. */
static void nonblock(void *arg)
{
	window(SIM_FILE_DISK);
	CHECK(remap(0, 1, 9) == 0 && kind_at(a) == PTE_KIND_PAGE && sim_disk_reads(f, 9) == 1);
	CHECK(mm_remap_file_pages(mm, a + P(1), P(2), 0, 9, MAP_NONBLOCK) == 0);
	CHECK(frame_at(a + P(1)) == frame_at(a) && kind_at(a + P(2)) == PTE_KIND_FILE && sim_disk_reads(f, 10) == 0);
	CHECK(load_word(a + P(2)) == FILLED(10));
	sim_file_put(f);
}

/* Dropped pages leave their places; so does a file that was shorter for a while. */
static void outlives_pages(void *arg)
{
	window(SIM_FILE_DISK);
	CHECK(remap(0, 1, 9) == 0 && remap_prot(1, 1, 1, PROT_READ) == 0);
	CHECK(mm_madvise(mm, a, P(4), MADV_DONTNEED) == 0 && kind_at(a) == PTE_KIND_FILE &&
	      kind_at(a + P(1)) == PTE_KIND_FILE);
	CHECK(load_word(a) == FILLED(9) && sim_touch(a + P(1), FAULT_WRITE) == FAULT_ACCERR);
	sim_file_truncate(f, 0);
	CHECK(sim_touch(a, FAULT_READ) == FAULT_SIGBUS && mm_fault(mm, a + P(1), FAULT_WRITE) == FAULT_ACCERR);
	sim_file_truncate(f, P(16));
	CHECK(load_word(a) == 0 && frame_at(a)->index == 9);
	sim_file_put(f);
}

static long remap_all(void)
{
	return mm_remap_file_pages(mm, a, P(4), 0, 8, MAP_NONBLOCK);
}

static void shows_the_beginning(void)
{
	for (unsigned i = 0; i < 4; i++)
		CHECK(load_word(a + P(i)) == FILLED(i));
}

static void no_memory(void *arg)
{
	window(SIM_FILE_DISK);
	shows_the_beginning();
	CHECK(each_fails("slab_alloc", remap_all, shows_the_beginning) >= 4); /* a node for each entry */
	CHECK(load_word(a + P(3)) == FILLED(11));
	sim_file_put(f);
}

static void interrupted_remap(void *arg)
{
	CHECK(remap(0, 1, 9) == -EINTR);
}

/* The first remap must wait for the right to change the mapping. */
static void interrupted(void *arg)
{
	window(SIM_FILE_DISK);
	rwsem_read_lock(&mm->lock);
	by_killed(interrupted_remap, NULL);
	rwsem_read_unlock(&mm->lock);
	CHECK(!(vma_of(a)->flags & VM_NONLINEAR) && load_word(a) == FILLED(0));
	sim_file_put(f);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(numbers);
	CASE(mappings);
	CASE(too_much);
	CASE(no_mapping_is_made);
	CASE(over_several_mappings);
	CASE(rights);
	CASE(nonblock);
	CASE(outlives_pages);
	CASE_CALM(no_memory);
	CASE(interrupted);
	return sim_end();
}
