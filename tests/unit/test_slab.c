/*
 * test_slab.c - mm/phys/slab.c: objects of one size, cut from blocks of pages, with a list of free ones on each CPU.
 *
 * machine: amd64
 * tsan: amd64
 */
#include "tests/unit/slab_test.h"

#include "mm/phys/phys.h"

#define BATCH 16
#define MANY 400

static struct slab_cache cache;
static void *objects[MANY];

static bool listed(const struct slab_cache *wanted)
{
	for (struct slab_cache *c = slab_cache_next(NULL); c; c = slab_cache_next(c))
		if (c == wanted)
			return true;
	return false;
}

/* -- caches --------------------------------------------------------------------------------------------------------------- */

/* Eight objects and more to a slab, while a slab of eight pages can do that; aligned as a type of that size can be. */
static void geometry(void *arg)
{
	static const size_t sizes[] = {1, 8, 9, 40, 64, 104, 192, 511, 1360, 2048, 4096, 5000, 30000, PAGE_SIZE << 3};
	static struct slab_cache caches[ARRAY_SIZE(sizes)];

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct slab_cache *c = &caches[i];
		size_t slab, alignment = sizes[i] & -sizes[i];
		void *object;

		if (sizes[i] == PAGE_SIZE << 3 && DEBUG)
			continue; /* no room for the guard */
		slab_cache_init(c, "geometry", sizes[i]);
		slab = PAGE_SIZE << c->order;
		CHECK(c->size >= sizes[i] && c->size % 8 == 0 && c->stride >= c->size + SLAB_ZONE_SIZE);
		CHECK(c->per_slab == slab / c->stride && c->order <= 3 && (c->per_slab >= 8 || c->order == 3));
		CHECK(listed(c) && slab_cache_in_use(c) == 0);
		object = slab_alloc(c, GFP_KERNEL);
		CHECK((vaddr_t)object % min(max(alignment, (size_t)8), (size_t)64) == 0 || alignment < 8);
		slab_free(c, object);
	}
}

static void too_large(void *arg)
{
	slab_cache_init(&cache, "too large", 9 * PAGE_SIZE);
}

/* -- objects --------------------------------------------------------------------------------------------------------------- */

/* Each is somebody's own, every byte of it. */
static void objects_do_not_overlap(void *arg)
{
	slab_cache_init(&cache, "own", 104);
	for (unsigned i = 0; i < MANY; i++) {
		objects[i] = slab_alloc(&cache, GFP_KERNEL);
		memset(objects[i], (int)i, 104);
	}
	CHECK(slab_cache_in_use(&cache) == MANY);
	for (unsigned i = 0; i < MANY; i++)
		for (unsigned k = 0; k < 104; k++)
			if (((u8 *)objects[i])[k] != (u8)i)
				return sim_fail("object %u, byte %u", i, k);
	for (unsigned i = 0; i < MANY; i++)
		slab_free(&cache, objects[i]);
	slab_settle();
	CHECK(slab_cache_in_use(&cache) == 0);
}

static void zeroed_on_demand(void *arg)
{
	u8 *object;

	slab_cache_init(&cache, "zero", 200);
	for (unsigned i = 0; i < 40; i++) {
		object = slab_alloc(&cache, GFP_KERNEL | GFP_ZERO);
		for (unsigned k = 0; k < 200; k++)
			CHECK(object[k] == 0);
		memset(object, 0xee, 200);
		slab_free(&cache, object);
		slab_settle();
	}
}

/* A CPU takes 16 objects at a time, and gives 16 back when it has more than 32. */
static void cpu_lists(void *arg)
{
	slab_cache_init(&cache, "lists", 64);
	sim_move(2);
	objects[0] = slab_alloc(&cache, GFP_KERNEL);
	CHECK(cache.objects == BATCH && cache.cpu[2].n == BATCH - 1 && slab_cache_in_use(&cache) == 1);
	for (unsigned i = 1; i < 3 * BATCH; i++)
		objects[i] = slab_alloc(&cache, GFP_KERNEL);
	CHECK(cache.objects == 3 * BATCH && cache.cpu[2].n == 0);
	for (unsigned i = 0; i < 2 * BATCH; i++)
		slab_free(&cache, objects[i]);
	slab_settle();
	CHECK(cache.objects == 3 * BATCH && cache.cpu[2].n == 2 * BATCH);
	slab_free(&cache, objects[2 * BATCH]);
	slab_settle();
	CHECK(cache.objects == 2 * BATCH && cache.cpu[2].n == BATCH + 1);
	sim_move(1); /* has none of its own, and does not take theirs */
	objects[2 * BATCH] = slab_alloc(&cache, GFP_KERNEL);
	CHECK(cache.cpu[2].n == BATCH + 1 && cache.cpu[1].n == BATCH - 1);
	for (unsigned i = 2 * BATCH; i < 3 * BATCH; i++)
		slab_free(&cache, objects[i]);
	slab_settle();
}

/* Slabs of which nothing is used go back, but for the last one with room. */
static void empty_slabs_go_back(void *arg)
{
	unsigned long pages = slab_pages, some;

	slab_cache_init(&cache, "empty", 512);
	for (unsigned i = 0; i < MANY; i++)
		objects[i] = slab_alloc(&cache, GFP_KERNEL);
	some = cache.slabs;
	CHECK(some >= MANY / cache.per_slab << cache.order && slab_pages == pages + some);
	for (unsigned i = 0; i < MANY; i++)
		if (i != MANY / 2)
			slab_free(&cache, objects[i]);
	slab_settle();
	slab_drain();
	CHECK(slab_cache_in_use(&cache) == 1 && cache.objects == 1 && cache.slabs <= 2ul << cache.order);
	slab_free(&cache, objects[MANY / 2]);
	slab_settle();
	slab_drain();
	CHECK(cache.objects == 0 && cache.slabs == 1ul << cache.order);
}

/* No frame: no object; the cache is as it was. */
static void allocation_fails(void *arg)
{
	slab_cache_init(&cache, "fails", 64);
	sim_failpoint("page_alloc", 1);
	CHECK(!slab_alloc(&cache, GFP_KERNEL | GFP_NOWARN));
	CHECK(sim_failpoint_end("page_alloc") == 1);
	sim_failpoint("slab_alloc", 1);
	CHECK(!slab_alloc(&cache, GFP_KERNEL));
	CHECK(sim_failpoint_end("slab_alloc") == 1);
	CHECK(cache.objects == 0 && cache.slabs == 0);
	objects[0] = slab_alloc(&cache, GFP_KERNEL);
	CHECK(objects[0] != NULL);
	slab_free(&cache, objects[0]);
}

/* -- all CPUs ------------------------------------------------------------------------------------------------------------------ */
#define SLOTS 24

/* Objects are passed on: freed by another CPU than the one that allocated them. */
static u64 *slots[SLOTS];

static void storm_thread(void *arg)
{
	for (unsigned i = 0; i < 300; i++) {
		u64 *mine = slab_alloc(&cache, GFP_KERNEL), *theirs;

		mine[0] = mine[3] = sim_random();
		theirs = __atomic_exchange_n(&slots[sim_below(SLOTS)], mine, __ATOMIC_SEQ_CST);
		if (theirs) {
			CHECK(theirs[0] == theirs[3]);
			slab_free(&cache, theirs);
		}
	}
}

static void storm(void *arg)
{
	struct sim_thread *threads[4];

	slab_cache_init(&cache, "storm", 40);
	for (unsigned i = 0; i < 4; i++)
		threads[i] = sim_spawn(NULL, (int)i, storm_thread, NULL);
	for (unsigned i = 0; i < 4; i++)
		sim_join(threads[i]);
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i])
			slab_free(&cache, slots[i]);
	slab_settle();
	CHECK(slab_cache_in_use(&cache) == 0);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(geometry);
	CASE(objects_do_not_overlap);
	CASE(zeroed_on_demand);
	CASE_CALM(cpu_lists);
	CASE_CALM(empty_slabs_go_back);
	CASE_CALM(allocation_fails);
	CASE(storm);
	CASE_PANICS(too_large);
	return sim_end();
}
