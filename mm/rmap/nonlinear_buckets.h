/*
 * nonlinear_buckets.h - where a node of the reverse index hangs: buckets by offset, and the crowd of one offset by address.
 *
 * Layer 5a (mm/rmap), for nonlinear_*.c alone; nonlinear_index.c tells the idea.  Lock: object_maps.lock, for writing to change,
 * reading to look.
 */
#ifndef MM_RMAP_NONLINEAR_BUCKETS_H
#define MM_RMAP_NONLINEAR_BUCKETS_H

#include "mm/rmap/rmap.h"

#define BUCKETS_PER_PAGE (PAGE_SIZE / sizeof(struct nonlinear_node *))

/* Spreads offsets over the low bits of the result.  The factor is one with which runs of 2^8 to 2^16 offsets, at strides of
 * powers of two up to 2^16, take at most 1.3 steps each in as many buckets (by the golden ratio: up to 5). */
static inline unsigned long hash(pgoff_t pgoff)
{
	return (unsigned long)((u64)pgoff * 0xa0761d6478bd642full >> 32);
}

static inline struct nonlinear_node **bucket_at(const struct nonlinear_index *idx, unsigned long n)
{
	return &idx->pages[n / BUCKETS_PER_PAGE][n % BUCKETS_PER_PAGE];
}

static inline struct nonlinear_node **bucket_of(const struct nonlinear_index *idx, pgoff_t pgoff)
{
	unsigned long n = hash(pgoff) & idx->mask;

	return bucket_at(idx, n < idx->nr_buckets ? n : n & idx->mask >> 1);
}

/* Where the chain's node of @pgoff hangs, or the chain's end. */
static inline struct nonlinear_node **head_of(const struct nonlinear_index *idx, pgoff_t pgoff)
{
	struct nonlinear_node **at = bucket_of(idx, pgoff);

	while (*at && (*at)->pgoff != pgoff)
		at = &(*at)->link[0];
	return at;
}

static inline bool table_full(const struct nonlinear_index *idx)
{
	return READ_ONCE(idx->nr_buckets) == READ_ONCE(idx->nr_pages) * BUCKETS_PER_PAGE;
}

/* Where the node of @va hangs in the crowd that hangs at @at, or would. */
static inline struct nonlinear_node **crowd_place(struct nonlinear_node **at, vaddr_t va)
{
	for (vaddr_t bits = va >> PAGE_SHIFT; *at && (*at)->va != va; bits >>= 1)
		at = &(*at)->link[bits & 1];
	return at;
}

/* Unlink a leaf of the crowd that hangs at @at. => there is one */
static inline struct nonlinear_node *crowd_take_leaf(struct nonlinear_node **at)
{
	struct nonlinear_node *n;

	while ((n = *at)->link[0] || n->link[1])
		at = &n->link[n->link[0] ? 0 : 1];
	*at = NULL;
	return n;
}

static inline void take_place(struct nonlinear_node *n, const struct nonlinear_node *of)
{
	n->link[0] = of->link[0];
	n->link[1] = of->link[1];
}

/* Unlink the node that hangs at @at; a leaf from below it takes its place. */
static inline struct nonlinear_node *crowd_del(struct nonlinear_node **at)
{
	struct nonlinear_node *n = *at;

	if (!n->link[0] && !n->link[1]) {
		*at = NULL;
	} else {
		*at = crowd_take_leaf(&n->link[n->link[0] ? 0 : 1]);
		take_place(*at, n);
	}
	return n;
}

#endif
