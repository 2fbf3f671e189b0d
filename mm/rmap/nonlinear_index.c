/*
 * nonlinear_index.c - the reverse index of off-position entries.
 *
 * Layer 5a (mm/rmap).  Interface: rmap.h.  Lock: object_maps.lock, for writing to change, reading to look.
 *
 * Linux's nonlinear mappings died of one question: which addresses show this page?  Their only answer was to
 * scan every nonlinear vma.  Here every entry that a remap put off its linear position has one 40-byte node.
 * The node exists exactly as long as the entry is off position, whether its page is resident or only a file
 * entry is left; the index belongs to the pair (page table, object), so splitting a vma moves nothing.
 *
 * Linear hashing (Litwin 1980): bucket 0 .. nr_buckets - 1, one more whenever the load exceeds LOAD.  The new
 * bucket n takes its share of exactly one old one, n without its top bit, so growing never stops the world:
 *
 *	nr_buckets = 6, mask = 7:   hash & 7  =  0 1 2 3 4 5 6 7
 *	                            bucket    =  0 1 2 3 4 5 2 3     (6, 7 do not exist yet: drop the top bit)
 *
 * Alternatives: one tree of all nodes (16 steps at 65,536 entries, twice per remap: a third of its cost); plain
 * chains (a window that shows one page everywhere would make every removal a scan).
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "mm/phys/slab.h"
#include "mm/rmap/rmap.h"

#define LOAD 2 /* nodes a bucket */
#define BUCKETS_PER_PAGE (PAGE_SIZE / sizeof(struct rb_root))

static struct slab_cache node_cache;

void rmap_init(void)
{
	slab_cache_init(&node_cache, "nonlinear_node", sizeof(struct nonlinear_node));
}

struct nonlinear_node *nonlinear_node_alloc(void)
{
	return slab_alloc(&node_cache, GFP_KERNEL);
}

void nonlinear_node_free(struct nonlinear_node *node)
{
	slab_free(&node_cache, node);
}

/* -- buckets --------------------------------------------------------------------------------------------------- */

/* Spreads offsets that differ in any bits over the low bits of the result. */
static inline unsigned long hash(pgoff_t pgoff)
{
	u32 x = (u32)((u64)pgoff ^ (u64)pgoff >> 32) * 0x9e3779b1u;

	return x ^ x >> 15;
}

static inline struct rb_root *bucket_at(const struct nonlinear_index *idx, unsigned long n)
{
	return &idx->pages[n / BUCKETS_PER_PAGE][n % BUCKETS_PER_PAGE];
}

static inline struct rb_root *bucket_of(const struct nonlinear_index *idx, pgoff_t pgoff)
{
	unsigned long n = hash(pgoff) & idx->mask;

	return bucket_at(idx, n < idx->nr_buckets ? n : n & idx->mask >> 1);
}

/* Order within a bucket: page offset, then address. */
static inline bool comes_before(const struct nonlinear_node *n, pgoff_t pgoff, vaddr_t va)
{
	return n->pgoff < pgoff || (n->pgoff == pgoff && n->va < va);
}

static struct nonlinear_node *to_node(struct rb_node *rb)
{
	return rb ? rb_entry(rb, struct nonlinear_node, rb) : NULL;
}

static void bucket_add(struct rb_root *bucket, struct nonlinear_node *node)
{
	struct rb_node **link = &bucket->node, *parent = NULL;

	while (*link) {
		struct nonlinear_node *n = to_node(*link);

		ASSERT(n->pgoff != node->pgoff || n->va != node->va);
		parent = *link;
		link = comes_before(n, node->pgoff, node->va) ? &parent->right : &parent->left;
	}
	rb_link_node(&node->rb, parent, link);
	rb_insert_color(&node->rb, bucket);
}

/* The first node at or after (@pgoff, @va). */
static struct nonlinear_node *bucket_first(const struct rb_root *bucket, pgoff_t pgoff, vaddr_t va)
{
	struct nonlinear_node *best = NULL;

	for (struct rb_node *rb = bucket->node; rb;) {
		struct nonlinear_node *n = to_node(rb);

		if (comes_before(n, pgoff, va)) {
			rb = rb->right;
		} else {
			best = n;
			rb = rb->left;
		}
	}
	return best;
}

/* -- growing ----------------------------------------------------------------------------------------------------- */

/* One more bucket, which takes what belongs to it from the one that had it. => there is room for it */
static void split_bucket(struct nonlinear_index *idx)
{
	unsigned long fresh = idx->nr_buckets++;
	struct rb_root *from, *to = bucket_at(idx, fresh);
	struct nonlinear_node *n, *next;

	if (fresh > idx->mask)
		idx->mask = idx->mask << 1 | 1;
	from = bucket_at(idx, fresh & idx->mask >> 1);
	for (n = to_node(rb_first(from)); n; n = next) {
		next = to_node(rb_next(&n->rb));
		if ((hash(n->pgoff) & idx->mask) == fresh) {
			rb_erase(&n->rb, from);
			bucket_add(to, n);
		}
	}
}

static bool table_full(const struct nonlinear_index *idx)
{
	return READ_ONCE(idx->nr_buckets) == READ_ONCE(idx->nr_pages) * BUCKETS_PER_PAGE;
}

/* A directory with room for twice the pages, or NULL. */
static struct rb_root **bigger_directory(const struct nonlinear_index *idx)
{
	return kzalloc(max(2 * READ_ONCE(idx->max_pages), 8u) * sizeof(struct rb_root *), GFP_KERNEL | GFP_NOWARN);
}

void nonlinear_index_grow(struct nonlinear_index *idx)
{
	struct rb_root *page, **directory = NULL, **old = NULL;

	if (likely(!table_full(idx)))
		return;
	page = kzalloc(PAGE_SIZE, GFP_KERNEL | GFP_NOWARN);
	if (READ_ONCE(idx->nr_pages) == READ_ONCE(idx->max_pages))
		directory = bigger_directory(idx);
	rwsem_write_lock(&idx->maps->lock);
	if (directory && idx->nr_pages == idx->max_pages) {
		memcpy(directory, idx->pages, idx->nr_pages * sizeof(*directory));
		old = idx->pages;
		idx->pages = directory;
		idx->max_pages = max(2 * idx->max_pages, 8u);
		directory = NULL;
	}
	if (page && table_full(idx) && idx->nr_pages < idx->max_pages) {
		idx->pages[idx->nr_pages++] = page;
		page = NULL;
	}
	rwsem_write_unlock(&idx->maps->lock);
	kfree(old);
	kfree(directory);
	kfree(page);
}

/* -- nodes ----------------------------------------------------------------------------------------------------------- */

void nonlinear_index_add(struct nonlinear_index *idx, struct nonlinear_node *node, pgoff_t pgoff, vaddr_t va)
{
	ASSERT(rwsem_write_held(&idx->maps->lock));
	node->pgoff = pgoff;
	node->va = va;
	bucket_add(bucket_of(idx, pgoff), node);
	if (++idx->count > idx->nr_buckets * LOAD && !table_full(idx))
		split_bucket(idx);
}

struct nonlinear_node *nonlinear_index_del(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	struct rb_root *bucket = bucket_of(idx, pgoff);
	struct nonlinear_node *n = NULL;

	ASSERT(rwsem_write_held(&idx->maps->lock));
	for (struct rb_node *rb = bucket->node; rb;) {
		n = to_node(rb);
		if (n->pgoff == pgoff && n->va == va)
			break;
		rb = comes_before(n, pgoff, va) ? rb->right : rb->left;
	}
	BUG_ON(!n || n->pgoff != pgoff || n->va != va);
	rb_erase(&n->rb, bucket);
	idx->count--;
	return n;
}

struct nonlinear_node *nonlinear_index_find(const struct nonlinear_index *idx, pgoff_t pgoff)
{
	struct nonlinear_node *n = bucket_first(bucket_of(idx, pgoff), pgoff, 0);

	return n && n->pgoff == pgoff ? n : NULL;
}

struct nonlinear_node *nonlinear_index_find_next(struct nonlinear_node *node)
{
	struct nonlinear_node *n = to_node(rb_next(&node->rb));

	return n && n->pgoff == node->pgoff ? n : NULL;
}

struct nonlinear_node *nonlinear_index_scan(const struct nonlinear_index *idx, pgoff_t first, pgoff_t last,
                                            struct nonlinear_node *prev)
{
	unsigned long n = 0;

	if (prev) {
		struct nonlinear_node *next = to_node(rb_next(&prev->rb));

		if (next && next->pgoff <= last)
			return next;
		n = hash(prev->pgoff) & idx->mask;
		n = (n < idx->nr_buckets ? n : n & idx->mask >> 1) + 1;
	}
	for (; n < idx->nr_buckets; n++) {
		struct nonlinear_node *found = bucket_first(bucket_at(idx, n), first, 0);

		if (found && found->pgoff <= last)
			return found;
	}
	return NULL;
}

/* -- one index for each pair of page table and object ------------------------------------------------------------------- */

static void index_free(struct nonlinear_index *idx)
{
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
