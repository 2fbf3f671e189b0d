/*
 * radix.h - a sparse array: unsigned long -> non-NULL pointer, with two marks per entry.  Layer 0.
 *
 * 64-way nodes; the height grows with the largest index.  Callers serialise (page cache: pages_lock).
 * Node memory comes through two hooks, which mm/phys sets.  An insertion under a spinlock is preceded by
 * radix_preload() outside of it, which fills a small pool so that the insertion normally cannot fail;
 * -ENOMEM remains possible when many insert at once with no memory left.
 */
#ifndef KERNEL_LIB_RADIX_H
#define KERNEL_LIB_RADIX_H

#include "kernel/lib/types.h"

#define RADIX_BITS 6
#define RADIX_SLOTS (1u << RADIX_BITS)
#define RADIX_MARKS 2

struct radix_node;

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

/* 0 or -ENOMEM. => no lock held; sleeps as the allocation hook does */
int radix_preload(void);

void *radix_lookup(const struct radix_tree *t, unsigned long index);
int radix_insert(struct radix_tree *t, unsigned long index, void *p); /* 0, -EEXIST, -ENOMEM; no marks */
void *radix_remove(struct radix_tree *t, unsigned long index);        /* the old entry or NULL; drops its marks */
/* Exchange an existing entry for @p, marks kept; returns the old one, or NULL (and nothing is done). */
void *radix_replace(struct radix_tree *t, unsigned long index, void *p);

/* On an absent entry: marking does nothing, a question is answered false. */
void radix_mark(struct radix_tree *t, unsigned long index, unsigned mark);
void radix_unmark(struct radix_tree *t, unsigned long index, unsigned mark);
bool radix_marked(const struct radix_tree *t, unsigned long index, unsigned mark);
bool radix_any_marked(const struct radix_tree *t, unsigned mark);

/* The first entry at or after *@index; sets *@index. NULL: none. */
void *radix_next(const struct radix_tree *t, unsigned long *index);
void *radix_next_marked(const struct radix_tree *t, unsigned long *index, unsigned mark);

#endif
