/*
 * radix.c - the sparse array.  Layer 0.
 *
 * A node at level l (0: leaves) covers RADIX_BITS * (l + 1) bits of the index.  A mark bit of an inner
 * slot says that some entry below has the mark.  No empty nodes exist.
 */
#include "kernel/lib/radix.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bitops.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define MAX_HEIGHT DIV_ROUND_UP(BITS_PER_LONG, RADIX_BITS)
#define MOST_NODES (2 * MAX_HEIGHT) /* that one insertion takes: new roots, then a path down */

void *(*radix_node_alloc)(void);
void (*radix_node_free)(void *node);
int (*radix_node_reserve)(unsigned n);
const size_t radix_node_size = sizeof(struct radix_node);

int radix_preload(void)
{
	return radix_node_reserve(MOST_NODES);
}

static struct radix_node *node_alloc(void)
{
	struct radix_node *node = radix_node_alloc();

	if (node)
		memset(node, 0, sizeof(*node));
	return node;
}

/* -- helpers ------------------------------------------------------------------------------------------------ */
static unsigned slot_of(unsigned long index, unsigned level)
{
	return (index >> (level * RADIX_BITS)) & (RADIX_SLOTS - 1);
}

/* The largest index that @height levels can hold. */
static unsigned long max_index(unsigned height)
{
	unsigned bits = height * RADIX_BITS;

	return bits >= BITS_PER_LONG ? ~0UL : (1UL << bits) - 1;
}

static bool node_any_marked(const struct radix_node *node, unsigned mark)
{
	for (unsigned i = 0; i < RADIX_MARK_LONGS; i++)
		if (node->marks[mark][i])
			return true;
	return false;
}

/* The leaf node that has @index, its path from the root down in @path (indexed by level), or NULL. */
static struct radix_node *find(const struct radix_tree *t, unsigned long index, struct radix_node **path)
{
	struct radix_node *node = t->root;

	if (!node || index > max_index(t->height))
		return NULL;
	for (unsigned level = t->height - 1;; level--) {
		if (path)
			path[level] = node;
		if (level == 0)
			return node;
		node = node->slot[slot_of(index, level)];
		if (!node)
			return NULL;
	}
}

static bool grow(struct radix_tree *t, unsigned long index)
{
	if (!t->root) {
		unsigned height = 1;

		while (index > max_index(height))
			height++;
		t->root = node_alloc();
		t->height = t->root ? height : 0;
		return t->root != NULL;
	}
	while (index > max_index(t->height)) {
		struct radix_node *node = node_alloc();

		if (!node)
			return false;
		node->slot[0] = t->root;
		node->used = 1;
		for (unsigned m = 0; m < RADIX_MARKS; m++)
			if (node_any_marked(t->root, m))
				bitmap_set(node->marks[m], 0);
		t->root = node;
		t->height++;
	}
	return true;
}

/* A root with nothing but slot 0 is one level too many; an empty one too. */
static void shrink(struct radix_tree *t)
{
	while (t->root && t->height > 1 && t->root->used == 1 && t->root->slot[0]) {
		struct radix_node *old = t->root;

		t->root = old->slot[0];
		t->height--;
		radix_node_free(old);
	}
	if (t->root && !t->root->used) {
		radix_node_free(t->root);
		t->root = NULL;
	}
	if (!t->root)
		t->height = 0;
}

/* -- entries -------------------------------------------------------------------------------------------------- */
void *radix_lookup_high(const struct radix_tree *t, unsigned long index)
{
	unsigned level = t->height;
	void *p = t->root;

	if (index > max_index(level))
		return NULL;
	while (p && level)
		p = radix_child(p, index, --level);
	return p;
}

/* Remove the empty nodes of @path from level @level up. */
static void prune(struct radix_tree *t, unsigned long index, struct radix_node **path, unsigned level)
{
	for (; level < t->height && !path[level]->used; level++) {
		radix_node_free(path[level]);
		if (level + 1 == t->height) {
			t->root = NULL;
			t->height = 0;
			return;
		}
		path[level + 1]->slot[slot_of(index, level + 1)] = NULL;
		path[level + 1]->used--;
	}
	shrink(t);
}

int radix_insert(struct radix_tree *t, unsigned long index, void *p)
{
	struct radix_node *path[MAX_HEIGHT], *node;
	unsigned level;

	ASSERT(p);
	if (!grow(t, index)) {
		shrink(t);
		return -ENOMEM;
	}
	node = t->root;
	for (level = t->height - 1; level > 0; level--) {
		void **slot = &node->slot[slot_of(index, level)];

		path[level] = node;
		if (!*slot) {
			*slot = node_alloc();
			if (!*slot) {
				prune(t, index, path, level);
				return -ENOMEM;
			}
			node->used++;
		}
		node = *slot;
	}
	if (node->slot[slot_of(index, 0)])
		return -EEXIST;
	node->slot[slot_of(index, 0)] = p;
	node->used++;
	return 0;
}

void *radix_remove(struct radix_tree *t, unsigned long index)
{
	struct radix_node *path[MAX_HEIGHT], *leaf = find(t, index, path);
	void *old = leaf ? leaf->slot[slot_of(index, 0)] : NULL;

	if (!old)
		return NULL;
	for (unsigned m = 0; m < RADIX_MARKS; m++)
		radix_unmark(t, index, m);
	leaf->slot[slot_of(index, 0)] = NULL;
	leaf->used--;
	prune(t, index, path, 0);
	return old;
}

void *radix_replace(struct radix_tree *t, unsigned long index, void *p)
{
	struct radix_node *leaf = find(t, index, NULL);
	void *old = leaf ? leaf->slot[slot_of(index, 0)] : NULL;

	ASSERT(p);
	if (old)
		leaf->slot[slot_of(index, 0)] = p;
	return old;
}

/* -- marks ------------------------------------------------------------------------------------------------------ */
bool radix_mark(struct radix_tree *t, unsigned long index, unsigned mark)
{
	struct radix_node *path[MAX_HEIGHT], *leaf = find(t, index, path);

	if (!leaf || !leaf->slot[slot_of(index, 0)] || bitmap_test(leaf->marks[mark], slot_of(index, 0)))
		return false;
	for (unsigned level = 0; level < t->height; level++)
		bitmap_set(path[level]->marks[mark], slot_of(index, level));
	return true;
}

bool radix_unmark(struct radix_tree *t, unsigned long index, unsigned mark)
{
	struct radix_node *path[MAX_HEIGHT], *leaf = find(t, index, path);

	if (!leaf || !bitmap_test(leaf->marks[mark], slot_of(index, 0)))
		return false;
	for (unsigned level = 0; level < t->height; level++) {
		bitmap_clear(path[level]->marks[mark], slot_of(index, level));
		if (node_any_marked(path[level], mark))
			break;
	}
	return true;
}

bool radix_marked(const struct radix_tree *t, unsigned long index, unsigned mark)
{
	struct radix_node *leaf = find(t, index, NULL);

	return leaf && bitmap_test(leaf->marks[mark], slot_of(index, 0));
}

bool radix_any_marked(const struct radix_tree *t, unsigned mark)
{
	return t->root && node_any_marked(t->root, mark);
}

/* -- iteration -------------------------------------------------------------------------------------------------- */

/* The first slot of @node at or after @from that is used (and marked, if @mark >= 0), or RADIX_SLOTS. */
static unsigned next_slot(const struct radix_node *node, unsigned from, int mark)
{
	if (mark >= 0)
		return bitmap_next_set(node->marks[mark], RADIX_SLOTS, from);
	while (from < RADIX_SLOTS && !node->slot[from])
		from++;
	return from;
}

static void *next(const struct radix_tree *t, unsigned long *index, int mark)
{
	struct radix_node *path[MAX_HEIGHT];
	unsigned long i = *index;
	unsigned level = t->height - 1;

	if (!t->root || i > max_index(t->height))
		return NULL;
	path[level] = t->root;
	for (;;) {
		unsigned old = slot_of(i, level), s = next_slot(path[level], old, mark);

		if (s == RADIX_SLOTS) { /* nothing more here: on with the next slot of a level above */
			do {
				if (++level == t->height)
					return NULL;
			} while (slot_of(i, level) == RADIX_SLOTS - 1);
			i = ((i >> (level * RADIX_BITS)) + 1) << (level * RADIX_BITS);
			if (!i) /* the top level has fewer slots than RADIX_SLOTS, and this was its last */
				return NULL;
			continue;
		}
		if (s != old)
			i = ((i >> (level * RADIX_BITS)) - old + s) << (level * RADIX_BITS);
		if (level == 0) {
			*index = i;
			return path[0]->slot[s];
		}
		path[level - 1] = path[level]->slot[s];
		level--;
	}
}

void *radix_next(const struct radix_tree *t, unsigned long *index)
{
	return next(t, index, -1);
}

void *radix_next_marked(const struct radix_tree *t, unsigned long *index, unsigned mark)
{
	return next(t, index, (int)mark);
}
