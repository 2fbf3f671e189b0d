/*
 * slab.c - kernel objects of one size, cut from blocks of pages.  Layer 3.
 *
 * A slab is 1 << order pages.  Its bookkeeping needs no memory of its own: it is in the frame records.
 *
 *   every page   PG_SLAB, private = the cache, index = offset from the slab's first page
 *   first page   link = in cache->partial or ->full, object = first free object, mapcount = objects in use
 *
 * In front of the slabs each CPU has a list of free objects, used with interrupts off and without a lock;
 * it is filled and emptied BATCH objects at a time.  Objects on such a list count as in use for their slab.
 *
 * Debug builds keep more about each object and check it: slab_debug.c.
 */
#include "mm/phys/slab.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/bitops.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/failpoint.h"
#include "kernel/lib/kasan.h"
#include "kernel/lib/radix.h"
#include "kernel/lib/string.h"
#include "mm/phys/page.h"
#include "mm/phys/slab_debug.h"
#include "mm/phys/phys.h"

#define BATCH 16
#define CPU_MAX 32
#define ORDER_MAX 3
#define ALIGN_MAX 64UL

static struct slab_cache *all_caches;
static spinlock_t all_lock = SPINLOCK_INIT(LOCK_SLAB);
unsigned long slab_pages;

/* -- the frame record as a slab's header -------------------------------------------------------------------- */
static void **slab_free_list(struct page *slab)
{
	return (void **)&slab->object;
}

static struct page *slab_of(const void *object)
{
	struct page *page = virt_to_page(object);

	ASSERT(page_test(page, PG_SLAB));
	return page - page->index;
}

NO_KASAN static void *next_of(void *object)
{
	return *(void **)object;
}

NO_KASAN static void set_next(void *object, void *next)
{
	*(void **)object = next;
}

/* With a zone behind the object, the next one must still be aligned as its type is. */
static size_t stride_of(size_t size)
{
	return DEBUG ? ALIGN_UP(size + SLAB_ZONE_SIZE, min(BIT(bit_lowest(size)), ALIGN_MAX)) : size;
}

/* -- caches ---------------------------------------------------------------------------------------------------- */
void slab_cache_init(struct slab_cache *cache, const char *name, size_t size)
{
	unsigned long flags;

	*cache = (struct slab_cache){.name = name, .size = ALIGN_UP(max(size, (size_t)8), (size_t)8)};
	cache->stride = stride_of(cache->size);
	while (cache->order < ORDER_MAX && (PAGE_SIZE << cache->order) / cache->stride < 8)
		cache->order++;
	cache->per_slab = (PAGE_SIZE << cache->order) / cache->stride;
	BUG_ON(!cache->per_slab);
	list_init(&cache->partial);
	list_init(&cache->full);
	spin_init(&cache->lock, LOCK_SLAB);
	flags = spin_lock_irqsave(&all_lock);
	cache->next = all_caches; /* read without the lock: nothing ever leaves the list */
	__atomic_store_n(&all_caches, cache, __ATOMIC_RELEASE);
	spin_unlock_irqrestore(&all_lock, flags);
}

struct slab_cache *slab_cache_next(struct slab_cache *cache)
{
	return cache ? cache->next : __atomic_load_n(&all_caches, __ATOMIC_ACQUIRE);
}

unsigned long slab_cache_in_use(struct slab_cache *cache)
{
	unsigned long n = READ_ONCE(cache->objects), cached = 0;

	for (unsigned i = 0; i < cpu_count; i++)
		cached += READ_ONCE(cache->cpu[i].n);
	return n > cached ? n - cached : 0;
}

/* -- debug ------------------------------------------------------------------------------------------------------- */
static bool in_list(const void *object, void *list)
{
	for (; list; list = next_of(list))
		if (list == object)
			return true;
	return false;
}

static void check_free(struct slab_cache *cache, void *object, const void *ip)
{
	struct page *slab = slab_of(object);
	size_t offset = (size_t)((u8 *)object - (u8 *)page_address(slab));

	if ((struct slab_cache *)slab->private != cache || offset % cache->stride)
		panic("slab: %p is not an object of %s\n", object, cache->name);
	if (KASAN)
		kasan_check_free(object, ip);
	/* The filling alone could be the object's content. */
	if (!KASAN && slab_debug_filled(cache, object)) {
		unsigned long flags = spin_lock_irqsave(&cache->lock);

		if (in_list(object, *slab_free_list(slab)) || in_list(object, cache->cpu[this_cpu()->id].free)) {
			slab_describe(object);
			panic("slab: %s object %p is freed twice\n", cache->name, object);
		}
		spin_unlock_irqrestore(&cache->lock, flags);
	}
}

/* -- slabs --------------------------------------------------------------------------------------------------------- */

/* A new slab with everything free, in no list. */
static struct page *slab_make(struct slab_cache *cache, enum gfp gfp)
{
	struct page *slab = page_alloc(cache->order, gfp & (GFP_ATOMIC | GFP_NOWARN));
	u8 *base;

	if (!slab)
		return NULL;
	for (unsigned i = 0; i < 1u << cache->order; i++) {
		page_set(slab + i, PG_SLAB);
		slab[i].private = (unsigned long)cache;
		slab[i].index = i;
	}
	base = page_address(slab);
	for (unsigned i = cache->per_slab; i-- > 0;) {
		void *object = base + i * cache->stride;

		set_next(object, *slab_free_list(slab));
		*slab_free_list(slab) = object;
		if (DEBUG)
			slab_debug_new(cache, object);
	}
	atomic_add(&slab_pages, 1UL << cache->order);
	return slab;
}

static void slab_unmake(struct slab_cache *cache, struct page *slab)
{
	*slab_free_list(slab) = NULL;
	for (unsigned i = 0; i < 1u << cache->order; i++) {
		page_clear(slab + i, PG_SLAB);
		slab[i].private = 0;
		slab[i].index = 0;
	}
	atomic_sub(&slab_pages, 1UL << cache->order);
	page_free(slab, cache->order);
}

/* Up to @n objects from the partial slabs, linked; @got: how many. => cache->lock */
static void *take_objects(struct slab_cache *cache, unsigned n, unsigned *got)
{
	void *list = NULL;

	*got = 0;
	while (*got < n && !list_empty(&cache->partial)) {
		struct page *slab = list_first_entry(&cache->partial, struct page, link);

		while (*got < n && *slab_free_list(slab)) {
			void *object = *slab_free_list(slab);

			*slab_free_list(slab) = next_of(object);
			set_next(object, list);
			list = object;
			slab->mapcount++;
			++*got;
		}
		if (!*slab_free_list(slab))
			list_move_tail(&slab->link, &cache->full);
	}
	cache->objects += *got;
	return list;
}

/* Back into its slab. If that is now empty and not the only one with room, it is taken out and returned.
 * => cache->lock */
static struct page *give_object(struct slab_cache *cache, void *object)
{
	struct page *slab = slab_of(object);

	if (!*slab_free_list(slab))
		list_move_tail(&slab->link, &cache->partial);
	set_next(object, *slab_free_list(slab));
	*slab_free_list(slab) = object;
	cache->objects--;
	if (--slab->mapcount > 0 || list_is_single(&cache->partial))
		return NULL;
	list_del(&slab->link);
	cache->slabs -= 1UL << cache->order;
	return slab;
}

/* -- objects ----------------------------------------------------------------------------------------------------------- */

/* => interrupts off, own CPU */
static inline void push(struct slab_cpu *c, void *object)
{
	set_next(object, c->free);
	c->free = object;
	c->n++;
}

/* This CPU's list is empty: fill it and return one object more. */
static __attribute__((noinline)) void *refill(struct slab_cache *cache, enum gfp gfp)
{
	unsigned long flags = spin_lock_irqsave(&cache->lock);
	struct slab_cpu *c;
	unsigned got;
	void *list, *object;

	while (!(list = take_objects(cache, BATCH, &got))) {
		struct page *slab;

		spin_unlock_irqrestore(&cache->lock, flags);
		slab = slab_make(cache, gfp);
		if (!slab)
			return NULL;
		flags = spin_lock_irqsave(&cache->lock);
		list_add_tail(&slab->link, &cache->partial);
		cache->slabs += 1UL << cache->order;
	}
	object = list;
	c = &cache->cpu[this_cpu()->id];
	for (list = next_of(object); list;) { /* someone may have put objects there meanwhile */
		void *next = next_of(list);

		push(c, list);
		list = next;
	}
	spin_unlock_irqrestore(&cache->lock, flags);
	return object;
}

static inline void *alloc_object(struct slab_cache *cache, enum gfp gfp)
{
	unsigned long flags = irq_save();
	struct slab_cpu *c = &cache->cpu[this_cpu()->id];
	void *object = c->free;

	if (unlikely(!object)) {
		irq_restore(flags);
		return refill(cache, gfp);
	}
	c->free = next_of(object);
	c->n--;
	irq_restore(flags);
	return object;
}

int slab_reserve(struct slab_cache *cache, unsigned n, enum gfp gfp)
{
	if (DEBUG && !(gfp & GFP_ATOMIC))
		might_sleep();
	while (unlikely(READ_ONCE(cache->cpu[this_cpu()->id].n) < n)) { /* refill() may change CPUs */
		void *object = refill(cache, gfp);
		unsigned long flags;

		if (!object)
			return -ENOMEM;
		flags = irq_save();
		push(&cache->cpu[this_cpu()->id], object);
		irq_restore(flags);
	}
	return 0;
}

void *slab_alloc_from(struct slab_cache *cache, enum gfp gfp, const void *ip)
{
	void *object;

	if (DEBUG && !(gfp & GFP_ATOMIC))
		might_sleep();
	if (FAILPOINT("slab_alloc"))
		return NULL;
	object = alloc_object(cache, gfp);
	if (unlikely(!object))
		return NULL;
	if (DEBUG)
		slab_debug_alloc(cache, object, ip);
	if (gfp & GFP_ZERO)
		memset(object, 0, cache->size);
	return object;
}

void *slab_alloc(struct slab_cache *cache, enum gfp gfp)
{
	return slab_alloc_from(cache, gfp, __builtin_return_address(0));
}

/* Up to BATCH objects of this CPU's list back into their slabs. => interrupts off */
static __attribute__((noinline)) void spill(struct slab_cache *cache, struct slab_cpu *c)
{
	struct page *empty[BATCH];
	unsigned n = 0;

	spin_lock(&cache->lock);
	for (unsigned i = 0; i < BATCH && c->free; i++) {
		void *object = c->free;

		c->free = next_of(object);
		c->n--;
		empty[n] = give_object(cache, object);
		n += empty[n] != NULL;
	}
	spin_unlock(&cache->lock);
	while (n-- > 0)
		slab_unmake(cache, empty[n]);
}

void slab_drain(void)
{
	unsigned long flags = irq_save();

	for (struct slab_cache *cache = slab_cache_next(NULL); cache; cache = slab_cache_next(cache))
		while (cache->cpu[this_cpu()->id].free)
			spill(cache, &cache->cpu[this_cpu()->id]);
	irq_restore(flags);
}

void slab_free_from(struct slab_cache *cache, void *object, const void *ip)
{
	struct slab_cpu *c;
	unsigned long flags;

	if (DEBUG) {
		check_free(cache, object, ip);
		slab_debug_free(cache, object, ip);
	}
	if (KASAN) {
		object = slab_debug_delay(object);
		if (!object)
			return;
		cache = (struct slab_cache *)slab_of(object)->private;
	}
	flags = irq_save();
	c = &cache->cpu[this_cpu()->id];
	push(c, object);
	if (unlikely(c->n > CPU_MAX))
		spill(cache, c);
	irq_restore(flags);
}

void slab_free(struct slab_cache *cache, void *object)
{
	slab_free_from(cache, object, __builtin_return_address(0));
}

/* -- start-up: the hooks of kernel/lib -------------------------------------------------------------------------------------- */
static struct slab_cache radix_cache;

static void *radix_alloc(void)
{
	return slab_alloc(&radix_cache, this_cpu()->preempt_count ? GFP_ATOMIC | GFP_NOWARN : GFP_KERNEL);
}

static void radix_free(void *node)
{
	slab_free(&radix_cache, node);
}

static int radix_reserve(unsigned n)
{
	return slab_reserve(&radix_cache, n, GFP_KERNEL);
}

void slab_init(void)
{
	slab_cache_init(&radix_cache, "radix_node", radix_node_size);
	radix_node_alloc = radix_alloc;
	radix_node_free = radix_free;
	radix_node_reserve = radix_reserve;
	kmalloc_init();
}
