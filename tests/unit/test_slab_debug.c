/*
 * test_slab_debug.c - mm/phys/slab_debug.c, and the checks of slab.c: what debug builds notice about objects.
 *
 * Where the sanitizer watches, it is told to look away first: its own eyes are tried at the end.
 *
 * machine: amd64
 */
#include "tests/unit/slab_test.h"

#define SIZE 64

static struct slab_cache cache;

static u8 *make(void)
{
	slab_cache_init(&cache, "debugged", SIZE);
	return slab_alloc(&cache, GFP_KERNEL);
}

/* Allocate until every free object has been had. */
static void take_all(void)
{
	for (unsigned i = 0; i < 2 * cache.per_slab; i++)
		slab_alloc(&cache, GFP_KERNEL);
}

/* A free object holds nothing of what was in it: a pointer taken from there is conspicuous. */
static void free_objects_are_filled(void *arg)
{
	u8 *object = make();

	memset(object, 0, SIZE);
	CHECK(!slab_debug_filled(&cache, object));
	slab_free(&cache, object);
	slab_bytes(&cache, object);
	for (unsigned i = sizeof(void *); i < SIZE; i++)
		CHECK(object[i] == 0x6b);
	CHECK(slab_debug_filled(&cache, object));
}

/* Behind the object stand a guard and the places in the code that had it and gave it back. */
static void remembers_who(void *arg)
{
	const struct slab_zone *zone;
	void *object;

	make();
	object = slab_alloc_from(&cache, GFP_KERNEL, (void *)0x1234);
	zone = (void *)(slab_bytes(&cache, object) + SIZE);
	CHECK(zone->alloc_ip == 0x1234 && zone->free_ip == 0 && zone->guard);
	slab_free_from(&cache, object, (void *)0x5678);
	slab_bytes(&cache, object);
	CHECK(zone->alloc_ip == 0x1234 && zone->free_ip == 0x5678);
}

/* An address leads to its object, if it is one's. */
static void describes_addresses(void *arg)
{
	u8 *object = make();
	struct page *page = page_alloc(0, GFP_KERNEL);

	CHECK(slab_describe(object) && slab_describe(object + SIZE - 1));
	CHECK(!slab_describe(page_address(page)));
	page_put(page);
	slab_free(&cache, object);
}

/* With the sanitizer, an object rests before it can be had again. */
static void freed_objects_rest(void *arg)
{
	u8 *object = make();
	unsigned long kept = slab_debug_delayed();

	slab_free(&cache, object);
	CHECK(slab_debug_delayed() == (KASAN ? min(kept + 1, RING + 0ul) : 0));
	for (unsigned i = 0; KASAN && i < 100; i++)
		CHECK(slab_alloc(&cache, GFP_KERNEL) != object);
	slab_settle();
	CHECK(slab_debug_delayed() <= RING);
}

static void written_after_free(void *arg)
{
	u8 *object = make();

	slab_free(&cache, object);
	slab_bytes(&cache, object)[SIZE - 1] = 0;
	slab_settle();
	take_all();
}

static void written_behind(void *arg)
{
	u8 *object = make();

	slab_bytes(&cache, object)[SIZE] = 0;
	slab_free(&cache, object);
}

static void written_behind_while_free(void *arg)
{
	u8 *object = make();

	slab_free(&cache, object);
	slab_bytes(&cache, object)[SIZE + 1] = 0;
	slab_settle();
	take_all();
}

static void freed_twice(void *arg)
{
	u8 *object = make();

	slab_free(&cache, object);
	slab_free(&cache, object);
}

/* The object has gone back to its slab, and nobody has it. */
static void freed_twice_late(void *arg)
{
	u8 *object = make();

	slab_free(&cache, object);
	slab_settle();
	slab_drain();
	slab_free(&cache, object);
}

static void freed_elsewhere(void *arg)
{
	static struct slab_cache other;
	u8 *object = make();

	slab_cache_init(&other, "other", SIZE);
	slab_free(&other, object);
}

static void freed_in_the_middle(void *arg)
{
	slab_free(&cache, make() + 8);
}

static void freed_page(void *arg)
{
	make();
	slab_free(&cache, page_address(page_alloc(0, GFP_KERNEL)));
}

/* -- the sanitizer's own eyes --------------------------------------------------------------------------------------------- */
static void read_after_free(void *arg)
{
	volatile u8 *object = make();

	slab_free(&cache, (u8 *)object);
	(void)object[10];
}

static void read_behind(void *arg)
{
	volatile u8 *object = make();

	(void)object[SIZE];
}

static void sanitizer(const char *name, void (*fn)(void *))
{
	if (sim_sees_addresses())
		sim_case_ends(name, &(struct sim_config){.mute = true}, fn, SIM_SANITIZER);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(free_objects_are_filled);
	CASE_WITH(&(struct sim_config){.no_audit = true}, remembers_who);
	CASE(describes_addresses);
	CASE_WITH(&(struct sim_config){.no_audit = true}, freed_objects_rest);
	CASE_PANICS(written_after_free);
	CASE_PANICS(written_behind);
	CASE_PANICS(written_behind_while_free);
	CASE_PANICS(freed_twice);
	CASE_PANICS(freed_twice_late);
	CASE_PANICS(freed_elsewhere);
	CASE_PANICS(freed_in_the_middle);
	CASE_PANICS(freed_page);
	sanitizer("read_after_free", read_after_free);
	sanitizer("read_behind", read_behind);
	return sim_end();
}
