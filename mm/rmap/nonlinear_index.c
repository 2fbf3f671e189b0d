/*
 * nonlinear_index.c - the reverse index of off-position entries.
 *
 * Layer 5a (mm/rmap).  Interface: rmap.h.  Lock: object_maps.lock, for writing to change, reading to look.
 *
 * Linux's nonlinear mappings died of one question: which addresses show this page?  Their only answer was to
 * scan every nonlinear vma.  Here every entry that a remap put off its linear position has one 40-byte node
 * in a tree ordered by (page offset, address), so the answer costs O(log n + k).  The node exists exactly as
 * long as the entry is off position, whether its page is resident or only a file entry is left; the index
 * belongs to the pair (page table, object), so splitting a vma moves nothing.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "mm/phys/slab.h"
#include "mm/rmap/rmap.h"

static struct slab_cache node_cache;

void rmap_init(void)
{
	slab_cache_init(&node_cache, "nonlinear_node", sizeof(struct nonlinear_node));
}

static struct nonlinear_index *index_find(struct object_maps *maps, const struct pgtable *pt)
{
	struct nonlinear_index *idx;

	list_for_each_entry(idx, &maps->nonlinear, link)
		if (idx->pt == pt)
			return idx;
	return NULL;
}

struct nonlinear_index *nonlinear_index_get(struct object_maps *maps, struct pgtable *pt)
{
	struct nonlinear_index *fresh = kzalloc(sizeof(*fresh), GFP_KERNEL);
	struct nonlinear_index *idx;

	if (!fresh)
		return ERR_PTR(-ENOMEM);
	rwsem_write_lock(&maps->lock);
	idx = index_find(maps, pt);
	if (!idx) {
		idx = fresh;
		fresh = NULL;
		idx->pt = pt;
		idx->maps = maps;
		list_add_tail(&idx->link, &maps->nonlinear);
	}
	idx->users++;
	rwsem_write_unlock(&maps->lock);
	kfree(fresh);
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
		kfree(idx);
	}
}

struct nonlinear_node *nonlinear_node_alloc(void)
{
	return slab_alloc(&node_cache, GFP_KERNEL);
}

void nonlinear_node_free(struct nonlinear_node *node)
{
	slab_free(&node_cache, node);
}

/* Order: page offset, then address. */
static inline bool comes_before(const struct nonlinear_node *n, pgoff_t pgoff, vaddr_t va)
{
	return n->pgoff < pgoff || (n->pgoff == pgoff && n->va < va);
}

void nonlinear_index_add(struct nonlinear_index *idx, struct nonlinear_node *node, pgoff_t pgoff, vaddr_t va)
{
	struct rb_node **link = &idx->root.node, *parent = NULL;

	ASSERT(rwsem_write_held(&idx->maps->lock));
	while (*link) {
		struct nonlinear_node *n = rb_entry(*link, struct nonlinear_node, rb);

		ASSERT(n->pgoff != pgoff || n->va != va);
		parent = *link;
		link = comes_before(n, pgoff, va) ? &parent->right : &parent->left;
	}
	node->pgoff = pgoff;
	node->va = va;
	rb_link_node(&node->rb, parent, link);
	rb_insert_color(&node->rb, &idx->root);
	idx->count++;
}

struct nonlinear_node *nonlinear_index_del(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	struct rb_node *rb = idx->root.node;
	struct nonlinear_node *n = NULL;

	ASSERT(rwsem_write_held(&idx->maps->lock));
	while (rb) {
		n = rb_entry(rb, struct nonlinear_node, rb);
		if (n->pgoff == pgoff && n->va == va)
			break;
		rb = comes_before(n, pgoff, va) ? rb->right : rb->left;
	}
	BUG_ON(!rb);
	rb_erase(&n->rb, &idx->root);
	idx->count--;
	return n;
}

struct nonlinear_node *nonlinear_index_first(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va)
{
	struct rb_node *rb = idx->root.node;
	struct nonlinear_node *best = NULL;

	while (rb) {
		struct nonlinear_node *n = rb_entry(rb, struct nonlinear_node, rb);

		if (comes_before(n, pgoff, va)) {
			rb = rb->right;
		} else {
			best = n;
			rb = rb->left;
		}
	}
	return best;
}

struct nonlinear_node *nonlinear_index_next(struct nonlinear_node *node)
{
	struct rb_node *rb = rb_next(&node->rb);

	return rb ? rb_entry(rb, struct nonlinear_node, rb) : NULL;
}
