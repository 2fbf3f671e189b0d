/*
 * test_mm.c - mm/space/mm.c: an address space begins empty, and its end gives everything back.
 *
 * machine: all
 */
#include "tests/unit/sim_laws.h"

static unsigned spaces(void)
{
	struct list *at;
	unsigned n = 0;

	mutex_lock(&mm_list_lock);
	for (at = mm_list.next; at != &mm_list; at = at->next)
		n++;
	mutex_unlock(&mm_list_lock);
	return n;
}

static void empty(void *arg)
{
	unsigned before = spaces();
	struct mm *mm = mm_create();

	CHECK(mm->users == 1 && !mm->nr_vmas && !mm->total_pages && !vma_first(mm) && spaces() == before + 1);
	mm_put(mm);
	CHECK(spaces() == before);
}

static long create(void)
{
	struct mm *mm = mm_create();

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	mm_put(mm);
	return 0;
}

static unsigned before;

static void none_is_left(void)
{
	CHECK(spaces() == before);
}

static void no_memory(void *arg)
{
	before = spaces();
	CHECK(each_fails("slab_alloc", create, none_is_left) >= 1);
	CHECK(each_fails("page_alloc", create, none_is_left) >= 1);
}

/* The last user's going unmaps all: pages, tables, files.  (The end of the run counts them.) */
static void last_user(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(4), true), *exe = sim_file_create(SIM_FILE_TMPFS, 0, false);
	struct mm *mm = enter_space();
	vaddr_t a = map_pages(4, MAP_SHARED, f, 0), b = map_pages(4, MAP_PRIVATE, NULL, 0);

	store_word(a, 1);
	store_word(b, 1);
	CHECK(mm_remap_file_pages(mm, a + P(2), P(1), 0, 3, 0) == 0);
	mm->exe = sim_file_handle(exe); /* the space's reference now */
	mm_get(mm);
	sim_use(NULL);
	CHECK(mm->nr_vmas == 2 && sim_file_object(f)->maps.nr_links == 1);
	mm_put(mm);
	CHECK(sim_file_object(f)->maps.nr_links == 0);
	CHECK(sim_file_sync(f) == 0 && disk_word(f, 0) == 1); /* stored before the end */
	sim_file_put(f);
}

static void zero_page_is_zero(void *arg)
{
	CHECK(zero_page->refs == 1 && !zero_page->mapcount && !zero_page->flags);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		CHECK(!((u8 *)page_address(zero_page))[i]);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(empty);
	CASE_CALM(no_memory);
	CASE(last_user);
	CASE(zero_page_is_zero);
	return sim_end();
}
