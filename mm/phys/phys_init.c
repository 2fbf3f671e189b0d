/*
 * phys_init.c - from a list of RAM ranges to a working allocator; the counters.  Layer 3.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/bitops.h"
#include "kernel/lib/kasan.h"
#include "kernel/lib/string.h"
#include "mm/phys/lru.h"
#include "mm/phys/phys.h"
#include "mm/phys/slab.h"

struct page *mem_map;
pfn_t max_pfn;

static pfn_t next_pfn; /* during start-up: frames below have been dealt with */

static void *alloc_table(void)
{
	return boot_alloc(PAGE_SIZE);
}

/* Frames [start, end) are not ours to hand out. */
static void mark_reserved(pfn_t start, pfn_t end)
{
	for (; start < end; start++) {
		mem_map[start].flags = BIT(PG_RESERVED);
		mem_map[start].refs = 1;
	}
}

static void add_ram(pfn_t start, pfn_t end)
{
	mark_reserved(next_pfn, start);
	buddy_add_range(start, end);
	if (KASAN)
		kasan_poison(phys_to_virt((paddr_t)start << PAGE_SHIFT), (end - start) << PAGE_SHIFT, KASAN_PAGE_FREE);
	next_pfn = end;
}

/* The frame records lie in low memory. So much RAM that they would fill more than half of it is not used. */
static void mem_map_init(void)
{
	unsigned long most = boot_low_pages() / 2 * (PAGE_SIZE / sizeof(struct page));

	if (boot_ram_end() >> PAGE_SHIFT > most) {
		printk("phys: RAM from %llx on is not used: no room for its records\n", (unsigned long long)most << PAGE_SHIFT);
		boot_ram_limit((paddr_t)most << PAGE_SHIFT);
	}
	max_pfn = (pfn_t)(boot_ram_end() >> PAGE_SHIFT);
	mem_map = boot_alloc(max_pfn * sizeof(struct page));
}

void phys_init(void)
{
	const pfn_t four_gib = 1UL << (32 - PAGE_SHIFT);

	boot_alloc_init();
	arch_direct_map_init(boot_ram_end(), alloc_table);
	mem_map_init();
	page_init_queues();
	buddy_init(min((pfn_t)(phys_direct_end() >> PAGE_SHIFT), four_gib), four_gib);
	boot_alloc_finish(add_ram);
	mark_reserved(next_pfn, max_pfn);
	page_alloc_init();
	lru_init();
	slab_init();
	printk("phys: %lu MiB low, %lu MiB above, %lu MiB from 4 GiB on; records %lu KiB\n",
	       zones[ZONE_LOW].present >> (20 - PAGE_SHIFT), zones[ZONE_MID].present >> (20 - PAGE_SHIFT),
	       zones[ZONE_HIGH].present >> (20 - PAGE_SHIFT), (unsigned long)(max_pfn * sizeof(struct page)) >> 10);
}

void phys_stat(struct phys_stat *st)
{
	const struct zone *low = &zones[ZONE_LOW], *mid = &zones[ZONE_MID], *high = &zones[ZONE_HIGH];

	*st = (struct phys_stat){
		.total = low->present + mid->present + high->present,
		.high_total = mid->present + high->present,
		.high_free = READ_ONCE(mid->nr_free) + READ_ONCE(high->nr_free) + page_alloc_cached(true),
		.slab = READ_ONCE(slab_pages),
		.tables = READ_ONCE(phys_table_pages),
		.kernel = boot_alloc_used,
	};
	st->free = READ_ONCE(low->nr_free) + page_alloc_cached(false) + st->high_free;
}
