/*
 * test_uffd_fill.c - mm/service/uffd_fill.c, mm/space/fault_fill.c: what a program puts where nothing is, in memory of files.
 *
 * machine: amd64 i386 tiny2
 */
#include "mm/object/pagecache.h"
#include "tests/unit/sim_uffd.h"

static struct sim_file *f; /* four pages; those that are in its cache have 50 + index */
static vaddr_t writer;     /* another mapping of it, for us */

static void begin_file(unsigned flags, unsigned mode)
{
	enter_space();
	f = sim_file_create(SIM_FILE_TMPFS, P(4), false);
	writer = map_pages(4, MAP_SHARED, f, 0);
	watch(map_pages(4, flags, f, 0), 0, mode);
}

static void end_file(void)
{
	end();
	sim_file_put(f);
}

static long fill(enum uffd_fill what, unsigned page, unsigned pages, bool wp)
{
	return uffd_fill(u, what, a + P(page), data, P(pages), wp);
}

static void copies_become_the_files(void *arg)
{
	begin_file(MAP_SHARED, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	CHECK(fill(UFFD_FILL_COPY, 1, 1, false) == PAGE_SIZE && sim_file_object(f)->nr_pages == 1);
	CHECK(load_word(a + P(1)) == 7 && load_word(writer + P(1)) == 7 && sim_entry(sim_mm(), a + P(1)).write);
	store_word(writer + P(1), 8);
	CHECK(load_word(a + P(1)) == 8 && fill(UFFD_FILL_COPY, 1, 1, false) == -EEXIST);
	CHECK(fill(UFFD_FILL_ZERO, 2, 1, false) == PAGE_SIZE && load_word(writer + P(2)) == 0);
	CHECK(fill(UFFD_FILL_COPY, 3, 1, true) == PAGE_SIZE && sim_entry(sim_mm(), a + P(3)).uffd_wp);
	CHECK(!sim_entry(sim_mm(), a + P(3)).write && load_word(a + P(3)) == 7);
	end_file();
}

/* The file has the page already, written by somebody else. */
static void the_cache_is_not_overwritten(void *arg)
{
	begin_file(MAP_SHARED, UFFDX_REGISTER_MISSING);
	store_word(writer, 50);
	CHECK(fill(UFFD_FILL_COPY, 0, 1, false) == -EEXIST && load_word(writer) == 50 && kind_at(a) == PTE_KIND_NONE);
	end_file();
}

static void minor(void *arg)
{
	load_word(a);
}

/* The page is there, but who watches wants to be asked before it is mapped. */
static void what_is_cached_is_mapped(void *arg)
{
	struct uffdx_msg msg;
	struct sim_thread *t;

	begin_file(MAP_SHARED, UFFDX_REGISTER_MINOR | UFFDX_REGISTER_WP);
	store_word(writer, 50);
	store_word(writer + P(1), 51);
	t = sim_spawn(sim_mm(), 1, minor, NULL);
	await_message(&msg);
	CHECK(msg.pagefault.flags == UFFDX_FAULT_MINOR && fill(UFFD_FILL_CONTINUE, 0, 1, false) == PAGE_SIZE);
	uffd_wake(u, a, a + P(1));
	sim_join(t);
	CHECK(load_word(a) == 50 && frame_at(a) == frame_at(writer) && sim_entry(sim_mm(), a).write);
	CHECK(fill(UFFD_FILL_CONTINUE, 0, 1, false) == -EEXIST);
	CHECK(fill(UFFD_FILL_CONTINUE, 1, 1, true) == PAGE_SIZE && !sim_entry(sim_mm(), a + P(1)).write);
	CHECK(fill(UFFD_FILL_CONTINUE, 2, 1, false) == -EFAULT); /* the file has none */
	end_file();
}

/* Behind the end of the file nothing can be put. */
static void not_beyond_the_end(void *arg)
{
	begin_file(MAP_SHARED, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_MINOR);
	sim_file_truncate(f, P(2));
	CHECK(fill(UFFD_FILL_COPY, 2, 1, false) == -EFAULT && fill(UFFD_FILL_ZERO, 3, 1, false) == -EFAULT);
	CHECK(fill(UFFD_FILL_CONTINUE, 2, 1, false) == -EINVAL && fill(UFFD_FILL_POISON, 2, 1, false) == -EFAULT);
	CHECK(fill(UFFD_FILL_COPY, 1, 2, false) == P(1)); /* as far as it goes */
	CHECK(kind_at(a + P(2)) == PTE_KIND_NONE && sim_file_object(f)->nr_pages == 1);
	end_file();
}

/* A private mapping gets a page of its own, which the file never sees. */
static void private_copies(void *arg)
{
	begin_file(MAP_PRIVATE, UFFDX_REGISTER_MISSING | UFFDX_REGISTER_WP);
	store_word(writer, 50);
	CHECK(fill(UFFD_FILL_COPY, 0, 1, false) == PAGE_SIZE && load_word(a) == 7 && load_word(writer) == 50);
	CHECK(fill(UFFD_FILL_ZERO, 1, 1, false) == PAGE_SIZE && load_word(a + P(1)) == 0);
	CHECK(sim_file_object(f)->nr_pages == 1 && page_test(frame_at(a), PG_ANON));
	sim_file_truncate(f, P(2));
	CHECK(fill(UFFD_FILL_COPY, 2, 1, false) == -EFAULT && fill(UFFD_FILL_ZERO, 3, 1, false) == -EFAULT);
	end_file();
}

/* Offsets that entries remember are kept. */
static void nonlinear_entries(void *arg)
{
	begin_file(MAP_SHARED, UFFDX_REGISTER_MISSING);
	CHECK(mm_remap_file_pages(sim_mm(), a, P(1), 0, 3, MAP_NONBLOCK) == 0);
	CHECK(fill(UFFD_FILL_COPY, 0, 1, false) == PAGE_SIZE && load_word(writer + P(3)) == 7);
	CHECK(mm_remap_file_pages(sim_mm(), a + P(1), P(1), 0, 3, MAP_NONBLOCK) == 0);
	CHECK(load_word(a + P(1)) == 7);
	end_file();
}

static void refuses(void *arg)
{
	begin_file(MAP_SHARED, UFFDX_REGISTER_MISSING);
	CHECK(fill(UFFD_FILL_COPY, 0, 1, true) == -EINVAL); /* not registered for it */
	CHECK(uffd_fill(u, UFFD_FILL_COPY, a, P(20), P(1), false) == -EFAULT && sim_file_object(f)->nr_pages == 0);
	CHECK(uffd_fill(u, UFFD_FILL_ZERO, writer, 0, P(1), false) == -ENOENT);
	CHECK(uffd_fill(u, UFFD_FILL_ZERO, a, 0, P(5), false) == -ENOENT);
	CHECK(uffd_protect(u, a, P(1), true) == -ENOENT);
	end_file();
}

static long op_copy(void)
{
	return copy(a, 1);
}

static void nothing_there(void)
{
	CHECK(kind_at(a) == PTE_KIND_NONE);
}

static void no_memory(void *arg)
{
	begin_file(MAP_SHARED, UFFDX_REGISTER_MISSING);
	each_fails("page_alloc", op_copy, nothing_there);
	CHECK(load_word(writer) == 7);
	end_file();
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(copies_become_the_files);
	CASE(the_cache_is_not_overwritten);
	CASE(what_is_cached_is_mapped);
	CASE(not_beyond_the_end);
	CASE(private_copies);
	CASE(nonlinear_entries);
	CASE(refuses);
	CASE_CALM(no_memory);
	return sim_end();
}
