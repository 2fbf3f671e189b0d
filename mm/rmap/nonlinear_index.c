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
#include "mm/rmap/nonlinear_buckets.h"

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
