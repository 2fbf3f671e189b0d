/*
 * slab_debug.h - what debug builds keep about a slab object, and check.  Layer 3, private to mm/phys.
 */
#ifndef MM_PHYS_SLAB_DEBUG_H
#define MM_PHYS_SLAB_DEBUG_H

#include "mm/phys/slab.h"

/* Behind every object. */
struct slab_zone {
	u64 guard;
	u32 alloc_ip, free_ip; /* who did it last, without the upper half that all code shares; 0: nobody */
};
#define SLAB_ZONE_SIZE (DEBUG ? sizeof(struct slab_zone) : 0)

/* @object of a new slab, free. */
void slab_debug_new(const struct slab_cache *cache, void *object);
/* It is handed out: die if it, or what lies behind it, was written meanwhile. */
void slab_debug_alloc(const struct slab_cache *cache, void *object, const void *ip);
/* It comes back: die if what lies behind it was written; fill it. */
void slab_debug_free(const struct slab_cache *cache, void *object, const void *ip);
/* Does it look like one that is free? */
bool slab_debug_filled(const struct slab_cache *cache, const void *object);
/* KASAN builds: keep @object out of use for a while. The object whose time is over, or NULL. */
void *slab_debug_delay(void *object);
unsigned long slab_debug_delayed(void); /* how many are kept, of all caches: they count as in use */

#endif
