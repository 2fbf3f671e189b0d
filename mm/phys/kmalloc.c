/*
 * kmalloc.c - memory by size: a slab cache per size class, whole pages beyond.  Layer 3.
 *
 * A large allocation's first page has its order in `private`.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/bitops.h"
#include "kernel/lib/kasan.h"
#include "kernel/lib/string.h"
#include "mm/phys/slab.h"

#define STEP 16
#define SMALL_MAX 2048

static const struct {
	size_t size;
	const char *name;
} classes[] = {
	{16, "kmalloc-16"},   {32, "kmalloc-32"},     {48, "kmalloc-48"},     {64, "kmalloc-64"},     {96, "kmalloc-96"},
	{128, "kmalloc-128"}, {192, "kmalloc-192"},   {256, "kmalloc-256"},   {384, "kmalloc-384"},   {512, "kmalloc-512"},
	{768, "kmalloc-768"}, {1024, "kmalloc-1024"}, {1360, "kmalloc-1360"}, {2048, "kmalloc-2048"},
};

static struct slab_cache caches[ARRAY_SIZE(classes)];
static u8 class_of[SMALL_MAX / STEP + 1]; /* by size / STEP, rounded up */

void kmalloc_init(void)
{
	unsigned c = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(classes); i++)
		slab_cache_init(&caches[i], classes[i].name, classes[i].size);
	for (unsigned i = 0; i < ARRAY_SIZE(class_of); i++) {
		if (i * STEP > classes[c].size)
			c++;
		class_of[i] = (u8)c;
	}
}

static unsigned order_of(size_t size)
{
	return log2_ceil(DIV_ROUND_UP(size, PAGE_SIZE));
}

static void *large_alloc(size_t size, enum gfp gfp)
{
	struct page *page;

	if (size > PAGE_SIZE << PAGE_MAX_ORDER)
		return NULL;
	page = page_alloc(order_of(size), gfp & ~GFP_HIGH);
	if (!page)
		return NULL;
	page->private = order_of(size);
	kasan_poison(page_address(page), PAGE_SIZE << order_of(size), KASAN_PAGE_REDZONE);
	kasan_unpoison(page_address(page), size);
	return page_address(page);
}

static inline void *alloc(size_t size, enum gfp gfp, const void *ip)
{
	struct slab_cache *cache;
	void *p;

	if (unlikely(size > SMALL_MAX))
		return large_alloc(size, gfp);
	cache = &caches[class_of[DIV_ROUND_UP(size, STEP)]];
	p = slab_alloc_from(cache, gfp, ip);
	if (KASAN && p) {
		kasan_poison(p, cache->size, KASAN_SLAB_REDZONE);
		kasan_unpoison(p, max(size, (size_t)1)); /* kfree() asks for the first byte */
	}
	return p;
}

void *kmalloc(size_t size, enum gfp gfp)
{
	return alloc(size, gfp, __builtin_return_address(0));
}

void *kzalloc(size_t size, enum gfp gfp)
{
	return alloc(size, gfp | GFP_ZERO, __builtin_return_address(0));
}

void kfree(void *p)
{
	struct page *page;

	if (!p)
		return;
	page = virt_to_page(p);
	if (page_test(page, PG_SLAB)) {
		slab_free_from((struct slab_cache *)page->private, p, __builtin_return_address(0));
		return;
	}
	ASSERT(page->refs == 1 && page_address(page) == p);
	page_free(page, (unsigned)page->private);
}

char *kstrndup(const char *s, size_t n, enum gfp gfp)
{
	size_t len = strnlen(s, n);
	char *copy = kmalloc(len + 1, gfp);

	if (!copy)
		return NULL;
	memcpy(copy, s, len);
	copy[len] = '\0';
	return copy;
}

char *kstrdup(const char *s, enum gfp gfp)
{
	return kstrndup(s, strlen(s), gfp);
}
