/*
 * block.c - choosing a large block to be emptied, and holding its frames.  Layer 3.  Interface: block.h.
 *
 * Every aligned block is weighed: a free frame weighs nothing, a page on a list by age (anonymous, or of a file) one, and
 * anything else makes the block useless: tables, slabs, the kernel's own pages, pages that a device has or that are on their
 * way to one.
 */
#include "mm/phys/block.h"

#include "mm/phys/lru.h"
#include "mm/phys/phys.h"
#include "mm/phys/vmstat.h"

#define USELESS (~0u)
#define FIXED (BIT(PG_WRITEBACK) | BIT(PG_MERGED) | BIT(PG_TABLE) | BIT(PG_SLAB) | BIT(PG_RESERVED))

/* How many frames from @page on are one free block; 0: it is not free. */
static unsigned long free_from(const struct page *page)
{
	unsigned long order = READ_ONCE(page->private);

	if (READ_ONCE(page->flags) != BIT(PG_BUDDY) || order > PAGE_MAX_ORDER)
		return 0;
	return 1UL << order;
}

static bool movable(const struct page *page)
{
	unsigned long flags = READ_ONCE(page->flags);

	return flags & BIT(PG_LRU) && !(flags & FIXED) && !page_pinned(page);
}

static unsigned weigh(const struct page *first, unsigned order)
{
	unsigned weight = 0;

	for (unsigned long i = 0, n; i < 1UL << order; i += n) {
		n = free_from(first + i);
		if (n)
			continue;
		if (!movable(first + i))
			return USELESS;
		weight++;
		n = 1;
	}
	return weight ? weight : USELESS; /* all free, and yet not given: it must remain so */
}

/* Blocks by weight; of those that rank beyond @rank the lightest is kept. */
struct choice {
	unsigned long floor; /* what ranks before: weight and number of the block, in one */
	unsigned long best;
	struct page *page;
};

static unsigned long rank_of(const struct page *first, unsigned order, unsigned weight)
{
	return (unsigned long)weight << (sizeof(long) == 8 ? 32 : 16) | (page_to_pfn(first) >> order);
}

/* Is there more free than what must stay, and twice what is wanted? Else pages are missing, not a place. */
static bool enough(const struct zone *z, unsigned order)
{
	return READ_ONCE(z->nr_free) >= min(z->present / 64, 256UL) + (2UL << order);
}

static void look_at_zone(struct choice *c, const struct zone *z, unsigned order)
{
	unsigned long size = 1UL << order;

	for (pfn_t pfn = ALIGN_UP(z->start, size); pfn + size <= min(z->end, max_pfn); pfn += size) {
		unsigned weight = weigh(pfn_to_page(pfn), order);
		unsigned long rank;

		if (weight == USELESS)
			continue;
		rank = rank_of(pfn_to_page(pfn), order, weight);
		if (rank > c->floor && rank < c->best) {
			c->best = rank;
			c->page = pfn_to_page(pfn);
		}
	}
}

bool page_block_find(struct page_block *b, unsigned order, enum gfp gfp, unsigned after)
{
	struct choice c = {.best = 0};

	*b = (struct page_block){.order = order};
	for (unsigned i = 0; i <= after; i++) {
		c = (struct choice){.floor = c.best, .best = ~0UL};
		for (unsigned id = 0; id < ZONE_COUNT; id++)
			if ((id == ZONE_LOW || page_class_serves(CLASS_HIGH, gfp)) && zones[id].present &&
			    enough(&zones[id], order))
				look_at_zone(&c, &zones[id], order);
		if (!c.page)
			return false;
	}
	b->first = c.page;
	return true;
}

unsigned page_block_take_free(struct page_block *b)
{
	return buddy_take_inside(b->first, b->order, b->held);
}

void page_block_take(struct page_block *b, struct page *page)
{
	page_retire(page);
	bitmap_set(b->held, (unsigned)(page - b->first));
}

void page_block_drain(void)
{
	page_drain_all();
}

void page_block_give_up(struct page_block *b)
{
	for (unsigned i = 0; i < 1u << b->order; i++)
		if (bitmap_test(b->held, i))
			buddy_free(b->first + i, 0);
}
