/*
 * test_populate.c - mm/space/populate.c: pages mapped before they are touched; loudly for madvise, quietly for mmap.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

#define PAGES 4

static unsigned mapped(vaddr_t a)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PAGES; i++)
		n += kind_at(a + P(i)) == PTE_KIND_PAGE;
	return n;
}

/* -- loudly ------------------------------------------------------------------------------------------------------------------ */
static void populates_as_asked(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);

	CHECK(mm_populate(mm, a, a + P(2), FAULT_READ) == 0 && mapped(a) == 2);
	CHECK(sim_entry(mm, a).special && !sim_entry(mm, a).write);
	CHECK(mm_populate(mm, a, a + P(PAGES), FAULT_WRITE) == 0);
	for (unsigned i = 0; i < PAGES; i++)
		CHECK(sim_entry(mm, a + P(i)).write);
}

/* The first page that cannot be had ends it; what came before stays. */
static void stops_at_a_hole(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);

	CHECK(mm_munmap(mm, a + P(1), P(1)) == 0);
	CHECK(mm_populate(mm, a, a + P(PAGES), FAULT_WRITE) == -EFAULT && mapped(a) == 1);
	CHECK(mm_populate(mm, a, a + P(1), FAULT_EXEC) == -EFAULT);
	CHECK(mm_populate(mm, 0, P(1), FAULT_READ) == -EFAULT);
}

static void read_fails(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(PAGES, MAP_SHARED, f, 0);

	sim_disk_fail_reads(f, 1, -EIO);
	CHECK(mm_populate(mm, a, a + P(PAGES), FAULT_READ) == -EFAULT && mapped(a) == 0);
	CHECK(mm_populate(mm, a, a + P(PAGES), FAULT_READ) == 0 && mapped(a) == PAGES);
	sim_file_put(f);
}

static void no_memory(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);

	CHECK(sim_touch(a, FAULT_WRITE) == FAULT_OK); /* the tables are there */
	sim_failpoint("page_alloc", 2);
	CHECK(mm_populate(mm, a, a + P(PAGES), FAULT_WRITE) == -ENOMEM && mapped(a) == 2);
	CHECK(sim_failpoint_end("page_alloc") == 2);
}

static void killed_populate(void *arg)
{
	vaddr_t a = *(vaddr_t *)arg;

	CHECK(mm_populate(sim_mm(), a, a + P(PAGES), FAULT_WRITE) == -EINTR);
	mm_populate_quietly(sim_mm(), a, a + P(PAGES));
}

static void interrupted(void *arg)
{
	vaddr_t a;

	enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	by_killed(killed_populate, &a);
	CHECK(mapped(a) == 0);
}

/* -- quietly ------------------------------------------------------------------------------------------------------------------- */

/* Memory that may be written gets its pages; what may only be read shows the zero page; a private file mapping shares. */
static void as_promised(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES), true);
	struct mm *mm = enter_space();
	vaddr_t anon = map_pages(PAGES, MAP_PRIVATE | MAP_POPULATE, NULL, 0),
			private = map_pages(PAGES, MAP_PRIVATE | MAP_POPULATE, f, 0),
			shared = map_pages(PAGES, MAP_SHARED | MAP_POPULATE, f, 0);
	long read = sim_mmap(mm, 0, P(PAGES), PROT_READ, MAP_PRIVATE | MAP_POPULATE, NULL, 0);

	CHECK(mapped(anon) == PAGES && mapped(private) == PAGES && mapped(shared) == PAGES && mapped(read) == PAGES);
	CHECK(sim_entry(mm, anon).write && sim_entry(mm, read).special);
	CHECK(frame_at(private) == frame_at(shared) && !sim_entry(mm, shared).write && !sim_entry(mm, private).write);
	sim_file_put(f);
}

static void only_if_wanted(void *arg)
{
	enter_space();
	CHECK(mapped(map_pages(PAGES, MAP_PRIVATE, NULL, 0)) == 0);
	CHECK(mapped(map_pages(PAGES, MAP_PRIVATE | MAP_POPULATE | MAP_NONBLOCK, NULL, 0)) == 0);
	CHECK(mapped(map_pages(PAGES, MAP_PRIVATE | MAP_LOCKED, NULL, 0)) == PAGES);
}

/* Pages that cannot be had are left out: the mapping is made all the same. */
static void errors_are_skipped(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(PAGES - 1), true);
	vaddr_t a;

	enter_space();
	sim_disk_fail_reads(f, 1, -EIO);
	a = map_pages(PAGES, MAP_SHARED | MAP_POPULATE, f, 0);
	CHECK(mapped(a) == PAGES - 2 && kind_at(a) == PTE_KIND_NONE && kind_at(a + P(PAGES - 1)) == PTE_KIND_NONE);
	CHECK(load_word(a) == FILLED(0));
	sim_file_put(f);
}

/* ... except when there is no memory: then the rest will not be had either. */
static void memory_ends_it(void *arg)
{
	vaddr_t a;

	enter_space();
	a = map_pages(PAGES, MAP_PRIVATE, NULL, 0);
	store_word(a, 1);
	sim_failpoint("page_alloc", 1);
	mm_populate_quietly(sim_mm(), a, a + P(PAGES));
	CHECK(sim_failpoint_end("page_alloc") == 1 && mapped(a) == 1);
}

/* Every range there is, and none of the holes. */
static void all_that_is_mapped(void *arg)
{
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(PAGES, MAP_PRIVATE, NULL, 0), b;

	b = sim_mmap(mm, a - P(3 * PAGES), P(PAGES), PROT_READ, MAP_PRIVATE | MAP_FIXED, NULL, 0);
	mm_populate_mapped(mm);
	CHECK(mapped(a) == PAGES && mapped(b) == PAGES && kind_at(b + P(PAGES)) == PTE_KIND_NONE);
}

static void nothing_is_mapped(void *arg)
{
	mm_populate_mapped(enter_space());
	CHECK(sim_mm()->minor_faults == 0);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(populates_as_asked);
	CASE(stops_at_a_hole);
	CASE(read_fails);
	CASE(no_memory);
	CASE(interrupted);
	CASE(as_promised);
	CASE(only_if_wanted);
	CASE(errors_are_skipped);
	CASE(memory_ends_it);
	CASE(all_that_is_mapped);
	CASE(nothing_is_mapped);
	return sim_end();
}
