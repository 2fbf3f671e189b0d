/*
 * test_kmalloc.c - mm/phys/kmalloc.c: memory by size.
 *
 * machine: amd64
 */
#include "tests/unit/slab_test.h"

#define SMALL_MAX 2048

static bool all(const u8 *p, size_t n, u8 value)
{
	while (n--)
		if (*p++ != value)
			return false;
	return true;
}

static struct slab_cache *cache_of(void *p)
{
	struct page *page = virt_to_page(p);

	return page_test(page, PG_SLAB) ? (struct slab_cache *)page->private : NULL;
}

/* Every size gets a class that holds it, and never one of more than twice the size (16 is the least). */
static void classes_fit(void *arg)
{
	for (size_t n = 0; n <= SMALL_MAX; n++) {
		u8 *p = kmalloc(n, GFP_KERNEL);

		CHECK(p && cache_of(p)->size >= n && cache_of(p)->size <= max(2 * n, (size_t)16));
		CHECK((vaddr_t)p % 16 == 0);
		memset(p, 0xab, n);
		kfree(p);
	}
}

/* Beyond, whole pages, as many as a power of two says. */
static void large_ones_are_pages(void *arg)
{
	static const size_t sizes[] = {SMALL_MAX + 1, PAGE_SIZE, PAGE_SIZE + 1, 5 * PAGE_SIZE, 100000};
	unsigned long free;

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		unsigned order = 0;
		u8 *p;

		while (PAGE_SIZE << order < sizes[i])
			order++;
		free = sim_free_pages();
		p = kmalloc(sizes[i], GFP_KERNEL);
		CHECK(p && !cache_of(p) && (vaddr_t)p % PAGE_SIZE == 0);
		CHECK(free - sim_free_pages() == 1ul << order && virt_to_page(p)->private == order);
		memset(p, 0xcd, sizes[i]);
		kfree(p);
		CHECK(sim_free_pages() == free);
	}
	CHECK(!kmalloc((PAGE_SIZE << PAGE_MAX_ORDER) + 1, GFP_KERNEL));
}

static void zeroed(void *arg)
{
	for (unsigned round = 0; round < 3; round++)
		for (size_t n = 1; n < 20000; n += 311) {
			u8 *p = kzalloc(n, GFP_KERNEL);

			CHECK(all(p, n, 0));
			memset(p, 0xff, n);
			kfree(p);
		}
}

static void strings(void *arg)
{
	char *copy = kstrdup("pages", GFP_KERNEL), *part = kstrndup("pages", 3, GFP_KERNEL),
		 *whole = kstrndup("pages", 100, GFP_KERNEL), *none = kstrdup("", GFP_KERNEL);

	CHECK(!strcmp(copy, "pages") && !strcmp(part, "pag") && !strcmp(whole, "pages") && !strcmp(none, ""));
	kfree(copy);
	kfree(part);
	kfree(whole);
	kfree(none);
}

static void failures(void *arg)
{
	kfree(NULL);
	sim_failpoint("slab_alloc", 1);
	CHECK(!kstrdup("pages", GFP_KERNEL));
	sim_failpoint("slab_alloc", 1);
	CHECK(!kzalloc(100, GFP_KERNEL));
	sim_failpoint_end("slab_alloc");
	sim_failpoint("page_alloc", 1);
	CHECK(!kmalloc(3 * PAGE_SIZE, GFP_KERNEL));
	CHECK(sim_failpoint_end("page_alloc") == 1);
}

static void freed_in_the_middle(void *arg)
{
	kfree((u8 *)kmalloc(100, GFP_KERNEL) + 16);
}

static void large_freed_in_the_middle(void *arg)
{
	kfree((u8 *)kmalloc(3 * PAGE_SIZE, GFP_KERNEL) + 16);
}

static void large_freed_twice(void *arg)
{
	void *p = kmalloc(2 * PAGE_SIZE, GFP_KERNEL);

	kfree(p);
	kfree(p);
}

/* The sanitizer knows the size that was asked for, not only that of the class. */
static void read_behind(void *arg)
{
	volatile u8 *p = kmalloc(100, GFP_KERNEL);

	(void)p[100];
}

static void large_read_behind(void *arg)
{
	volatile u8 *p = kmalloc(PAGE_SIZE + 100, GFP_KERNEL);

	(void)p[PAGE_SIZE + 100];
}

static void sanitizer(const char *name, void (*fn)(void *))
{
	if (sim_sees_addresses())
		sim_case_ends(name, &(struct sim_config){.mute = true}, fn, SIM_SANITIZER);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(classes_fit);
	CASE_CALM(large_ones_are_pages);
	CASE(zeroed);
	CASE(strings);
	CASE_CALM(failures);
	CASE_PANICS(freed_in_the_middle);
	CASE_PANICS(large_freed_in_the_middle);
	CASE_PANICS(large_freed_twice);
	sanitizer("read_behind", read_behind);
	sanitizer("large_read_behind", large_read_behind);
	return sim_end();
}
