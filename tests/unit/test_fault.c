/*
 * test_fault.c - mm/space/fault.c: who may do what at an address, and what the others get.
 *
 * machine: amd64 i386
 */
#include "tests/unit/sim_laws.h"

static enum fault_result fault(vaddr_t va, enum fault_access access)
{
	return mm_fault(sim_mm(), va, access);
}

/* What prot allows: any right implies reading.  (Without NX hardware never asks about execution.) */
static void permissions(void *arg)
{
	struct mm *mm = enter_space();

	for (unsigned prot = 0; prot <= PROT_MASK; prot++) {
		vaddr_t a = (vaddr_t)sim_mmap(mm, 0, P(1), prot, MAP_PRIVATE, NULL, 0);

		CHECK(fault(a, FAULT_READ) == (prot ? FAULT_OK : FAULT_ACCERR));
		CHECK(fault(a, FAULT_WRITE) == (prot & PROT_WRITE ? FAULT_OK : FAULT_ACCERR));
		CHECK(fault(a, FAULT_EXEC) == (prot & PROT_EXEC ? FAULT_OK : FAULT_ACCERR));
	}
}

static void no_mapping(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(3, MAP_PRIVATE, NULL, 0);

	CHECK(mm_munmap(mm, a + P(1), P(1)) == 0);
	CHECK(fault(a + P(1), FAULT_READ) == FAULT_MAPERR && fault(0, FAULT_WRITE) == FAULT_MAPERR);
	CHECK(fault(USER_END - 1, FAULT_READ) == FAULT_MAPERR);
	CHECK(fault(a + P(1) - 1, FAULT_READ) == FAULT_OK && fault(a + P(2), FAULT_READ) == FAULT_OK);
}

/* With protections of their own the entries decide, not the vma: for pages and for file entries. */
static void entries_decide(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_TMPFS, P(4), false);
	struct mm *mm = enter_space();
	vaddr_t a = (vaddr_t)sim_mmap(mm, 0, P(4), PROT_READ, MAP_SHARED, f, 0);

	CHECK(mm_remap_file_pages(mm, a, P(1), RW, 2, MAP_CHGPROT | MAP_NONBLOCK) == 0); /* may write; no page yet */
	CHECK(mm_remap_file_pages(mm, a + P(1), P(1), 0, 3, MAP_CHGPROT) == 0);
	CHECK(kind_at(a) == PTE_KIND_FILE && fault(a, FAULT_WRITE) == FAULT_OK);
	CHECK(fault(a + P(1), FAULT_READ) == FAULT_ACCERR && (!PTE_HAS_NX || fault(a, FAULT_EXEC) == FAULT_ACCERR));
	CHECK(fault(a + P(2), FAULT_WRITE) == FAULT_ACCERR && fault(a + P(2), FAULT_READ) == FAULT_OK);
	sim_file_put(f);
}

/* An access that the entry allows already: not an error, and the translation is looked up anew. */
static void spurious(void *arg)
{
	vaddr_t a;
	struct page *page;

	enter_space();
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(a, 5);
	page = frame_at(a);
	CHECK(sim_tlb_has(sim_cpu(), a));
	CHECK(fault(a, FAULT_WRITE) == FAULT_OK && !sim_tlb_has(sim_cpu(), a));
	CHECK(frame_at(a) == page && load_word(a) == 5 && page->refs == 1);
}

static void store_there(void *arg)
{
	store_word(*(vaddr_t *)arg, 1);
}

/* The entry changes between a fault's look and its work: it starts again, and nothing is lost or leaked. */
static void overtaken(void *arg)
{
	const char *const place = "fault-mapped";
	vaddr_t a;
	struct sim_thread *t;
	struct page *page;

	enter_space();
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	t = race_begin(place, store_there, &a);
	store_word(a + 8, 2);
	page = frame_at(a);
	race_end(place, t);
	CHECK(frame_at(a) == page && page->mapcount == 1 && load_word(a) == 1 && load_word(a + 8) == 2);
}

/* A page that must be read is waited for without the lock, and counted apart. */
static void major_and_minor(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(2), true);
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(2, MAP_SHARED, f, 0);
	unsigned long all, major;

	CHECK(fault(a, FAULT_READ) == FAULT_OK && mm->major_faults == 1 && mm->minor_faults == 0);
	CHECK(mm_munmap(mm, a, P(2)) == 0);
	a = map_pages(2, MAP_SHARED, f, 0);
	sim_move(2);
	CHECK(fault(a, FAULT_READ) == FAULT_OK && mm->major_faults == 1 && mm->minor_faults == 1);
	mm_fault_counts(&all, &major); /* of every CPU */
	CHECK(all == 2 && major == 1);
	sim_file_put(f);
}

static void read_slowly(void *arg)
{
	CHECK(sim_touch(*(vaddr_t *)arg, FAULT_READ) == FAULT_MAPERR);
}

/* ... so that others can change the space meanwhile: even take the mapping away. */
static void unmapped_while_reading(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(1), true);
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(1, MAP_SHARED, f, 0);
	struct sim_thread *t;

	sim_disk_delay(f, 1000000);
	t = sim_spawn(mm, 1, read_slowly, &a);
	sim_sleep(500000);
	CHECK(mm_munmap(mm, a, P(1)) == 0);
	sim_file_put(f); /* the last reference is the reader's */
	sim_join(t);
}

static void no_memory_for_tables(void *arg)
{
	vaddr_t a;
	u64 n;

	enter_space();
	a = map_pages(1, MAP_PRIVATE, NULL, 0);
	for (n = 1;; n++) {
		enum fault_result result;

		sim_failpoint("page_alloc", n);
		result = fault(a, FAULT_READ);
		if (sim_failpoint_end("page_alloc") < n)
			break;
		CHECK(result == FAULT_OOM && kind_at(a) == PTE_KIND_NONE);
	}
	CHECK(n > 1 && load_word(a) == 0);
}

static void as_errno(void *arg)
{
	CHECK(fault_errno(FAULT_OK) == 0 && fault_errno(FAULT_OOM) == -ENOMEM && fault_errno(FAULT_KILLED) == -EINTR);
	CHECK(fault_errno(FAULT_SIGBUS) == -EFAULT && fault_errno(FAULT_MAPERR) == -EFAULT);
	CHECK(fault_errno(FAULT_ACCERR) == -EFAULT);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(permissions);
	CASE(no_mapping);
	CASE(entries_decide);
	CASE_CALM(spurious);
	CASE_CALM(overtaken);
	CASE(major_and_minor);
	CASE_CALM(unmapped_while_reading);
	CASE_CALM(no_memory_for_tables);
	CASE(as_errno);
	return sim_end();
}
