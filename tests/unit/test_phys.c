/*
 * test_phys.c - buddy, page allocator and slab over an array that plays physical memory.
 * links: mm/phys/buddy.c mm/phys/page_alloc.c mm/phys/lru.c mm/phys/vmstat.c mm/phys/slab.c mm/phys/slab_debug.c mm/phys/kmalloc.c kernel/sync/spinlock.c kernel/sync/lockrank.c kernel/sync/lock_waits.c kernel/lib/radix.c kernel/lib/bitops.c kernel/lib/harness.c
 */
#include "kernel/lib/ksyms.h"
#include <arch/smp.h>
#include <pthread.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sync/hooks.h"
#include "mm/phys/phys.h"
#include "mm/phys/slab.h"
#include "tests/unit/test.h"

#define FRAMES 6000
#define LOW_END 3072
#define HIGH_START 4096
#define HOLE_START 1000
#define HOLE_END 1500

__thread struct cpu the_cpu;
struct cpu cpus[MAX_CPUS];
unsigned cpu_count = 2;
unsigned long cpu_online_bits = 3;
char *the_ram;
struct page *mem_map;
pfn_t max_pfn = FRAMES;
static __thread struct lock_context locks;

const char *ksym_lookup(vaddr_t address, unsigned long *offset)
{
	return NULL;
}

struct lock_context *sync_lock_context(void)
{
	return &locks;
}

unsigned *sync_memory_rights(void)
{
	static unsigned none;

	return &none;
}

/* The other CPU is this thread under another number. */
void ipi_call(unsigned long mask, void (*fn)(void *), void *arg, bool wait)
{
	unsigned me = the_cpu.id;

	CHECK(irqs_enabled() && wait);
	for (unsigned i = 0; i < cpu_count; i++) {
		unsigned long flags = irq_save();

		the_cpu.id = i;
		if (i != me && mask & BIT(i))
			fn(arg);
		irq_restore(flags);
	}
	the_cpu.id = me;
}

/* HIGH is not mapped for good, as on i386. */
paddr_t phys_direct_end(void)
{
	return (paddr_t)LOW_END << PAGE_SHIFT;
}

void *page_kmap(struct page *page)
{
	return the_ram + page_to_phys(page);
}

void page_kunmap(void *va)
{
}

void page_zero(struct page *page)
{
	memset(page_kmap(page), 0, PAGE_SIZE);
}

struct page *virt_to_page(const void *va)
{
	return pfn_to_page((pfn_t)(virt_to_phys(va) >> PAGE_SHIFT));
}

void *memchr_inv(const void *p, int c, size_t n)
{
	for (const u8 *s = p; n--; s++)
		if (*s != (u8)c)
			return (void *)s;
	return NULL;
}

/* -- the invariant: free blocks do not overlap, are as large as they can be, and add up -------------------------- */
static unsigned long audit(void)
{
	static u8 seen[FRAMES];
	unsigned long total = 0;

	memset(seen, 0, sizeof(seen));
	for (unsigned z = 0; z < ZONE_COUNT; z++) {
		unsigned long in_zone = 0;

		for (unsigned order = 0; order <= PAGE_MAX_ORDER; order++) {
			struct page *page;

			list_for_each_entry(page, &zones[z].free[order], link) {
				pfn_t pfn = page_to_pfn(page), buddy = pfn ^ (1UL << order);

				CHECK(IS_ALIGNED(pfn, 1UL << order) && page_zone(page) == &zones[z]);
				CHECK(page->flags == BIT(PG_BUDDY) && page->private == order);
				if (order < PAGE_MAX_ORDER && buddy < FRAMES && page_zone(pfn_to_page(buddy)) == &zones[z])
					CHECK(!(pfn_to_page(buddy)->flags == BIT(PG_BUDDY) && pfn_to_page(buddy)->private == order));
				for (pfn_t p = pfn; p < pfn + (1UL << order); p++) {
					CHECK(!seen[p] && !(p >= HOLE_START && p < HOLE_END));
					seen[p] = 1;
				}
				in_zone += 1UL << order;
			}
		}
		CHECK(in_zone == zones[z].nr_free);
		total += in_zone;
	}
	return total;
}

static unsigned long all_free(void)
{
	return audit() + page_alloc_cached(false) + page_alloc_cached(true);
}

static void set_up(void)
{
	the_ram = aligned_alloc(PAGE_SIZE, FRAMES * PAGE_SIZE);
	mem_map = calloc(FRAMES, sizeof(struct page));
	buddy_init(LOW_END, HIGH_START);
	for (pfn_t pfn = HOLE_START; pfn < HOLE_END; pfn++)
		mem_map[pfn] = (struct page){.flags = BIT(PG_RESERVED), .refs = 1};
	mem_map[0] = (struct page){.flags = BIT(PG_RESERVED), .refs = 1};
	buddy_add_range(1, HOLE_START);
	buddy_add_range(HOLE_END, FRAMES);
	page_alloc_init();
	slab_init();
	CHECK(audit() == FRAMES - 1 - (HOLE_END - HOLE_START));
	CHECK(zones[ZONE_HIGH].present == FRAMES - HIGH_START && zones[ZONE_MID].present == HIGH_START - LOW_END);
}

/* -- pages ------------------------------------------------------------------------------------------------------------ */
#define HELD 600

static void page_storm(void)
{
	static struct page *held[HELD];
	static unsigned orders[HELD];
	unsigned long before = all_free();

	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = test_random() % HELD, gfp = test_random() % 2 ? GFP_HIGH : GFP_KERNEL;
		unsigned order = test_random() % 4 ? 0 : test_random() % 6;
		struct page *page = held[i];

		if (page) {
			CHECK(page->refs == 1);
			for (unsigned k = 0; k < 1u << orders[i]; k++)
				CHECK(*(u32 *)page_kmap(page + k) == i);
			if (orders[i] == 0 && round % 2)
				page_put(page);
			else
				page_free(page, orders[i]);
			held[i] = NULL;
			continue;
		}
		held[i] = page = page_alloc(order, gfp | GFP_NOWARN | (round % 8 ? 0 : GFP_ZERO));
		orders[i] = order;
		if (!page)
			continue;
		CHECK(page->refs == 1 && !page->flags && !page->mapcount && !page->private && !page->index && !page->object);
		CHECK(gfp == GFP_HIGH || page_zone(page) == &zones[ZONE_LOW]);
		if (round % 8 == 0)
			CHECK(!memchr_inv(page_kmap(page), 0, PAGE_SIZE << order));
		for (unsigned k = 0; k < 1u << order; k++)
			*(u32 *)page_kmap(page + k) = i;
		if (round % 500 == 0)
			audit();
	}
	for (unsigned i = 0; i < HELD; i++) {
		if (held[i])
			page_free(held[i], orders[i]);
		held[i] = NULL;
	}
	CHECK(all_free() == before);
}

static void exhaust(void)
{
	static struct page *held[FRAMES];
	unsigned long before = all_free();
	unsigned n = 0, low = 0, atomic = 0;

	while ((held[n] = page_alloc(0, GFP_HIGH | GFP_NOWARN)))
		low += page_zone(held[n++]) == &zones[ZONE_LOW];
	CHECK(low > 0 && zones[ZONE_LOW].nr_free >= zones[ZONE_LOW].present / 16); /* the kernel's share is left */
	CHECK(page_zone(held[0]) == &zones[ZONE_HIGH]);
	while ((held[n] = page_alloc(0, GFP_KERNEL | GFP_NOWARN)))
		n++;
	CHECK(zones[ZONE_LOW].nr_free > 0); /* the reserve */
	while ((held[n] = page_alloc(0, GFP_ATOMIC | GFP_NOWARN)))
		n++, atomic++;
	CHECK(atomic > 0 && zones[ZONE_LOW].nr_free > 0); /* its other half is for who reclaims */
	CHECK(!page_alloc(3, GFP_KERNEL | GFP_NOWARN));
	while (n > 0)
		page_put(held[--n]);
	CHECK(all_free() == before);
	CHECK((held[0] = page_alloc(PAGE_MAX_ORDER, GFP_KERNEL)) != NULL); /* everything has merged again */
	page_free(held[0], PAGE_MAX_ORDER);
}

static unsigned long reclaim_calls;
static struct page *reclaimable;

static unsigned long reclaim(unsigned long nr, enum gfp gfp)
{
	reclaim_calls++;
	if (!reclaimable)
		return 0;
	page_free(reclaimable, 5);
	reclaimable = NULL;
	return 32;
}

static void reclaims(void)
{
	static struct page *held[FRAMES];
	unsigned n = 0;

	reclaimable = page_alloc(5, GFP_KERNEL);
	page_reclaim = NULL;
	while ((held[n] = page_alloc(0, GFP_KERNEL | GFP_NOWARN)))
		n++;
	page_reclaim = reclaim;
	held[n] = page_alloc(0, GFP_ATOMIC | GFP_NOWARN); /* from the reserve, and no more than that */
	CHECK(held[n] && reclaim_calls == 0 && page_alloc_cached(false) == 0);
	n++;
	held[n] = page_alloc(0, GFP_KERNEL);
	CHECK(held[n] && reclaim_calls == 1);
	page_put(held[n]);
	page_reclaim = NULL;
	while (n > 0)
		page_put(held[--n]);
}

/* -- objects ---------------------------------------------------------------------------------------------------------- */
static void slab_storm(size_t size)
{
	static u8 *held[2000];
	static struct slab_cache caches[5]; /* a cache is for ever */
	static unsigned used;
	struct slab_cache *cache = &caches[used++];

	slab_cache_init(cache, "test", size);
	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = test_random() % ARRAY_SIZE(held);

		if (held[i]) {
			CHECK(!memchr_inv(held[i], (u8)i, size));
			slab_free(cache, held[i]);
			held[i] = NULL;
		} else {
			held[i] = slab_alloc(cache, round % 2 ? GFP_KERNEL : GFP_ZERO);
			CHECK(held[i] && (round % 2 || !memchr_inv(held[i], 0, size)));
			CHECK(((unsigned long)held[i] & 7) == 0);
			memset(held[i], (u8)i, size);
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++) {
		if (held[i])
			slab_free(cache, held[i]);
		held[i] = NULL;
	}
	CHECK(slab_cache_in_use(cache) == 0 && cache->slabs <= 34ul << cache->order);
}

static void slabs(void)
{
	for (unsigned i = 0; i < 5; i++)
		slab_storm((const size_t[]){8, 40, 104, 568, 2048}[i]);
}

static void kmallocs(void)
{
	static u8 *held[200];
	static size_t sizes[200];
	unsigned long pages = slab_pages;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned i = test_random() % ARRAY_SIZE(held);

		if (held[i]) {
			CHECK(!memchr_inv(held[i], (u8)i, sizes[i]));
			kfree(held[i]);
			held[i] = NULL;
		} else {
			sizes[i] = test_random() % (round % 4 ? 2100 : 30000);
			held[i] = kzalloc(sizes[i], GFP_KERNEL | GFP_NOWARN);
			CHECK(held[i] && !memchr_inv(held[i], 0, sizes[i]));
			memset(held[i], (u8)i, sizes[i]);
		}
	}
	for (unsigned i = 0; i < ARRAY_SIZE(held); i++)
		kfree(held[i]);
	CHECK(slab_pages >= pages);
	for (unsigned n = 1; n <= 2048; n++) {
		u8 *p = kmalloc(n, GFP_KERNEL);

		memset(p, 0xff, n);
		kfree(p);
	}
	held[0] = (u8 *)kstrdup("text", GFP_KERNEL);
	held[1] = (u8 *)kstrndup("text", 2, GFP_KERNEL);
	CHECK(!memcmp(held[0], "text", 5) && !memcmp(held[1], "te", 3));
	kfree(held[0]);
	kfree(held[1]);
	kfree(NULL);
}

/* What one CPU keeps for itself is there for the others before memory is said to be out. */
static void drained(void)
{
	static struct page *held[FRAMES];
	static struct slab_cache cache;
	unsigned long before = all_free();
	unsigned n;
	void *p;

	slab_cache_init(&cache, "kept", 512);
	the_cpu.id = 1;
	for (n = 0; n < 40; n++)
		held[n] = page_alloc(0, GFP_KERNEL);
	while (n > 0)
		page_put(held[--n]);
	p = slab_alloc(&cache, GFP_KERNEL);
	slab_free(&cache, p);
	CHECK(cache.slabs && page_alloc_cached(false) >= 30);
	the_cpu.id = 0;
	while ((held[n] = page_alloc(0, GFP_KERNEL | GFP_NOWARN)))
		n++;
	CHECK(page_alloc_cached(false) == 0 && cache.objects == 0);
	while (n > 0)
		page_put(held[--n]);
	CHECK(all_free() + slab_pages >= before);
}

/* What a CPU has reserved is there when memory is out, and more is not. */
static void reserves(void)
{
	enum { N = 22 };
	static struct page *held[FRAMES];
	static struct slab_cache cache;
	void *objects[N + 64];
	unsigned n = 0, got = 0;

	slab_cache_init(&cache, "reserved", 200);
	while ((held[n] = page_alloc(0, GFP_ATOMIC | GFP_NOWARN)))
		n++;
	CHECK(slab_reserve(&cache, N, GFP_ATOMIC | GFP_NOWARN) == -ENOMEM);
	for (unsigned i = 0; i < 10; i++)
		page_put(held[--n]);
	CHECK(slab_reserve(&cache, N, GFP_ATOMIC) == 0);
	CHECK(cache.cpu[0].n >= N && slab_cache_in_use(&cache) == 0);
	while ((held[n] = page_alloc(0, GFP_ATOMIC | GFP_NOWARN)))
		n++;
	while (got < ARRAY_SIZE(objects) && (objects[got] = slab_alloc(&cache, GFP_ATOMIC | GFP_NOWARN)))
		got++;
	CHECK(got >= N && got < ARRAY_SIZE(objects));
	while (got > 0)
		slab_free(&cache, objects[--got]);
	CHECK(slab_cache_in_use(&cache) == 0);
	while (n > 0)
		page_put(held[--n]);
}

/* Several CPUs split and merge the same blocks. (GFP_ATOMIC: the pretended ipi_call() is not for real ones.) */
static void *cpu_main(void *arg)
{
	struct page *held[64] = {NULL};
	unsigned orders[64] = {0}, seed;

	the_cpu.id = seed = (unsigned)(unsigned long)arg;
	for (unsigned round = 0; round < 40000; round++) {
		unsigned i = (seed = seed * 1103515245 + 12345) >> 16 & 63;

		if (held[i]) {
			page_free(held[i], orders[i]);
			held[i] = NULL;
		} else {
			orders[i] = seed >> 24 & 3 ? 0 : seed >> 26 & 3;
			held[i] = page_alloc(orders[i], GFP_ATOMIC | GFP_NOWARN);
		}
	}
	for (unsigned i = 0; i < 64; i++)
		if (held[i])
			page_free(held[i], orders[i]);
	return NULL;
}

static void cpus_storm(void)
{
	unsigned long before;
	pthread_t id[4];

	cpu_count = 5;
	before = all_free();
	for (unsigned long i = 0; i < 4; i++)
		pthread_create(&id[i], NULL, cpu_main, (void *)(i + 1));
	for (unsigned i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	CHECK(all_free() == before);
}

/* -- what debug builds notice -------------------------------------------------------------------------------------------- */
static void found_page_errors(void)
{
	struct page *page = page_alloc(0, GFP_KERNEL);

	page->mapcount = 1;
	CHECK(PANICS(page_put(page)));
	page->mapcount = 0;
	page->refs = 1;
	page_put(page);
	page->refs = 1;
	CHECK(PANICS(page_put(page))); /* twice */
	page->refs = 0;
	*(u8 *)page_kmap(page) = 1; /* after it was freed */
	CHECK(PANICS(page_alloc(0, GFP_KERNEL)));
}

static void found_slab_errors(void)
{
	static struct slab_cache one, two;
	u8 *p;

	slab_cache_init(&one, "one", 64);
	slab_cache_init(&two, "two", 64);
	p = slab_alloc(&one, GFP_KERNEL);
	CHECK(PANICS(slab_free(&two, p)));
	CHECK(PANICS(slab_free(&one, p + 8)));
	slab_free(&one, p);
	p[20] = 1;
	CHECK(PANICS(slab_alloc(&one, GFP_KERNEL)));
	p = slab_alloc(&one, GFP_KERNEL);
	slab_free(&one, p);
	CHECK(PANICS(slab_free(&one, p)));
}

int main(void)
{
	RUN(set_up);
	RUN(page_storm);
	RUN(exhaust);
	RUN(reclaims);
	RUN(slabs);
	RUN(kmallocs);
	RUN(drained);
	RUN(reserves);
	RUN(cpus_storm);
	RUN(found_page_errors);
	RUN(found_slab_errors);
	return test_end();
}

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0"; /* the_ram stays */
}
