/*
 * radix.h - a sparse array: unsigned long -> non-NULL pointer, with two marks per entry.  Layer 0.
 *
 * 64-way nodes; the height grows with the largest index.  Callers serialise (page cache: pages_lock).
 * Node memory comes through hooks, which mm/phys sets.  An insertion under a spinlock is preceded by
 * radix_preload() outside of it: then this CPU has nodes at hand, and the insertion normally cannot fail.
 * -ENOMEM remains possible when memory is out and another CPU has taken them back in between.
 */
#ifndef KERNEL_LIB_RADIX_H
#define KERNEL_LIB_RADIX_H

#include "kernel/lib/bitops.h"
#include "kernel/lib/types.h"

#define RADIX_BITS 6
#define RADIX_SLOTS (1u << RADIX_BITS)
#define RADIX_MARKS 2

#define RADIX_MARK_LONGS BITMAP_LONGS(RADIX_SLOTS)

/* radix.c's own; here for the sake of radix_lookup(). */
struct radix_node {
	void *slot[RADIX_SLOTS];
	unsigned long marks[RADIX_MARKS][RADIX_MARK_LONGS];
	unsigned used; /* slots that are not NULL */
};

struct radix_tree {
	struct radix_node *root;
	unsigned height; /* levels of nodes; 0: empty */
};

#define RADIX_TREE_INIT \
	{                   \
		NULL, 0         \
	}

extern void *(*radix_node_alloc)(void);
extern void (*radix_node_free)(void *node);
extern int (*radix_node_reserve)(unsigned n); /* this CPU's next @n allocations need no memory: 0 or -ENOMEM */
extern const size_t radix_node_size;

static inline void radix_init(struct radix_tree *t)
{
	t->root = NULL;
	t->height = 0;
}

static inline bool radix_empty(const struct radix_tree *t)
{
	return !t->root;
}

/* 0 or -ENOMEM. => no lock held, may sleep; the insertion follows on the same CPU, that is without sleeping */
int radix_preload(void);

static inline void *radix_child(const void *node, unsigned long index, unsigned level)
{
	return ((const struct radix_node *)node)->slot[index >> level * RADIX_BITS & (RADIX_SLOTS - 1)];
}
void *radix_lookup_high(const struct radix_tree *t, unsigned long index); /* a tree of any height */

static inline void *radix_below(const void *node, unsigned long index, unsigned level)
{
	return node ? radix_child(node, index, level) : NULL;
}
static inline void *radix_lookup_2(const void *root, unsigned long index)
{
	return radix_below(radix_below(root, index, 1), index, 0);
}
static inline void *radix_lookup_3(const void *root, unsigned long index)
{
	return radix_lookup_2(radix_below(root, index, 2), index);
}

/* The hottest of all: every fault and every remap asks the page cache.  With the heights of usual files (up to 16 million
 * pages) written out, the shifts are constants. */
static inline __attribute__((always_inline)) void *radix_lookup(const struct radix_tree *t, unsigned long index)
{
	switch (t->height) {
	case 1:
		return index >> RADIX_BITS ? NULL : radix_below(t->root, index, 0);
	case 2:
		return index >> 2 * RADIX_BITS ? NULL : radix_lookup_2(t->root, index);
	case 3:
		return index >> 3 * RADIX_BITS ? NULL : radix_lookup_3(t->root, index);
	case 4:
		return index >> 4 * RADIX_BITS ? NULL : radix_lookup_3(radix_below(t->root, index, 3), index);
	default:
		return radix_lookup_high(t, index);
	}
}
int radix_insert(struct radix_tree *t, unsigned long index, void *p); /* 0, -EEXIST, -ENOMEM; no marks */
void *radix_remove(struct radix_tree *t, unsigned long index);        /* the old entry or NULL; drops its marks */
/* Exchange an existing entry for @p, marks kept; returns the old one, or NULL (and nothing is done). */
void *radix_replace(struct radix_tree *t, unsigned long index, void *p);

/* True if that changed something.  On an absent entry: marking does nothing, a question is answered false. */
bool radix_mark(struct radix_tree *t, unsigned long index, unsigned mark);
bool radix_unmark(struct radix_tree *t, unsigned long index, unsigned mark);
bool radix_marked(const struct radix_tree *t, unsigned long index, unsigned mark);
bool radix_any_marked(const struct radix_tree *t, unsigned mark);

/* The first entry at or after *@index; sets *@index. NULL: none. */
void *radix_next(const struct radix_tree *t, unsigned long *index);
void *radix_next_marked(const struct radix_tree *t, unsigned long *index, unsigned mark);

#endif
