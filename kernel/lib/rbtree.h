/*
 * rbtree.h - red-black trees, intrusive.  Layer 0.
 *
 * The caller descends and compares; the library balances:
 *
 *	struct rb_node **link = &root->node, *parent = NULL;
 *	while (*link) {
 *		parent = *link;
 *		link = key < entry(parent)->key ? &parent->left : &parent->right;
 *	}
 *	rb_link_node(&new->rb, parent, link);
 *	rb_insert_color(&new->rb, root);
 *
 * An augmented tree keeps in every node something computed from the node and its two children; the
 * *_augmented functions call @update on a node whenever a child of it changed, children before parents.
 */
#ifndef KERNEL_LIB_RBTREE_H
#define KERNEL_LIB_RBTREE_H

#include "kernel/lib/types.h"

struct rb_node {
	unsigned long parent_color; /* parent's address | 1 if black */
	struct rb_node *left, *right;
};

struct rb_root {
	struct rb_node *node;
};

#define RB_ROOT ((struct rb_root){NULL})
#define rb_entry(ptr, type, member) container_of(ptr, type, member)
#define rb_entry_safe(ptr, type, member)          \
	({                                            \
		struct rb_node *rb_ = (ptr);              \
		rb_ ? rb_entry(rb_, type, member) : NULL; \
	})

static inline struct rb_node *rb_parent(const struct rb_node *n)
{
	return (struct rb_node *)(n->parent_color & ~3UL);
}

static inline bool rb_empty(const struct rb_root *root)
{
	return !root->node;
}

/* Hang @node into the empty place @link below @parent. Follow with rb_insert_color(). */
static inline void rb_link_node(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	node->parent_color = (unsigned long)parent; /* red */
	node->left = NULL;
	node->right = NULL;
	*link = node;
}

typedef bool rb_update_fn(struct rb_node *node); /* did it change what @node keeps? */

void rb_insert_color(struct rb_node *node, struct rb_root *root);
void rb_erase(struct rb_node *node, struct rb_root *root);
void rb_insert_color_augmented(struct rb_node *node, struct rb_root *root, rb_update_fn *update);
void rb_erase_augmented(struct rb_node *node, struct rb_root *root, rb_update_fn *update);

/* Put @new exactly where @old is (same key, same colour). Not for augmented trees without an update. */
void rb_replace(struct rb_node *old, struct rb_node *new, struct rb_root *root);

struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#endif
