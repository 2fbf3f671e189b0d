/*
 * test_buddy.c - mm/phys/buddy.c: blocks of free frames, split and merged by address.
 *
 * machine: amd64
 */
#include "tests/unit/sim_space.h"

#include "mm/phys/phys.h"

#define ORDER 6
#define LOW (&zones[ZONE_LOW])

static struct page *block; /* 64 frames that are ours */
static struct list spare = LIST_INIT(spare);

static void take(void)
{
	block = buddy_alloc(LOW, ORDER, 0);
	CHECK(block && IS_ALIGNED(page_to_pfn(block), 1UL << ORDER));
}

/* Is a free block of @order linked whose first frame is the @n-th of ours? */
static bool free_block_at(unsigned n, unsigned order)
{
	struct page *page;

	list_for_each_entry(page, &LOW->free[order], link)
		if (page == block + n)
			return page->flags == BIT(PG_BUDDY) && page->private == order;
	return false;
}

static unsigned long count_free(unsigned blocks[PAGE_MAX_ORDER + 1])
{
	unsigned long frames = 0;
	struct page *page;

	for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
		blocks[order] = 0;
		list_for_each_entry(page, &LOW->free[order], link) {
			blocks[order]++;
			frames += 1UL << order;
		}
	}
	return frames;
}

/* A block of each order is aligned to its size, and nothing is left in its records. */
static void blocks_are_aligned_and_blank(void *arg)
{
	struct page *pages[PAGE_MAX_ORDER];

	for (unsigned order = 0; order < PAGE_MAX_ORDER; order++) {
		struct page *page = pages[order] = buddy_alloc(LOW, order, 0);

		CHECK(page && IS_ALIGNED(page_to_pfn(page), 1UL << order));
		for (unsigned i = 0; i < 1u << order; i++)
			CHECK(!page[i].flags && !page[i].refs && !page[i].private && !page[i].mapcount && !page[i].object);
	}
	for (unsigned order = 0; order < PAGE_MAX_ORDER; order++)
		buddy_free(pages[order], order);
}

/* Splitting gives back the upper halves, one of each order. */
static void split_leaves_upper_halves(void *arg)
{
	struct page *page;

	take();
	buddy_free(block, 4); /* the only free block near here that is no larger: [0, 16) */
	while ((page = buddy_alloc(LOW, 0, 0)) != block)
		list_add(&page->link, &spare);
	CHECK(free_block_at(1, 0) && free_block_at(2, 1) && free_block_at(4, 2) && free_block_at(8, 3));
	buddy_free(block, 0);
	CHECK(free_block_at(0, 4));
	buddy_free(block + 16, 4);
	buddy_free(block + 32, 5);
	while (!list_empty(&spare)) {
		page = list_first_entry(&spare, struct page, link);
		list_del(&page->link);
		buddy_free(page, 0);
	}
}

/* Two buddies merge, two neighbours that are none do not. */
static void only_buddies_merge(void *arg)
{
	take();
	buddy_free(block + 1, 0);
	buddy_free(block + 2, 0);
	CHECK(free_block_at(1, 0) && free_block_at(2, 0));
	buddy_free(block + 3, 0);
	CHECK(free_block_at(2, 1) && free_block_at(1, 0));
	CHECK(!block[2 + 1].flags && !block[2 + 1].private); /* in the middle of a block: blank */
	buddy_free(block, 0);
	CHECK(free_block_at(0, 2));
	buddy_free(block + 8, 3); /* of another order than its neighbour [4, 8) will be */
	CHECK(free_block_at(8, 3) && free_block_at(0, 2));
	buddy_free(block + 4, 2);
	CHECK(free_block_at(0, 4));
	buddy_free(block + 32, 5);
	CHECK(free_block_at(32, 5));
	buddy_free(block + 16, 4);
	CHECK(!free_block_at(0, 4) && !free_block_at(32, 5));
}

/* Freed one by one in any order, the frames are the blocks that they were. */
static void everything_merges_again(void *arg)
{
	unsigned before[PAGE_MAX_ORDER + 1], after[PAGE_MAX_ORDER + 1], order[1 << ORDER];
	unsigned long frames = count_free(before);

	CHECK(frames == LOW->nr_free);
	take();
	for (unsigned i = 0; i < 1 << ORDER; i++)
		order[i] = i;
	for (unsigned i = 1 << ORDER; i > 0; i--) {
		unsigned k = (unsigned)sim_below(i), n = order[k];

		order[k] = order[i - 1];
		buddy_free(block + n, 0);
		CHECK(LOW->nr_free == frames - i + 1);
	}
	CHECK(count_free(after) == frames && !memcmp(before, after, sizeof(before)));
}

/* A free frame's record is not enough to merge with it: a CPU may keep it (PG_BUDDY with another mark), or the order
 * may be another one. */
static void marked_frames_do_not_merge(void *arg)
{
	take();
	block[1].flags = BIT(PG_BUDDY) | BIT(PG_STACKED);
	buddy_free(block, 0);
	CHECK(free_block_at(0, 0));
	block[1].flags = 0;
	buddy_free(block + 1, 0);
	CHECK(free_block_at(0, 1));
	for (unsigned order = 1; order < ORDER; order++)
		buddy_free(block + (1u << order), order);
}

/* A zone's last frames find no buddy beyond it. */
static void borders_stop_merging(void *arg)
{
	pfn_t end = LOW->end;

	take();
	LOW->end = page_to_pfn(block) + 3;
	block[3].flags = BIT(PG_BUDDY); /* looks free, but lies beyond */
	buddy_free(block + 2, 0);
	CHECK(free_block_at(2, 0));
	LOW->end = end;
	block[3].flags = 0;
	buddy_free(block + 3, 0);
	CHECK(free_block_at(2, 1));
	buddy_free(block, 1);
	for (unsigned order = 2; order < ORDER; order++)
		buddy_free(block + (1u << order), order);
}

/* What must remain remains. */
static void keeps_a_reserve(void *arg)
{
	unsigned long free = LOW->nr_free;
	struct page *pages[8];

	CHECK(!buddy_alloc(LOW, 0, free) && !buddy_alloc(LOW, 3, free - 7));
	pages[0] = buddy_alloc(LOW, 3, free - 8);
	CHECK(pages[0] && LOW->nr_free == free - 8);
	buddy_free(pages[0], 3);
	CHECK(buddy_alloc_bulk(LOW, free - 5, pages, 8) == 5);
	CHECK(buddy_alloc_bulk(LOW, free - 5, pages + 5, 3) == 0);
	buddy_free_bulk(pages, 5);
	CHECK(LOW->nr_free == free);
}

/* Enough frames, but none together: NULL. */
static void fragments_are_not_a_block(void *arg)
{
	static struct page *pages[8192];
	unsigned n = 0;

	while ((pages[n] = buddy_alloc(LOW, 0, 0)))
		n++;
	for (unsigned i = 0; i < n; i++)
		if (page_to_pfn(pages[i]) % 2)
			buddy_free(pages[i], 0);
	CHECK(LOW->nr_free >= n / 2 - 1 && !buddy_alloc(LOW, 1, 0));
	for (unsigned i = 0; i < n; i++)
		if (page_to_pfn(pages[i]) % 2 == 0)
			buddy_free(pages[i], 0);
}

/* New memory becomes as few blocks as alignment allows. */
static void ranges_become_large_blocks(void *arg)
{
	unsigned long present = LOW->present;

	take();
	buddy_add_range(page_to_pfn(block + 3), page_to_pfn(block + 50));
	CHECK(free_block_at(3, 0) && free_block_at(4, 2) && free_block_at(8, 3) && free_block_at(16, 4));
	CHECK(free_block_at(32, 4) && free_block_at(48, 1));
	CHECK(LOW->present == present + 47);
	LOW->present = present;
	buddy_free(block, 1);
	buddy_free(block + 2, 0);
	CHECK(free_block_at(0, 5));
	for (unsigned i = 50; i < 64; i++)
		buddy_free(block + i, 0);
}

static void freed_twice(void *arg)
{
	take();
	buddy_free(block, ORDER);
	buddy_free(block, ORDER);
}

static void freed_askew(void *arg)
{
	take();
	buddy_free(block + 1, 1);
}

static void freed_in_use(void *arg)
{
	take();
	block->refs = 1;
	buddy_free(block, ORDER);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(blocks_are_aligned_and_blank);
	CASE(split_leaves_upper_halves);
	CASE(only_buddies_merge);
	CASE(everything_merges_again);
	CASE(marked_frames_do_not_merge);
	CASE(borders_stop_merging);
	CASE(keeps_a_reserve);
	CASE(fragments_are_not_a_block);
	CASE(ranges_become_large_blocks);
	CASE_PANICS(freed_twice);
	CASE_PANICS(freed_askew);
	CASE_PANICS(freed_in_use);
	return sim_end();
}
