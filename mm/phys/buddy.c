/*
 * buddy.c - free memory as blocks of 1 << order frames, split and merged by address.  Layer 3.
 *
 * A free block's first page has PG_BUDDY, its order in `private`, and is linked in zone->free[order].
 * Every other struct page of free memory is all zero.  Two blocks of one order whose frame numbers differ
 * only in bit `order` are buddies and merge.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/bitops.h"
#include "mm/phys/phys.h"

struct zone zones[ZONE_COUNT];

static void zone_init(struct zone *z, pfn_t start, pfn_t end)
{
	spin_init(&z->lock, LOCK_BUDDY);
	for (unsigned i = 0; i <= PAGE_MAX_ORDER; i++)
		list_init(&z->free[i]);
	z->start = start;
	z->end = end;
}

void buddy_init(pfn_t low_end, pfn_t high_start)
{
	zone_init(&zones[ZONE_LOW], 0, low_end);
	zone_init(&zones[ZONE_MID], low_end, high_start);
	zone_init(&zones[ZONE_HIGH], high_start, max(max_pfn, high_start));
}

/* -- one block: => zone->lock ----------------------------------------------------------------------------- */
static void block_link(struct zone *z, struct page *page, unsigned order)
{
	page->flags = BIT(PG_BUDDY);
	page->private = order;
	list_add(&page->link, &z->free[order]);
}

static void block_unlink(struct page *page)
{
	list_del(&page->link);
	page->flags = 0;
	page->private = 0;
}

/* The free block that @pfn's block of this order can merge with, or NULL. */
static struct page *buddy_of(const struct zone *z, pfn_t pfn, unsigned order)
{
	pfn_t other = pfn ^ (1UL << order);
	struct page *page = pfn_to_page(other);

	if (other < z->start || other + (1UL << order) > z->end || !pfn_valid(other))
		return NULL;
	return page->flags == BIT(PG_BUDDY) && page->private == order ? page : NULL;
}

static void free_block(struct zone *z, struct page *page, unsigned order)
{
	pfn_t pfn = page_to_pfn(page);

	ASSERT(IS_ALIGNED(pfn, 1UL << order));
	ASSERT(page->flags == 0 && page->refs == 0);
	z->nr_free += 1UL << order;
	for (; order < PAGE_MAX_ORDER; order++) {
		struct page *buddy = buddy_of(z, pfn, order);

		if (!buddy)
			break;
		block_unlink(buddy);
		pfn &= ~(1UL << order);
	}
	block_link(z, pfn_to_page(pfn), order);
}

static struct page *take_block(struct zone *z, unsigned order)
{
	unsigned o = order;
	struct page *page;

	while (o <= PAGE_MAX_ORDER && list_empty(&z->free[o]))
		o++;
	if (o > PAGE_MAX_ORDER)
		return NULL;
	page = list_first_entry(&z->free[o], struct page, link);
	ASSERT(page->flags == BIT(PG_BUDDY) && page->private == o && page->refs == 0);
	block_unlink(page);
	while (o > order) /* give back the upper halves */
		o--, block_link(z, page + (1UL << o), o);
	z->nr_free -= 1UL << order;
	return page;
}

/* -- interface ----------------------------------------------------------------------------------------------- */
struct page *buddy_alloc(struct zone *zone, unsigned order, unsigned long keep)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);
	struct page *page = NULL;

	if (zone->nr_free >= keep + (1UL << order))
		page = take_block(zone, order);
	spin_unlock_irqrestore(&zone->lock, flags);
	return page;
}

/* Up to @n pages of one block: of the smallest there is, if it is not too large, else a part that is not. => zone->lock, n > 0 */
static unsigned take_pages(struct zone *z, struct page **pages, unsigned long n)
{
	unsigned order = 0;
	struct page *page;

	while (order < PAGE_MAX_ORDER && list_empty(&z->free[order]) && 2UL << order <= n)
		order++;
	page = take_block(z, order);
	if (!page)
		return 0;
	for (unsigned i = 0; i < 1u << order; i++)
		pages[i] = page + i;
	return 1u << order;
}

unsigned buddy_alloc_bulk(struct zone *zone, unsigned long keep, struct page **pages, unsigned n)
{
	unsigned long flags = spin_lock_irqsave(&zone->lock);
	unsigned got = 0, more = 1;

	for (; got < n && zone->nr_free > keep && more; got += more)
		more = take_pages(zone, pages + got, min(zone->nr_free - keep, (unsigned long)(n - got)));
	spin_unlock_irqrestore(&zone->lock, flags);
	return got;
}

void buddy_free(struct page *page, unsigned order)
{
	struct zone *zone = page_zone(page);
	unsigned long flags = spin_lock_irqsave(&zone->lock);

	free_block(zone, page, order);
	spin_unlock_irqrestore(&zone->lock, flags);
}

/* The largest block, as an order, that the first of these pages form, in ascending order. => n > 0 */
static unsigned order_of(struct page **pages, unsigned n)
{
	pfn_t pfn = page_to_pfn(pages[0]);
	unsigned order = 0, i = 1;

	for (; order < PAGE_MAX_ORDER && IS_ALIGNED(pfn, 2UL << order); order++) {
		while (i < n && i < 2u << order && pages[i] == pages[0] + i)
			i++;
		if (i < 2u << order)
			break;
	}
	return order;
}

void buddy_free_bulk(struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n;) {
		struct zone *zone = page_zone(pages[i]);
		unsigned long flags = spin_lock_irqsave(&zone->lock);

		while (i < n && page_zone(pages[i]) == zone) {
			unsigned order = order_of(pages + i, n - i);

			free_block(zone, pages[i], order);
			i += 1u << order;
		}
		spin_unlock_irqrestore(&zone->lock, flags);
	}
}

unsigned buddy_take_inside(struct page *first, unsigned order, unsigned long *taken)
{
	struct zone *zone = page_zone(first);
	unsigned long flags = spin_lock_irqsave(&zone->lock), step;
	unsigned n = 0;

	for (unsigned long i = 0; i < 1UL << order; i += step) {
		struct page *page = first + i;

		step = 1;
		if (page->flags != BIT(PG_BUDDY) || page->private > order)
			continue;
		step = 1UL << page->private;
		block_unlink(page);
		zone->nr_free -= step;
		n += (unsigned)step;
		for (unsigned long k = i; k < i + step; k++)
			bitmap_set(taken, (unsigned)k);
	}
	spin_unlock_irqrestore(&zone->lock, flags);
	return n;
}

/* As blocks as large as alignment, zone border and end allow. */
void buddy_add_range(pfn_t start, pfn_t end)
{
	while (start < end) {
		struct zone *zone = page_zone(pfn_to_page(start));
		unsigned order = start ? bit_lowest(start) : PAGE_MAX_ORDER;
		unsigned long flags;

		order = min(order, (unsigned)PAGE_MAX_ORDER);
		while (start + (1UL << order) > min(end, zone->end))
			order--;
		flags = spin_lock_irqsave(&zone->lock);
		free_block(zone, pfn_to_page(start), order);
		zone->present += 1UL << order;
		spin_unlock_irqrestore(&zone->lock, flags);
		start += 1UL << order;
	}
}
