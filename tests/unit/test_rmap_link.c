/*
 * test_rmap_link.c - mm/rmap/link.c: which ranges show which pages of an object.
 *
 * machine: amd64
 */
#include "tests/unit/sim_space.h"

#include "mm/rmap/rmap.h"

#define LINKS 40
#define PAGES 64

static struct object_maps maps;
static struct rmap_link links[LINKS];
static bool inside[LINKS];

static void place(struct rmap_link *link, pgoff_t first, pgoff_t last)
{
	*link = (struct rmap_link){.node = {.first = first, .last = last}, .va = (first + 100) << PAGE_SHIFT};
}

/* Exactly the links that cover the page, each once. */
static void check_page(pgoff_t page)
{
	unsigned found[LINKS] = {0}, n = 0;
	struct itree_node *node;

	itree_for_each(node, &maps.linear, page, page)
		found[container_of(node, struct rmap_link, node) - links]++;
	for (unsigned i = 0; i < LINKS; i++) {
		CHECK(found[i] == (inside[i] && links[i].node.first <= page && page <= links[i].node.last));
		n += inside[i];
	}
	CHECK(maps.nr_links == n);
}

static void links_that_cover_a_page(void *arg)
{
	object_maps_init(&maps);
	CHECK(maps.nr_links == 0 && list_empty(&maps.nonlinear));
	for (unsigned round = 0; round < 400; round++) {
		unsigned i = (unsigned)sim_below(LINKS);
		pgoff_t first = sim_below(PAGES);

		if (inside[i]) {
			rmap_link_remove(&maps, &links[i]);
		} else {
			place(&links[i], first, first + sim_below(PAGES - first));
			rmap_link_insert(&maps, &links[i]);
		}
		inside[i] = !inside[i];
		check_page(sim_below(PAGES));
	}
}

static void offset_and_address(void *arg)
{
	place(&links[0], 7, 12);
	for (pgoff_t page = 7; page <= 12; page++) {
		CHECK(rmap_link_va(&links[0], page) == links[0].va + (page - 7) * PAGE_SIZE);
		CHECK(rmap_link_pgoff(&links[0], rmap_link_va(&links[0], page) + 5) == page);
	}
}

static void insert_without_lock(void *arg)
{
	object_maps_init(&maps);
	place(&links[0], 0, 1);
	rmap_link_insert_locked(&maps, &links[0]);
}

static void insert_backwards(void *arg)
{
	object_maps_init(&maps);
	place(&links[0], 2, 1);
	rmap_link_insert(&maps, &links[0]);
}

static void remove_of_none(void *arg)
{
	object_maps_init(&maps);
	place(&links[0], 0, 1);
	rmap_link_remove(&maps, &links[0]);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(links_that_cover_a_page);
	CASE(offset_and_address);
	CASE_PANICS(insert_without_lock);
	CASE_PANICS(insert_backwards);
	CASE_PANICS(remove_of_none);
	return sim_end();
}
