/*
 * test_interval_tree.c - overlap queries against a plain scan.
 * links: kernel/lib/interval_tree.c kernel/lib/rbtree.c
 */
#include "kernel/lib/interval_tree.h"
#include "tests/unit/test.h"

#define N 120

static struct itree_node nodes[N];
static bool in[N];

static unsigned long audit(struct rb_node *rb)
{
	struct itree_node *n = rb ? rb_entry(rb, struct itree_node, rb) : NULL;
	unsigned long last;

	if (!n)
		return 0;
	last = max(n->last, max(audit(rb->left), audit(rb->right)));
	CHECK(n->subtree_last == last);
	return last;
}

static void query(struct itree_root *root, unsigned long first, unsigned long last)
{
	unsigned expected = 0, got = 0;
	unsigned long before = 0;
	struct itree_node *n;

	for (unsigned i = 0; i < N; i++)
		expected += in[i] && nodes[i].first <= last && nodes[i].last >= first;
	itree_for_each(n, root, first, last) {
		CHECK(n->first <= last && n->last >= first && n->first >= before);
		before = n->first;
		got++;
	}
	CHECK(got == expected);
}

static void storm(unsigned long space, unsigned long length)
{
	struct itree_root root = ITREE_ROOT;

	for (unsigned i = 0; i < N; i++)
		in[i] = false;
	for (unsigned round = 0; round < 3000; round++) {
		unsigned i = test_random() % N;
		unsigned long a = test_random() % space;

		if (in[i]) {
			itree_remove(&root, &nodes[i]);
		} else {
			nodes[i].first = a;
			nodes[i].last = a + test_random() % length;
			itree_insert(&root, &nodes[i]);
		}
		in[i] = !in[i];
		if (round % 10 == 0)
			audit(root.rb.node);
		a = test_random() % space;
		query(&root, a, a + test_random() % length);
		query(&root, a, a);
	}
	query(&root, 0, ~0UL);
}

static void sparse(void)
{
	storm(100000, 50);
}

static void dense(void)
{
	storm(100, 60);
}

static void equal_intervals(void)
{
	storm(3, 2);
}

static void edges(void)
{
	struct itree_root root = ITREE_ROOT;
	struct itree_node low = {.first = 0, .last = 0}, high = {.first = ~0UL, .last = ~0UL};
	struct itree_node all = {.first = 0, .last = ~0UL};

	CHECK(itree_empty(&root) && !itree_first(&root, 0, ~0UL));
	itree_insert(&root, &low);
	itree_insert(&root, &high);
	CHECK(itree_first(&root, 1, ~0UL - 1) == NULL);
	CHECK(itree_first(&root, ~0UL, ~0UL) == &high);
	CHECK(itree_first(&root, 0, 0) == &low);
	itree_insert(&root, &all);
	CHECK(itree_first(&root, 5, 5) == &all && !itree_next(&all, 5, 5));
}

int main(void)
{
	RUN(sparse);
	RUN(dense);
	RUN(equal_intervals);
	RUN(edges);
	return test_end();
}
