/*
 * test_rbtree.c - red-black trees: order and colours after every change.
 * links: kernel/lib/rbtree.c
 */
#include "kernel/lib/rbtree.h"
#include "tests/unit/test.h"

#define N 400

struct item {
	struct rb_node rb;
	unsigned key;
	unsigned sum; /* augmented: keys in the subtree */
	bool in;
};

static struct item items[N];

static struct item *item_of(struct rb_node *rb)
{
	return rb_entry(rb, struct item, rb);
}

static unsigned sum_of(struct rb_node *rb)
{
	return rb ? item_of(rb)->sum : 0;
}

static bool update(struct rb_node *rb)
{
	unsigned before = item_of(rb)->sum;

	item_of(rb)->sum = item_of(rb)->key + sum_of(rb->left) + sum_of(rb->right);
	return item_of(rb)->sum != before;
}

/* The black height below @n, or -1 if a rule is broken. */
static int audit(struct rb_node *n, struct rb_node *parent, bool augmented)
{
	int left, right;
	bool black;

	if (!n)
		return 1;
	black = n->parent_color & 1;
	if (rb_parent(n) != parent || (!black && (!parent || !(parent->parent_color & 1))))
		return -1;
	if (n->left && item_of(n->left)->key > item_of(n)->key)
		return -1;
	if (n->right && item_of(n->right)->key < item_of(n)->key)
		return -1;
	if (augmented && item_of(n)->sum != item_of(n)->key + sum_of(n->left) + sum_of(n->right))
		return -1;
	left = audit(n->left, n, augmented);
	right = audit(n->right, n, augmented);
	return left < 0 || left != right ? -1 : left + black;
}

static void insert(struct rb_root *root, struct item *it, bool augmented)
{
	struct rb_node **link = &root->node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = it->key < item_of(parent)->key ? &parent->left : &parent->right;
	}
	rb_link_node(&it->rb, parent, link);
	if (augmented)
		rb_insert_color_augmented(&it->rb, root, update);
	else
		rb_insert_color(&it->rb, root);
	it->in = true;
}

static void check_order(struct rb_root *root, unsigned expected)
{
	unsigned n = 0, last = 0;

	for (struct rb_node *rb = rb_first(root); rb; rb = rb_next(rb), n++) {
		CHECK(item_of(rb)->key >= last);
		last = item_of(rb)->key;
	}
	CHECK(n == expected);
	n = 0;
	for (struct rb_node *rb = rb_last(root); rb; rb = rb_prev(rb))
		n++;
	CHECK(n == expected);
}

static void storm(bool augmented, unsigned keys)
{
	struct rb_root root = RB_ROOT;
	unsigned n = 0;

	for (unsigned i = 0; i < N; i++)
		items[i] = (struct item){.key = (unsigned)(test_random() % keys)};
	for (unsigned round = 0; round < 6000; round++) {
		/* grows, then shrinks, so that every case of erase is met */
		struct item *it = &items[test_random() % N];
		bool grow = (round / 1000) % 2 == 0 ? test_random() % 4 != 0 : test_random() % 4 == 0;

		if (it->in == grow)
			continue;
		if (grow) {
			insert(&root, it, augmented);
			n++;
		} else {
			if (augmented)
				rb_erase_augmented(&it->rb, &root, update);
			else
				rb_erase(&it->rb, &root);
			it->in = false;
			n--;
		}
		CHECK(audit(root.node, NULL, augmented) > 0);
		if (round % 50 == 0)
			check_order(&root, n);
	}
}

static void plain(void)
{
	storm(false, 1000000);
}

static void equal_keys(void)
{
	storm(false, 5);
}

static void augmented(void)
{
	storm(true, 1000);
}

static void ascending_and_drain(void)
{
	struct rb_root root = RB_ROOT;

	for (unsigned i = 0; i < N; i++) {
		items[i] = (struct item){.key = i};
		insert(&root, &items[i], false);
		CHECK(audit(root.node, NULL, false) > 0);
	}
	check_order(&root, N);
	while (!rb_empty(&root)) {
		rb_erase(rb_first(&root), &root);
		CHECK(audit(root.node, NULL, false) > 0);
	}
	CHECK(!rb_first(&root) && !rb_last(&root));
}

static void replace(void)
{
	struct rb_root root = RB_ROOT;
	struct item other = {.key = 7};

	for (unsigned i = 0; i < 20; i++) {
		items[i] = (struct item){.key = i};
		insert(&root, &items[i], false);
	}
	rb_replace(&items[7].rb, &other.rb, &root);
	CHECK(audit(root.node, NULL, false) > 0);
	check_order(&root, 20);
	CHECK(rb_next(&items[6].rb) == &other.rb && rb_prev(&items[8].rb) == &other.rb);
}

int main(void)
{
	RUN(plain);
	RUN(equal_keys);
	RUN(augmented);
	RUN(ascending_and_drain);
	RUN(replace);
	return test_end();
}
