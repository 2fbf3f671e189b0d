/*
 * test_radix.c - the sparse array against plain arrays; marks; node memory.
 * links: kernel/lib/radix.c kernel/lib/bitops.c
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/radix.h"
#include "tests/unit/test.h"

static long live, budget = 1L << 40, reserved;

static void *node_alloc(void)
{
	if (reserved)
		reserved--;
	else if (live >= budget)
		return NULL;
	live++;
	return malloc(radix_node_size);
}

static void node_free(void *node)
{
	live--;
	free(node);
}

static int node_reserve(unsigned n)
{
	if (live + (long)n > budget)
		return -ENOMEM;
	reserved = n;
	return 0;
}

#define N 300
static unsigned long key[N];
static bool in[N], mark[2][N];
static char value[N];

static void check_iteration(struct radix_tree *t)
{
	unsigned n = 0, expected = 0;
	unsigned long i, last = 0;

	for (i = 0; radix_next(t, &i); i++, n++) {
		CHECK(n == 0 || i > last);
		last = i;
		if (i == ~0UL) {
			n++;
			break;
		}
	}
	for (unsigned k = 0; k < N; k++)
		expected += in[k];
	CHECK(n == expected);
	for (unsigned m = 0; m < 2; m++) {
		n = expected = 0;
		for (i = 0; radix_next_marked(t, &i, m); i++, n++) {
			CHECK(radix_marked(t, i, m));
			if (i == ~0UL) {
				n++;
				break;
			}
		}
		for (unsigned k = 0; k < N; k++)
			expected += in[k] && mark[m][k];
		CHECK(n == expected && radix_any_marked(t, m) == (expected != 0));
	}
}

/* The next present key at or after @from, by scanning. */
static void check_next(struct radix_tree *t, unsigned long from)
{
	unsigned long i = from, best = 0;
	bool found = false;
	void *p = radix_next(t, &i);

	for (unsigned k = 0; k < N; k++)
		if (in[k] && key[k] >= from && (!found || key[k] < best)) {
			best = key[k];
			found = true;
		}
	CHECK(found == (p != NULL));
	CHECK(!found || i == best);
}

static void storm(unsigned shift)
{
	struct radix_tree t = RADIX_TREE_INIT;
	long before = live;

	for (unsigned k = 0; k < N; k++) {
		key[k] = ((unsigned long)test_random() >> shift) / N * N + k; /* all different */
		in[k] = mark[0][k] = mark[1][k] = false;
	}
	key[0] = 0;
	key[1] = shift ? 1 : ~0UL;
	for (unsigned round = 0; round < 8000; round++) {
		unsigned k = test_random() % N, m = test_random() % 2;

		switch (test_random() % 4) {
		case 0:
			CHECK(radix_insert(&t, key[k], &value[k]) == (in[k] ? -EEXIST : 0));
			in[k] = true;
			break;
		case 1:
			CHECK(radix_remove(&t, key[k]) == (in[k] ? &value[k] : NULL));
			in[k] = mark[0][k] = mark[1][k] = false;
			break;
		case 2:
			CHECK(radix_mark(&t, key[k], m) == (in[k] && !mark[m][k]));
			mark[m][k] = in[k];
			break;
		default:
			CHECK(radix_unmark(&t, key[k], m) == mark[m][k]);
			mark[m][k] = false;
		}
		CHECK(radix_lookup(&t, key[k]) == (in[k] ? &value[k] : NULL));
		CHECK(radix_marked(&t, key[k], m) == mark[m][k]);
		if (round % 100 == 0)
			check_iteration(&t);
		check_next(&t, (unsigned long)test_random() >> shift);
	}
	for (unsigned k = 0; k < N; k++)
		radix_remove(&t, key[k]);
	CHECK(radix_empty(&t) && t.height == 0 && live == before);
}

static void whole_range(void)
{
	storm(0);
}

static void middle(void)
{
	storm(40);
}

static void small(void)
{
	storm(52);
}

static void replace(void)
{
	struct radix_tree t = RADIX_TREE_INIT;

	CHECK(radix_replace(&t, 5, &value[0]) == NULL && radix_empty(&t));
	CHECK(radix_insert(&t, 5, &value[0]) == 0);
	radix_mark(&t, 5, 1);
	CHECK(radix_replace(&t, 5, &value[1]) == &value[0]);
	CHECK(radix_lookup(&t, 5) == &value[1] && radix_marked(&t, 5, 1));
	radix_remove(&t, 5);
}

/* Every allocation failure leaves the tree as it was, without leaks. */
static void no_memory(void)
{
	long before = live;

	for (long spare = 0; spare < 30; spare++) {
		struct radix_tree t = RADIX_TREE_INIT;
		int err;

		budget = 1L << 40;
		CHECK(radix_insert(&t, 3, &value[0]) == 0);
		radix_mark(&t, 3, 0);
		budget = live + spare;
		err = radix_insert(&t, 1UL << 62, &value[1]);
		CHECK(err == 0 || err == -ENOMEM);
		CHECK(radix_lookup(&t, 3) == &value[0] && radix_marked(&t, 3, 0));
		CHECK(radix_lookup(&t, 1UL << 62) == (err ? NULL : &value[1]));
		if (err)
			CHECK(t.height == 1);
		radix_remove(&t, 3);
		radix_remove(&t, 1UL << 62);
		CHECK(radix_empty(&t) && live == before);
	}
	budget = 1L << 40;
}

/* What is preloaded is enough for any one insertion: a new tree, and one that must grow to its full height. */
static void preload(void)
{
	static const unsigned long first[] = {~0UL, 0};

	for (unsigned k = 0; k < 2; k++) {
		struct radix_tree t = RADIX_TREE_INIT;

		budget = 1L << 40;
		if (k)
			CHECK(radix_insert(&t, first[k], &value[0]) == 0);
		budget = live;
		CHECK(radix_preload() == -ENOMEM);
		budget = 1L << 40;
		CHECK(radix_preload() == 0);
		budget = live; /* nothing more */
		CHECK(radix_insert(&t, k ? ~0UL : first[k], &value[1]) == 0);
		reserved = 0;
		radix_remove(&t, first[k]);
		radix_remove(&t, ~0UL);
		CHECK(radix_empty(&t));
	}
	budget = 1L << 40;
}

int main(void)
{
	radix_node_alloc = node_alloc;
	radix_node_free = node_free;
	radix_node_reserve = node_reserve;
	RUN(whole_range);
	RUN(middle);
	RUN(small);
	RUN(replace);
	RUN(no_memory);
	RUN(preload);
	return test_end();
}
