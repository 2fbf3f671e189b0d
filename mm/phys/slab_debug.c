/*
 * slab_debug.c - slab objects of debug builds: filled while free, with a guard behind them.  Layer 3.
 *
 *   object, size bytes        zone, struct slab_zone          up to the next object
 *   free: 0x6b from its       guard word, return addresses    nothing
 *   second word on            of the last alloc and free
 *
 * The allocator links free objects by their first word.  In KASAN builds free objects and all zones are poisoned;
 * the functions that look at zones are not checked.  There, what is freed also waits in a ring before it can be
 * had again, so that a late access finds it still poisoned.
 */
#include "mm/phys/slab_debug.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/kasan.h"
#include "kernel/lib/ksyms.h"
#include "kernel/lib/string.h"

#define FILL 0x6b
#define GUARD 0xbd5eca7e0b1ec7edULL
#define WORD sizeof(void *)
#define DELAY 1024

static void *delayed[KASAN ? DELAY : 1];
static unsigned delay_next;

static struct slab_zone *zone_of(const struct slab_cache *cache, const void *object)
{
	return (struct slab_zone *)((u8 *)object + cache->size);
}

/* -- the zone ------------------------------------------------------------------------------------------------- */
NO_KASAN static void zone_init(struct slab_zone *zone)
{
	*zone = (struct slab_zone){.guard = GUARD};
}

NO_KASAN static bool zone_intact(const struct slab_zone *zone)
{
	return zone->guard == GUARD;
}

NO_KASAN static void zone_set(struct slab_zone *zone, const void *ip, bool alloc)
{
	if (alloc)
		zone->alloc_ip = (u32)(unsigned long)ip;
	else
		zone->free_ip = (u32)(unsigned long)ip;
}

NO_KASAN static void zone_get(const struct slab_zone *zone, vaddr_t *alloc, vaddr_t *free)
{
	*alloc = (vaddr_t)(long)(s32)zone->alloc_ip;
	*free = (vaddr_t)(long)(s32)zone->free_ip;
}

/* -- reports -------------------------------------------------------------------------------------------------- */
static void print_place(const char *what, vaddr_t ip)
{
	unsigned long offset = 0;
	const char *name = ip ? ksym_lookup(ip - 1, &offset) : NULL;

	if (name)
		printk("  last %s by %s+0x%lx\n", what, name, offset + 1);
}

static void describe(const struct slab_cache *cache, const void *object)
{
	vaddr_t alloc_ip, free_ip;

	zone_get(zone_of(cache, object), &alloc_ip, &free_ip);
	printk("object %p of %s, %zu bytes\n", object, cache->name, cache->size);
	print_place("allocated", alloc_ip);
	print_place("freed", free_ip);
}

bool slab_describe(const void *address)
{
	struct page *page = virt_to_page(address), *first = page - page->index;
	const struct slab_cache *cache = (const struct slab_cache *)page->private;
	size_t offset;

	if (!page_test(page, PG_SLAB))
		return false;
	offset = (size_t)((vaddr_t)address - (vaddr_t)page_address(first));
	printk("byte %ld of ", (long)(offset % cache->stride));
	describe(cache, (u8 *)address - offset % cache->stride);
	return true;
}

static void check_zone(const struct slab_cache *cache, const void *object)
{
	if (zone_intact(zone_of(cache, object)))
		return;
	describe(cache, object);
	panic("slab: %s object %p: somebody wrote behind it\n", cache->name, object);
}

/* -- a life --------------------------------------------------------------------------------------------------- */
static void fill(const struct slab_cache *cache, void *object)
{
	memset((u8 *)object + WORD, FILL, cache->size - WORD);
}

bool slab_debug_filled(const struct slab_cache *cache, const void *object)
{
	return !memchr_inv((const u8 *)object + WORD, FILL, cache->size - WORD);
}

void slab_debug_new(const struct slab_cache *cache, void *object)
{
	fill(cache, object);
	zone_init(zone_of(cache, object));
	kasan_poison(object, cache->size, KASAN_SLAB_FREE);
	kasan_poison((u8 *)object + cache->size, cache->stride - cache->size, KASAN_SLAB_REDZONE);
}

void slab_debug_alloc(const struct slab_cache *cache, void *object, const void *ip)
{
	kasan_unpoison(object, cache->size);
	check_zone(cache, object);
	if (!slab_debug_filled(cache, object)) {
		describe(cache, object);
		panic("slab: %s object %p was written after it was freed\n", cache->name, object);
	}
	zone_set(zone_of(cache, object), ip, true);
}

void slab_debug_free(const struct slab_cache *cache, void *object, const void *ip)
{
	check_zone(cache, object);
	zone_set(zone_of(cache, object), ip, false);
	kasan_unpoison(object, cache->size); /* kmalloc() may have left less than all of it */
	fill(cache, object);
	kasan_poison(object, cache->size, KASAN_SLAB_FREE);
}

unsigned long slab_debug_delayed(void)
{
	return min((unsigned long)atomic_read(&delay_next), KASAN ? ARRAY_SIZE(delayed) : 0);
}

void *slab_debug_delay(void *object)
{
	unsigned i = __atomic_fetch_add(&delay_next, 1, __ATOMIC_RELAXED) % ARRAY_SIZE(delayed);

	return __atomic_exchange_n(&delayed[i], object, __ATOMIC_SEQ_CST);
}
