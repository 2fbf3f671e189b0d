/*
 * test_object.c - mm/object/object.c: an object begins empty, and its end drops its pages without writing them.
 *
 * machine: amd64
 */
#include "tests/unit/sim_laws.h"

static const struct object_ops no_ops;

static void empty(void *arg)
{
	struct vm_object obj;

	object_init(&obj, &no_ops, &obj, false);
	CHECK(obj.ops == &no_ops && obj.host == &obj && obj.size == 0 && obj.nr_pages == 0 && !obj.tracks_dirty);
	CHECK(!pagecache_find(&obj, 0) && !pagecache_find(&obj, ~0ul) && obj.maps.nr_links == 0);
	object_destroy(&obj);
}

/* Who forgets to write back loses; the frames are free again. */
static void dirty_pages_are_dropped(void *arg)
{
	static char page[PAGE_SIZE];
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, 0, false);
	unsigned long before = sim_free_pages();

	CHECK(sim_file_write(f, 0, page, sizeof(page)) == sizeof(page));
	CHECK(sim_file_write(f, P(100000), page, sizeof(page)) == sizeof(page) && sim_file_object(f)->nr_pages == 2);
	CHECK(sim_free_pages() < before);
	sim_file_put(f);
	writeback_sync_all(); /* finds no trace of it */
}

/* An object that goes back to a device must say how. */
static void half_an_object(void *arg)
{
	struct vm_object obj;

	object_init(&obj, &no_ops, NULL, true);
}

static void still_mapped(void *arg)
{
	struct sim_file *f = sim_file_create(SIM_FILE_DISK, P(1), true);

	enter_space();
	map_pages(1, MAP_SHARED, f, 0);
	object_destroy(sim_file_object(f));
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(empty);
	CASE(dirty_pages_are_dropped);
	CASE_PANICS(half_an_object);
	CASE_PANICS(still_mapped);
	return sim_end();
}
