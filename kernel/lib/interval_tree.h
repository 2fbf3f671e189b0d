/*
 * interval_tree.h - a set of closed intervals [first, last], asked "which overlap this one?".  Layer 0.
 *
 * A red-black tree by `first` in which every node also knows the largest `last` below it.  Equal
 * intervals may occur any number of times.  Insert and remove O(log n), a query O(log n + hits).
 */
#ifndef KERNEL_LIB_INTERVAL_TREE_H
#define KERNEL_LIB_INTERVAL_TREE_H

#include "kernel/lib/rbtree.h"

struct itree_node {
	struct rb_node rb;
	unsigned long first, last; /* set by the owner before insertion; constant while in the tree */
	unsigned long subtree_last;
};

struct itree_root {
	struct rb_root rb;
};

#define ITREE_ROOT ((struct itree_root){{NULL}})

static inline bool itree_empty(const struct itree_root *root)
{
	return !root->rb.node;
}

void itree_insert(struct itree_root *root, struct itree_node *node);
void itree_remove(struct itree_root *root, struct itree_node *node);

/* The overlapping nodes in order of `first`; NULL: no (more). */
struct itree_node *itree_first(const struct itree_root *root, unsigned long first, unsigned long last);
struct itree_node *itree_next(struct itree_node *node, unsigned long first, unsigned long last);

#define itree_for_each(pos, root, first_, last_) \
	for ((pos) = itree_first(root, first_, last_); (pos); (pos) = itree_next(pos, first_, last_))

#endif
