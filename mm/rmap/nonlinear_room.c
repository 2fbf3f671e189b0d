/*
 * nonlinear_room.c - the memory of the reverse index: the index of a page table and an object, its buckets, its spare nodes.
 *
 * Layer 5a (mm/rmap).  Interface: rmap.h.  Whoever will change entries makes room first, because nothing is allocated under
 * object_maps.lock; it is taken here, for writing, to hang in what was allocated without it.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "mm/phys/slab.h"
#include "mm/rmap/nonlinear_buckets.h"

static struct slab_cache node_cache;

void rmap_init(void)
{
	slab_cache_init(&node_cache, "nonlinear_node", sizeof(struct nonlinear_node));
}

void nonlinear_node_free(struct nonlinear_node *node)
{
	slab_free(&node_cache, node);
}

/* -- buckets --------------------------------------------------------------------------------------------------- */

/* A directory with room for twice the pages, or NULL. */
static struct nonlinear_node ***bigger_directory(const struct nonlinear_index *idx)
{
	return kzalloc(max(2 * READ_ONCE(idx->max_pages), 8u) * sizeof(struct nonlinear_node **), GFP_KERNEL | GFP_NOWARN);
}

/* One more page of buckets, unless another thread was faster. False: there is no memory for it. */
static bool grow_table(struct nonlinear_index *idx)
{
	unsigned long seen = READ_ONCE(idx->nr_pages);
	struct nonlinear_node **page = kzalloc(PAGE_SIZE, GFP_KERNEL | GFP_NOWARN), ***directory = NULL, ***old = NULL;
	bool grown;

	if (seen == READ_ONCE(idx->max_pages))
		directory = bigger_directory(idx);
	rwsem_write_lock(&idx->maps->lock);
	if (directory && idx->nr_pages == idx->max_pages) {
		memcpy(directory, idx->pages, idx->nr_pages * sizeof(*directory));
		old = idx->pages;
		idx->pages = directory;
		idx->max_pages = max(2 * idx->max_pages, 8u);
		directory = NULL;
	}
	if (page && idx->nr_pages == seen && idx->nr_pages < idx->max_pages) {
		idx->pages[idx->nr_pages++] = page;
		page = NULL;
	}
	grown = idx->nr_pages > seen;
	rwsem_write_unlock(&idx->maps->lock);
	kfree(old);
	kfree(directory);
	kfree(page);
	return grown;
}

/* Is there no room for the buckets that @n nodes more want? */
static bool short_of_buckets(const struct nonlinear_index *idx, unsigned long n)
{
	return READ_ONCE(idx->nr_pages) * BUCKETS_PER_PAGE * NONLINEAR_LOAD < READ_ONCE(idx->count) + n;
}

void nonlinear_index_reserve(struct nonlinear_index *idx, unsigned long n)
{
	while (short_of_buckets(idx, n) && grow_table(idx))
		;
}

/* -- spare nodes -------------------------------------------------------------------------------------------------- */

static void free_chain(struct nonlinear_node *chain)
{
	while (chain) {
		struct nonlinear_node *next = chain->link[0];

		slab_free(&node_cache, chain);
		chain = next;
	}
}

/* @n nodes, chained, and the last one; all or NULL. => n > 0 */
static struct nonlinear_node *make_chain(unsigned long n, struct nonlinear_node **last)
{
	struct nonlinear_node *chain = NULL;

	while (n--) {
		struct nonlinear_node *node = slab_alloc(&node_cache, GFP_KERNEL);

		if (!node) {
			free_chain(chain);
			return NULL;
		}
		if (!chain)
			*last = node;
		node->link[0] = chain;
		chain = node;
	}
	return chain;
}

int nonlinear_index_stock(struct nonlinear_index *idx, unsigned long n)
{
	unsigned long have = READ_ONCE(idx->nr_spare);
	struct nonlinear_node *chain, *last;

	if (unlikely(table_full(idx)))
		grow_table(idx);
	if (have >= n)
		return 0;
	chain = make_chain(n - have, &last);
	if (!chain)
		return -ENOMEM;
	rwsem_write_lock(&idx->maps->lock);
	last->link[0] = idx->spare;
	idx->spare = chain;
	idx->nr_spare += n - have;
	rwsem_write_unlock(&idx->maps->lock);
	return 0;
}

void nonlinear_index_trim(struct nonlinear_index *idx)
{
	struct nonlinear_node *chain = NULL, *n;

	if (likely(READ_ONCE(idx->nr_spare) <= NONLINEAR_SPARE))
		return;
	rwsem_write_lock(&idx->maps->lock);
	for (; idx->nr_spare > NONLINEAR_SPARE; idx->nr_spare--) {
		n = idx->spare;
		idx->spare = n->link[0];
		n->link[0] = chain;
		chain = n;
	}
	rwsem_write_unlock(&idx->maps->lock);
	free_chain(chain);
}

/* -- one index for each pair of page table and object ------------------------------------------------------------------- */

static void index_free(struct nonlinear_index *idx)
{
	free_chain(idx->spare);
	for (unsigned i = 0; i < idx->nr_pages; i++)
		kfree(idx->pages[i]);
	kfree(idx->pages);
	kfree(idx);
}

/* With one page of buckets, of which one is in use. NULL: no memory */
static struct nonlinear_index *index_alloc(void)
{
	struct nonlinear_index *idx = kzalloc(sizeof(*idx), GFP_KERNEL);

	if (!idx)
		return NULL;
	idx->pages = bigger_directory(idx);
	idx->max_pages = 8;
	idx->nr_buckets = 1;
	if (idx->pages)
		idx->pages[0] = kzalloc(PAGE_SIZE, GFP_KERNEL);
	if (idx->pages && idx->pages[0]) {
		idx->nr_pages = 1;
		return idx;
	}
	index_free(idx);
	return NULL;
}

static struct nonlinear_index *index_of(struct object_maps *maps, const struct pgtable *pt)
{
	struct nonlinear_index *idx;

	list_for_each_entry(idx, &maps->nonlinear, link)
		if (idx->pt == pt)
			return idx;
	return NULL;
}

struct nonlinear_index *nonlinear_index_get(struct object_maps *maps, struct pgtable *pt)
{
	struct nonlinear_index *fresh = index_alloc();
	struct nonlinear_index *idx;

	if (!fresh)
		return ERR_PTR(-ENOMEM);
	rwsem_write_lock(&maps->lock);
	idx = index_of(maps, pt);
	if (!idx) {
		idx = fresh;
		fresh = NULL;
		idx->pt = pt;
		idx->maps = maps;
		list_add_tail(&idx->link, &maps->nonlinear);
	}
	idx->users++;
	rwsem_write_unlock(&maps->lock);
	if (fresh)
		index_free(fresh);
	return idx;
}

void nonlinear_index_ref(struct nonlinear_index *idx)
{
	rwsem_write_lock(&idx->maps->lock);
	idx->users++;
	rwsem_write_unlock(&idx->maps->lock);
}

void nonlinear_index_put(struct nonlinear_index *idx)
{
	struct object_maps *maps = idx->maps;
	bool last;

	rwsem_write_lock(&maps->lock);
	last = --idx->users == 0;
	if (last)
		list_del(&idx->link);
	rwsem_write_unlock(&maps->lock);
	if (last) {
		ASSERT(idx->count == 0);
		index_free(idx);
	}
}
