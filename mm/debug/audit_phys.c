/*
 * audit_phys.c - the auditor on the allocators: free blocks, slabs, the count of table pages.
 * Layer 8 (mm/debug).  Interface: audit.h.  Takes zone and cache locks, one at a time.
 */
#include "mm/debug/audit.h"
#include "mm/phys/phys.h"
#include "mm/phys/slab.h"

static void check_block(struct audit *a, const struct zone *z, const struct page *page, unsigned order)
{
	pfn_t pfn = page_to_pfn(page);

	if (page->flags != BIT(PG_BUDDY) || page->private != order || page->refs || !IS_ALIGNED(pfn, 1UL << order) ||
	    pfn < z->start || pfn + (1UL << order) > z->end) {
		audit_error(a, "free block %lx of order %u: flags %lx order %lu refs %d", pfn, order, page->flags,
		            page->private, page->refs);
		return;
	}
	for (unsigned long i = 1; i < 1UL << order; i++)
		if (page[i].flags || page[i].refs || page[i].mapcount) {
			audit_error(a, "frame %lx lies in a free block: flags %lx refs %d mapcount %d", pfn + i, page[i].flags,
			            page[i].refs, page[i].mapcount);
			return;
		}
}

static void check_zone(struct audit *a, struct zone *z)
{
	unsigned long flags = spin_lock_irqsave(&z->lock);
	unsigned long free = 0;
	struct page *page;

	for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++)
		list_for_each_entry(page, &z->free[order], link) {
			check_block(a, z, page, order);
			free += 1UL << order;
		}
	if (free != z->nr_free)
		audit_error(a, "zone %u counts %lu free pages and has %lu", (unsigned)(z - zones), z->nr_free, free);
	spin_unlock_irqrestore(&z->lock, flags);
}

/* Objects in use by what the slabs of a list say. => cache->lock */
static unsigned long count_slabs(struct audit *a, const struct slab_cache *cache, const struct list *list,
                                 unsigned long *pages)
{
	unsigned long used = 0;
	const struct page *slab;

	list_for_each_entry(slab, list, link) {
		*pages += 1UL << cache->order;
		used += (unsigned long)slab->mapcount;
		if (!page_test(slab, PG_SLAB) || slab->private != (unsigned long)cache || slab->mapcount < 0 ||
		    slab->mapcount > (int)cache->per_slab)
			audit_error(a, "slab %lx of %s: flags %lx, %d objects in use", page_to_pfn(slab), cache->name, slab->flags,
			            slab->mapcount);
	}
	return used;
}

static unsigned long check_cache(struct audit *a, struct slab_cache *cache)
{
	unsigned long flags = spin_lock_irqsave(&cache->lock);
	unsigned long pages = 0, used;

	used = count_slabs(a, cache, &cache->partial, &pages) + count_slabs(a, cache, &cache->full, &pages);
	if (used != cache->objects || pages != cache->slabs)
		audit_error(a, "slab cache %s counts %lu objects on %lu pages and has %lu on %lu", cache->name, cache->objects,
		            cache->slabs, used, pages);
	spin_unlock_irqrestore(&cache->lock, flags);
	return pages;
}

void audit_memory(struct audit *a)
{
	unsigned long pages = 0;

	for (unsigned i = 0; i < ZONE_COUNT; i++)
		check_zone(a, &zones[i]);
	for (struct slab_cache *cache = slab_cache_next(NULL); cache; cache = slab_cache_next(cache))
		pages += check_cache(a, cache);
	if (pages != READ_ONCE(slab_pages))
		audit_error(a, "%lu pages are counted as slabs, the caches have %lu", READ_ONCE(slab_pages), pages);
	if (a->leaks && a->tables != READ_ONCE(phys_table_pages))
		audit_error(a, "%lu table pages exist, the address spaces have %lu", READ_ONCE(phys_table_pages), a->tables);
}
