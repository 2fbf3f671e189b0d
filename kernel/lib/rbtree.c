/*
 * rbtree.c - red-black trees.  Layer 0.
 *
 * Rules: the root is black; a red node has black children; every path from a node down to an empty place
 * passes the same number of black nodes.  One balancing core serves plain trees (update == NULL, and the
 * compiler removes the calls) and augmented ones.
 */
#include "kernel/lib/rbtree.h"

#define RED 0UL
#define BLACK 1UL
#define CORE static inline __attribute__((always_inline))

CORE bool is_black(const struct rb_node *n)
{
	return !n || (n->parent_color & BLACK);
}

CORE bool is_red(const struct rb_node *n)
{
	return n && !(n->parent_color & BLACK);
}

CORE unsigned long color_of(const struct rb_node *n)
{
	return n->parent_color & BLACK;
}

CORE void set_parent(struct rb_node *n, struct rb_node *parent)
{
	n->parent_color = (unsigned long)parent | color_of(n);
}

CORE void set_color(struct rb_node *n, unsigned long color)
{
	n->parent_color = (n->parent_color & ~BLACK) | color;
}

/* Let @parent (or the root) point to @new where it pointed to @old. */
CORE void change_child(struct rb_root *root, struct rb_node *parent, struct rb_node *old, struct rb_node *new)
{
	if (!parent)
		root->node = new;
	else if (parent->left == old)
		parent->left = new;
	else
		parent->right = new;
}

/*
 *     n                r
 *    / \              / \
 *   a   r     ->     n   c        rotate_left(n); rotate_right is its mirror image
 *      / \          / \
 *     b   c        a   b
 */
CORE void rotate_left(struct rb_root *root, struct rb_node *n, rb_update_fn *update)
{
	struct rb_node *r = n->right, *parent = rb_parent(n);

	n->right = r->left;
	if (r->left)
		set_parent(r->left, n);
	r->left = n;
	set_parent(r, parent);
	change_child(root, parent, n, r);
	set_parent(n, r);
	if (update) {
		update(n);
		update(r);
	}
}

CORE void rotate_right(struct rb_root *root, struct rb_node *n, rb_update_fn *update)
{
	struct rb_node *l = n->left, *parent = rb_parent(n);

	n->left = l->right;
	if (l->right)
		set_parent(l->right, n);
	l->right = n;
	set_parent(l, parent);
	change_child(root, parent, n, l);
	set_parent(n, l);
	if (update) {
		update(n);
		update(l);
	}
}

/* @n is red; its parent may be red too. */
CORE void insert_fixup(struct rb_node *n, struct rb_root *root, rb_update_fn *update)
{
	struct rb_node *parent, *grand, *uncle;

	while (is_red(parent = rb_parent(n))) {
		grand = rb_parent(parent); /* exists: a red node is not the root */
		uncle = parent == grand->left ? grand->right : grand->left;
		if (is_red(uncle)) { /* 1: recolour, go on two levels up */
			set_color(parent, BLACK);
			set_color(uncle, BLACK);
			set_color(grand, RED);
			n = grand;
			continue;
		}
		if (parent == grand->left) {
			if (n == parent->right) { /* 2: inner grandchild: make it an outer one */
				rotate_left(root, parent, update);
				parent = n;
			}
			set_color(parent, BLACK); /* 3: outer grandchild */
			set_color(grand, RED);
			rotate_right(root, grand, update);
		} else {
			if (n == parent->left) {
				rotate_right(root, parent, update);
				parent = n;
			}
			set_color(parent, BLACK);
			set_color(grand, RED);
			rotate_left(root, grand, update);
		}
		break;
	}
	set_color(root->node, BLACK);
}

/* The place @n (maybe empty) below @parent lacks one black. */
CORE void erase_fixup(struct rb_node *n, struct rb_node *parent, struct rb_root *root, rb_update_fn *update)
{
	struct rb_node *s; /* sibling: exists, because the other side has a black more */

	while (n != root->node && is_black(n)) {
		if (n == parent->left) {
			s = parent->right;
			if (is_red(s)) { /* 1: make the sibling black */
				set_color(s, BLACK);
				set_color(parent, RED);
				rotate_left(root, parent, update);
				s = parent->right;
			}
			if (is_black(s->left) && is_black(s->right)) { /* 2: take a black from both sides */
				set_color(s, RED);
				n = parent;
				parent = rb_parent(n);
				continue;
			}
			if (is_black(s->right)) { /* 3: the near nephew is red: make it the far one */
				set_color(s->left, BLACK);
				set_color(s, RED);
				rotate_right(root, s, update);
				s = parent->right;
			}
			set_color(s, color_of(parent)); /* 4: the far nephew is red */
			set_color(parent, BLACK);
			set_color(s->right, BLACK);
			rotate_left(root, parent, update);
		} else {
			s = parent->left;
			if (is_red(s)) {
				set_color(s, BLACK);
				set_color(parent, RED);
				rotate_right(root, parent, update);
				s = parent->left;
			}
			if (is_black(s->left) && is_black(s->right)) {
				set_color(s, RED);
				n = parent;
				parent = rb_parent(n);
				continue;
			}
			if (is_black(s->left)) {
				set_color(s->right, BLACK);
				set_color(s, RED);
				rotate_left(root, s, update);
				s = parent->left;
			}
			set_color(s, color_of(parent));
			set_color(parent, BLACK);
			set_color(s->left, BLACK);
			rotate_right(root, parent, update);
		}
		n = root->node;
		break;
	}
	if (n)
		set_color(n, BLACK);
}

/* What @n and those above it keep is computed anew, up to the first above @sure for which that changes nothing: what is
 * above it cannot change either. NULL: @n itself may be that one. */
CORE void update_upwards(struct rb_node *n, struct rb_node *sure, rb_update_fn *update)
{
	for (; n; n = rb_parent(n)) {
		bool changed = update(n);

		if (n == sure)
			sure = NULL;
		else if (!sure && !changed)
			break;
	}
}

CORE void erase(struct rb_node *node, struct rb_root *root, rb_update_fn *update)
{
	struct rb_node *child, *parent; /* child: what fills the hole below parent */
	struct rb_node *moved = NULL;   /* what it keeps was computed for another place */
	unsigned long color;            /* that the hole's former owner took along */

	if (!node->left || !node->right) {
		child = node->left ? node->left : node->right;
		parent = rb_parent(node);
		color = color_of(node);
		if (child)
			set_parent(child, parent);
		change_child(root, parent, node, child);
	} else { /* the successor, which has no left child, takes the node's place */
		struct rb_node *next = node->right;

		while (next->left)
			next = next->left;
		child = next->right;
		color = color_of(next);
		parent = rb_parent(next);
		if (parent == node) {
			parent = next;
		} else {
			parent->left = child;
			if (child)
				set_parent(child, parent);
			next->right = node->right;
			set_parent(next->right, next);
		}
		next->left = node->left;
		set_parent(next->left, next);
		change_child(root, rb_parent(node), node, next);
		next->parent_color = node->parent_color;
		moved = next;
	}
	if (update)
		update_upwards(parent, moved, update);
	if (color == BLACK)
		erase_fixup(child, parent, root, update);
}

void rb_insert_color(struct rb_node *node, struct rb_root *root)
{
	insert_fixup(node, root, NULL);
}

void rb_erase(struct rb_node *node, struct rb_root *root)
{
	erase(node, root, NULL);
}

void rb_insert_color_augmented(struct rb_node *node, struct rb_root *root, rb_update_fn *update)
{
	update_upwards(node, node, update);
	insert_fixup(node, root, update);
}

void rb_erase_augmented(struct rb_node *node, struct rb_root *root, rb_update_fn *update)
{
	erase(node, root, update);
}

void rb_replace(struct rb_node *old, struct rb_node *new, struct rb_root *root)
{
	*new = *old;
	if (new->left)
		set_parent(new->left, new);
	if (new->right)
		set_parent(new->right, new);
	change_child(root, rb_parent(old), old, new);
}

struct rb_node *rb_first(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->left)
		n = n->left;
	return n;
}

struct rb_node *rb_last(const struct rb_root *root)
{
	struct rb_node *n = root->node;

	while (n && n->right)
		n = n->right;
	return n;
}

struct rb_node *rb_next(const struct rb_node *node)
{
	struct rb_node *parent;

	if (node->right) {
		struct rb_node *n = node->right;

		while (n->left)
			n = n->left;
		return n;
	}
	while ((parent = rb_parent(node)) && node == parent->right)
		node = parent;
	return parent;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	struct rb_node *parent;

	if (node->left) {
		struct rb_node *n = node->left;

		while (n->right)
			n = n->right;
		return n;
	}
	while ((parent = rb_parent(node)) && node == parent->left)
		node = parent;
	return parent;
}
