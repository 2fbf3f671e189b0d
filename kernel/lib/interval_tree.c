/*
 * interval_tree.c - intervals in a red-black tree that knows, per node, the largest end below.  Layer 0.
 */
#include "kernel/lib/interval_tree.h"

static struct itree_node *node_of(struct rb_node *rb)
{
	return rb_entry(rb, struct itree_node, rb);
}

static bool update(struct rb_node *rb)
{
	struct itree_node *n = node_of(rb);
	unsigned long last = n->last, before = n->subtree_last;

	if (rb->left && node_of(rb->left)->subtree_last > last)
		last = node_of(rb->left)->subtree_last;
	if (rb->right && node_of(rb->right)->subtree_last > last)
		last = node_of(rb->right)->subtree_last;
	n->subtree_last = last;
	return last != before;
}

void itree_insert(struct itree_root *root, struct itree_node *node)
{
	struct rb_node **link = &root->rb.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = node->first < node_of(parent)->first ? &parent->left : &parent->right;
	}
	rb_link_node(&node->rb, parent, link);
	rb_insert_color_augmented(&node->rb, &root->rb, update);
}

void itree_remove(struct itree_root *root, struct itree_node *node)
{
	rb_erase_augmented(&node->rb, &root->rb, update);
}

/*
 * The leftmost overlapping node in the tree below @n.  => n->subtree_last >= first
 *
 * If anything on the left ends at or after `first`, the answer is on the left or nowhere: the leftmost
 * such node on the left either starts early enough, or starts beyond `last` and so does all to its right.
 */
static struct itree_node *search(struct itree_node *n, unsigned long first, unsigned long last)
{
	for (;;) {
		if (n->rb.left && node_of(n->rb.left)->subtree_last >= first) {
			n = node_of(n->rb.left);
			continue;
		}
		if (n->first > last)
			return NULL;
		if (n->last >= first)
			return n;
		if (!n->rb.right || node_of(n->rb.right)->subtree_last < first)
			return NULL;
		n = node_of(n->rb.right);
	}
}

struct itree_node *itree_first(const struct itree_root *root, unsigned long first, unsigned long last)
{
	if (!root->rb.node || node_of(root->rb.node)->subtree_last < first)
		return NULL;
	return search(node_of(root->rb.node), first, last);
}

struct itree_node *itree_next(struct itree_node *node, unsigned long first, unsigned long last)
{
	struct rb_node *rb = node->rb.right, *child;

	for (;;) {
		/* All before `node` in order are done; rb is the right subtree that comes next. */
		if (rb && node_of(rb)->subtree_last >= first)
			return search(node_of(rb), first, last);
		do { /* up, to the first ancestor that we are left of */
			rb = rb_parent(&node->rb);
			if (!rb)
				return NULL;
			child = &node->rb;
			node = node_of(rb);
		} while (child == rb->right);
		if (node->first > last)
			return NULL;
		if (node->last >= first)
			return node;
		rb = node->rb.right;
	}
}
