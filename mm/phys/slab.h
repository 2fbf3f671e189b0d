/*
 * slab.h - memory for kernel objects.  Layer 3.
 */
#ifndef MM_PHYS_SLAB_H
#define MM_PHYS_SLAB_H

#include "mm/phys/page.h"

/* Free objects kept for one CPU, linked through their first words. => interrupts off */
struct slab_cpu {
	void *free;
	unsigned n;
};

/* Objects of one size.  Debug builds guard and fill them: slab_debug.c. */
struct slab_cache {
	const char *name;
	size_t size;         /* of one object, rounded up to its alignment */
	size_t stride;       /* from one object to the next */
	struct list partial; /* slabs with room */
	struct list full;
	spinlock_t lock;         /* LOCK_SLAB, irqsave: the slabs; not the CPUs' own lists */
	unsigned order;          /* pages of a slab */
	unsigned per_slab;       /* objects in one */
	unsigned long objects;   /* taken out of slabs: in use or on a CPU's list; see slab_cache_in_use() */
	unsigned long slabs;     /* pages held */
	struct slab_cache *next; /* all caches, for /proc/slabinfo */
	struct slab_cpu cpu[MAX_CPUS];
};

/* @size: 1 byte .. 8 pages. Objects are aligned as their type is (a type's size is a multiple of that). */
void slab_cache_init(struct slab_cache *cache, const char *name, size_t size);
/* NULL when out of memory. => may sleep unless GFP_ATOMIC. Content undefined unless GFP_ZERO. */
void *slab_alloc(struct slab_cache *cache, enum gfp gfp);
void slab_free(struct slab_cache *cache, void *object);
/* This CPU keeps at least @n free objects, so that as many allocations need no memory: 0 or -ENOMEM.
 * => may sleep unless GFP_ATOMIC; holds until the caller sleeps, or memory is out and all CPUs must give back theirs */
int slab_reserve(struct slab_cache *cache, unsigned n, enum gfp gfp);
/* slab_alloc() and slab_free(), remembering (debug builds) @ip as the place in the code that did it. */
void *slab_alloc_from(struct slab_cache *cache, enum gfp gfp, const void *ip);
void slab_free_from(struct slab_cache *cache, void *object, const void *ip);

/* By size: up to 8 pages' worth; larger ones come as whole pages (physically contiguous). */
void *kmalloc(size_t size, enum gfp gfp);
void *kzalloc(size_t size, enum gfp gfp);
void kfree(void *p); /* NULL is fine */
char *kstrdup(const char *s, enum gfp gfp);
char *kstrndup(const char *s, size_t n, enum gfp gfp);

/* Iterates over all caches; NULL starts. */
struct slab_cache *slab_cache_next(struct slab_cache *cache);
unsigned long slab_cache_in_use(struct slab_cache *cache); /* objects; approximate while others allocate */
extern unsigned long slab_pages;                           /* of all caches; atomic */

/* Debug builds: print which object is at @address, a direct-mapped one; false: none. => any context */
bool slab_describe(const void *address);

void slab_init(void);    /* from phys_init() */
void kmalloc_init(void); /* from slab_init() */

#endif
