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
 * A crowd is a digital search tree: a node goes to the first free place on the way that the bits of its address, from
 * the lowest page bit up, lead to; any leaf below a place may take it.  No balance is kept, and none is needed: it is
 * never deeper than an address has bits.  (Neighbouring addresses differ in their low bits, so it is usually no deeper
 * than log k.)
 *
 * Alternatives: one ordered tree of all nodes (16 steps at 65,536 entries, twice a remap); a small balanced tree in each
 * bucket (three pointers a node, and half of a remap's cost was in turning trees of two nodes); plain chains (a window
 * that shows one page everywhere would make every removal a scan).
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "mm/phys/slab.h"
#include "mm/rmap/rmap.h"

#define BUCKETS_PER_PAGE (PAGE_SIZE / sizeof(struct nonlinear_node *))

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

/* Spreads offsets over the low bits of the result.  The factor is one with which runs of 2^8 to 2^16 offsets, at strides of
 * powers of two up to 2^16, take at most 1.3 steps each in as many buckets (by the golden ratio: up to 5). */
static inline unsigned long hash(pgoff_t pgoff)
{
	return (unsigned long)((u64)pgoff * 0xa0761d6478bd642full >> 32);
}

static inline struct nonlinear_node **bucket_at(const struct nonlinear_index *idx, unsigned long n)
{
	return &idx->pages[n / BUCKETS_PER_PAGE][n % BUCKETS_PER_PAGE];
}

static inline struct nonlinear_node **bucket_of(const struct nonlinear_index *idx, pgoff_t pgoff)
{
	unsigned long n = hash(pgoff) & idx->mask;

	return bucket_at(idx, n < idx->nr_buckets ? n : n & idx->mask >> 1);
}

/* Where the chain's node of @pgoff hangs, or the chain's end. */
static inline struct nonlinear_node **head_of(const struct nonlinear_index *idx, pgoff_t pgoff)
{
	struct nonlinear_node **at = bucket_of(idx, pgoff);

	while (*at && (*at)->pgoff != pgoff)
		at = &(*at)->link[0];
	return at;
}

/* -- crowds ------------------------------------------------------------------------------------------------------ */

/* Where the node of @va hangs in the crowd that hangs at @at, or would. */
static struct nonlinear_node **crowd_place(struct nonlinear_node **at, vaddr_t va)
{
	for (vaddr_t bits = va >> PAGE_SHIFT; *at && (*at)->va != va; bits >>= 1)
		at = &(*at)->link[bits & 1];
	return at;
}

/* Unlink a leaf of the crowd that hangs at @at. => there is one */
static struct nonlinear_node *crowd_take_leaf(struct nonlinear_node **at)
{
	struct nonlinear_node *n;

	while ((n = *at)->link[0] || n->link[1])
		at = &n->link[n->link[0] ? 0 : 1];
	*at = NULL;
	return n;
}

static inline void take_place(struct nonlinear_node *n, const struct nonlinear_node *of)
{
	n->link[0] = of->link[0];
	n->link[1] = of->link[1];
}

/* Unlink the node that hangs at @at; a leaf from below it takes its place. */
static struct nonlinear_node *crowd_del(struct nonlinear_node **at)
{
	struct nonlinear_node *n = *at;

	if (!n->link[0] && !n->link[1]) {
		*at = NULL;
	} else {
		*at = crowd_take_leaf(&n->link[n->link[0] ? 0 : 1]);
		take_place(*at, n);
	}
	return n;
}

/* -- growing ----------------------------------------------------------------------------------------------------- */

/* One more bucket, which takes what belongs to it from the one that had it. => there is room for it */
static void split_bucket(struct nonlinear_index *idx)
{
	unsigned long fresh = idx->nr_buckets++;
	struct nonlinear_node **from, **to = bucket_at(idx, fresh), *n;

	if (fresh > idx->mask)
		idx->mask = idx->mask << 1 | 1;
	from = bucket_at(idx, fresh & idx->mask >> 1);
	while ((n = *from)) {
		if ((hash(n->pgoff) & idx->mask) != fresh) {
			from = &n->link[0];
			continue;
		}
		*from = n->link[0];
		n->link[0] = *to;
		*to = n;
	}
}

static bool table_full(const struct nonlinear_index *idx)
{
	return READ_ONCE(idx->nr_buckets) == READ_ONCE(idx->nr_pages) * BUCKETS_PER_PAGE;
}

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

/* -- nodes ----------------------------------------------------------------------------------------------------------- */

/* Into its bucket, or into the crowd of its offset. */
static inline void insert(struct nonlinear_index *idx, struct nonlinear_node *node, pgoff_t pgoff, vaddr_t va)
{
	struct nonlinear_node **at = head_of(idx, pgoff), *head = *at;

	if (unlikely(head)) {
		ASSERT(head->va != va);
		at = crowd_place(&head->link[1], va);
		ASSERT(!*at);
	}
	node->pgoff = pgoff;
	node->va = va;
	node->link[0] = node->link[1] = NULL;
	*at = node;
}

/* A copy's node. */
static struct nonlinear_node *extract_copy(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	struct nonlinear_node **at = crowd_place(&idx->copies, va);

	BUG_ON(!*at || (*at)->pgoff != pgoff);
	idx->nr_copies--;
	return crowd_del(at);
}

/* Not the first of its offset. */
static __attribute__((noinline)) struct nonlinear_node *
extract_from_crowd(struct nonlinear_index *idx, struct nonlinear_node *head, pgoff_t pgoff, vaddr_t va)
{
	struct nonlinear_node **at = head ? crowd_place(&head->link[1], va) : NULL;

	return at && *at ? crowd_del(at) : extract_copy(idx, pgoff, va);
}

static inline __attribute__((always_inline)) struct nonlinear_node *extract(struct nonlinear_index *idx, pgoff_t pgoff,
                                                                            vaddr_t va)
{
	struct nonlinear_node **at = head_of(idx, pgoff), *n = *at;

	if (unlikely(!n || n->va != va))
		return extract_from_crowd(idx, n, pgoff, va);
	if (unlikely(n->link[1])) { /* somebody of its crowd takes its place */
		*at = crowd_take_leaf(&n->link[1]);
		take_place(*at, n);
	} else {
		*at = n->link[0];
	}
	return n;
}

void nonlinear_index_add(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	struct nonlinear_node *node = idx->spare;

	ASSERT(rwsem_write_held(&idx->maps->lock) && node);
	idx->spare = node->link[0];
	idx->nr_spare--;
	insert(idx, node, pgoff, va);
	if (++idx->count > idx->nr_buckets * NONLINEAR_LOAD && !table_full(idx))
		split_bucket(idx);
}

struct nonlinear_node *nonlinear_index_del(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	ASSERT(rwsem_write_held(&idx->maps->lock));
	idx->count--;
	return extract(idx, pgoff, va);
}

static __attribute__((noinline)) void move_in_crowd(struct nonlinear_index *idx, vaddr_t va, pgoff_t from, pgoff_t to)
{
	insert(idx, extract(idx, from, va), to, va);
}

/* As above, straight on for a node that is the only one of its offset: a remap does little else (make bench). */
void nonlinear_index_move(struct nonlinear_index *idx, vaddr_t va, pgoff_t from, pgoff_t to)
{
	struct nonlinear_node **at = head_of(idx, from), *n = *at;

	ASSERT(rwsem_write_held(&idx->maps->lock));
	if (unlikely(!n || n->va != va || n->link[1])) {
		move_in_crowd(idx, va, from, to);
		return;
	}
	*at = n->link[0];
	insert(idx, n, to, va);
}

/* -- private copies ------------------------------------------------------------------------------------------------ */

void nonlinear_index_to_copy(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	struct nonlinear_node *n, **at;

	ASSERT(rwsem_write_held(&idx->maps->lock));
	n = extract(idx, pgoff, va);
	at = crowd_place(&idx->copies, va);
	ASSERT(!*at);
	n->link[0] = n->link[1] = NULL;
	*at = n;
	idx->nr_copies++;
}

void nonlinear_index_from_copy(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	ASSERT(rwsem_write_held(&idx->maps->lock));
	insert(idx, extract_copy(idx, pgoff, va), pgoff, va);
}

pgoff_t nonlinear_index_copied(const struct nonlinear_index *idx, vaddr_t va, pgoff_t linear)
{
	struct nonlinear_node *copies = idx->copies, *n = *crowd_place(&copies, va);

	return n ? n->pgoff : linear;
}

/* -- finding ------------------------------------------------------------------------------------------------------ */

bool nonlinear_index_has(const struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	struct nonlinear_node *head = *head_of(idx, pgoff);

	return head && (head->va == va || *crowd_place(&head->link[1], va));
}

void nonlinear_index_begin(struct nonlinear_cursor *c, const struct nonlinear_index *idx, pgoff_t first, pgoff_t last)
{
	c->idx = idx;
	c->first = first;
	c->last = last;
	c->at = 0;
	c->by_offset = last - first < idx->nr_buckets;
	c->head = NULL;
	c->depth = 0;
}

static struct nonlinear_node *next_offset(struct nonlinear_cursor *c)
{
	struct nonlinear_node *head = NULL;

	while (!head && c->at <= c->last - c->first)
		head = *head_of(c->idx, c->first + c->at++);
	return head;
}

/* The next in the chain, or the first of a later one, of a wanted offset. */
static struct nonlinear_node *next_in_buckets(struct nonlinear_cursor *c)
{
	struct nonlinear_node *n = c->head ? c->head->link[0] : NULL;

	for (;;) {
		for (; n; n = n->link[0])
			if (n->pgoff >= c->first && n->pgoff <= c->last)
				return n;
		if (c->at == c->idx->nr_buckets)
			return NULL;
		n = *bucket_at(c->idx, c->at++);
	}
}

static inline void visit_later(struct nonlinear_cursor *c, struct nonlinear_node *n)
{
	if (n)
		c->todo[c->depth++] = n;
}

struct nonlinear_node *nonlinear_index_next(struct nonlinear_cursor *c)
{
	struct nonlinear_node *n;

	if (c->depth) { /* of the crowd */
		n = c->todo[--c->depth];
		visit_later(c, n->link[1]);
		visit_later(c, n->link[0]);
		return n;
	}
	n = c->head = c->by_offset ? next_offset(c) : next_in_buckets(c);
	if (n)
		visit_later(c, n->link[1]);
	return n;
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
