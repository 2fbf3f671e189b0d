/*
 * slab_test.h - tests of slabs and the ring in which the sanitizer's builds keep freed objects for a while.
 */
#ifndef TESTS_UNIT_SLAB_TEST_H
#define TESTS_UNIT_SLAB_TEST_H

#include "kernel/lib/kasan.h"
#include "mm/phys/phys.h"
#include "mm/phys/slab.h"
#include "mm/phys/slab_debug.h"
#include "tests/unit/sim_space.h"

#define RING 1024

/* Everything that was freed before is really free now: others have taken its place in the ring. */
static __unused void slab_settle(void)
{
	static void *objects[RING];

	for (unsigned i = 0; KASAN && i < RING; i++)
		objects[i] = kmalloc(16, GFP_KERNEL);
	for (unsigned i = 0; KASAN && i < RING; i++)
		kfree(objects[i]);
}

/* A look at what must not be looked at. */
static __unused u8 *slab_bytes(const struct slab_cache *cache, void *object)
{
	kasan_unpoison(object, cache->stride);
	return object;
}

#endif
