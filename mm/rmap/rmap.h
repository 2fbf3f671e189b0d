/*
 * rmap.h - from a page to every entry that maps it.
 *
 * Layer 5a (mm/rmap).  An object holds two kinds of reverse information, both under maps.lock:
 *
 *   linear      an interval tree of rmap_links.  A link says "pages [pgoff, pgoff + length) of this object
 *               appear at va .. of that page table".  A vma embeds one; rmap never sees the vma.
 *   nonlinear   per page table, an ordered index pgoff -> va of exactly those entries that a remap put *off*
 *               their linear position, resident or not.  A lookup costs O(log n + k); no vma is ever scanned.
 *
 * A linear candidate is only a candidate: the walk checks under the PTL that the entry still maps the page.
 */
#ifndef MM_RMAP_RMAP_H
#define MM_RMAP_RMAP_H

#include "kernel/lib/interval_tree.h"
#include "kernel/lib/list.h"
#include "kernel/lib/rbtree.h"
#include "kernel/sync/rwsem.h"
#include "mm/pgtable/pgtable.h"
#include "mm/phys/page.h"

struct object_maps {
	struct rwsem lock;        /* rank LOCK_MAPS */
	struct itree_root linear; /* rmap_links by [pgoff, last] */
	struct list nonlinear;    /* nonlinear_index.link */
	unsigned long nr_links;
};

struct nonlinear_index;

struct rmap_link {
	struct itree_node node; /* node.first, node.last: page offsets; in object_maps.linear */
	struct pgtable *pt;
	vaddr_t va;                        /* where page node.first would be */
	unsigned flags;                    /* RMAP_* */
	struct nonlinear_index *nonlinear; /* some entries are off position; w: maps.lock */
};
#define RMAP_SHARED 1u      /* a shared mapping */
#define RMAP_KEEP_GRANTS 2u /* the entries' own grants count: a dropped page leaves a file entry */
#define RMAP_LOCKED 4u      /* mlocked: the pages stay */

/*
 * The off-position entries of one page table into one object: a hash table by page offset whose buckets are small
 * ordered trees.  Finding, adding and removing an entry costs O(1) when offsets are spread and O(log k) when k
 * addresses show one page; a node is 40 bytes and the buckets add half a pointer an entry.
 */
struct nonlinear_index {
	struct rb_root **pages; /* of buckets; the table grows bucket by bucket */
	unsigned nr_pages, max_pages;
	unsigned long nr_buckets;
	unsigned long mask;  /* 2^n - 1 >= nr_buckets - 1 */
	unsigned long count; /* nodes */
	struct pgtable *pt;
	struct object_maps *maps;
	struct list link; /* maps->nonlinear */
	unsigned users;   /* vmas that share it; maps->lock */
	unsigned locked;  /* of these, how many are mlocked; maps->lock */
};

struct nonlinear_node {
	struct rb_node rb;
	pgoff_t pgoff;
	vaddr_t va;
};

void rmap_init(void); /* once, at boot */
void object_maps_init(struct object_maps *maps);

/* => may sleep */
void rmap_link_insert(struct object_maps *maps, struct rmap_link *link);
void rmap_link_remove(struct object_maps *maps, struct rmap_link *link);
/* => maps->lock held for writing */
void rmap_link_insert_locked(struct object_maps *maps, struct rmap_link *link);
void rmap_link_remove_locked(struct object_maps *maps, struct rmap_link *link);

/* Where the link shows page @index, and the other way round. */
static inline vaddr_t rmap_link_va(const struct rmap_link *link, pgoff_t index)
{
	return link->va + ((index - link->node.first) << PAGE_SHIFT);
}

static inline pgoff_t rmap_link_pgoff(const struct rmap_link *link, vaddr_t va)
{
	return link->node.first + ((va - link->va) >> PAGE_SHIFT);
}

/* The index of (@maps, @pt), created on first use; one more user. ERR_PTR(-ENOMEM). => may sleep */
struct nonlinear_index *nonlinear_index_get(struct object_maps *maps, struct pgtable *pt);
void nonlinear_index_ref(struct nonlinear_index *idx);
void nonlinear_index_put(struct nonlinear_index *idx);

/* Nodes are made before any lock is taken, so that nothing can fail mid-way. */
struct nonlinear_node *nonlinear_node_alloc(void);
void nonlinear_node_free(struct nonlinear_node *node);
/* Make room for more buckets if the table is full; that it fails only makes the trees deeper. => may sleep, no lock */
void nonlinear_index_grow(struct nonlinear_index *idx);
/* => maps->lock held for writing */
void nonlinear_index_add(struct nonlinear_index *idx, struct nonlinear_node *node, pgoff_t pgoff, vaddr_t va);
/* Unlinks and returns the node of exactly this entry; asserts it exists. The caller frees or reuses it. */
struct nonlinear_node *nonlinear_index_del(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va);

/* The first node of @pgoff, and the next one of the same offset; NULL: no more. => maps->lock held */
struct nonlinear_node *nonlinear_index_find(const struct nonlinear_index *idx, pgoff_t pgoff);
struct nonlinear_node *nonlinear_index_find_next(struct nonlinear_node *node);
/* All nodes with offsets in [first, last], in no order: starts with @prev NULL. => maps->lock held */
struct nonlinear_node *nonlinear_index_scan(const struct nonlinear_index *idx, pgoff_t first, pgoff_t last,
                                            struct nonlinear_node *prev);

/* One entry that maps the page; called under its PTL. Return false to stop the walk. */
struct rmap_hit {
	struct pgtable *pt;
	vaddr_t va;
	struct hw_pte *hw;
	pte_t pte;
	unsigned flags; /* RMAP_*, of the range; off position: what the entry needs */
};
typedef bool rmap_visit_t(const struct rmap_hit *hit, void *ctx);
/* Is the visitor going to take something away? Then the entries' secondary MMUs hear of it (mm/pgtable/notifier.h). */
enum rmap_intent { RMAP_CHANGES, RMAP_LOOKS };
/* Every entry that maps cached page @page, which is page @index of the object. => page locked; may sleep */
void rmap_walk_file(struct object_maps *maps, struct page *page, enum rmap_intent intent, rmap_visit_t *visit,
                    void *ctx);
/* The same for who reclaims and may hold maps->lock himself: false, and nothing was visited, if it is taken. */
bool rmap_try_walk_file(struct object_maps *maps, struct page *page, enum rmap_intent intent, rmap_visit_t *visit,
                        void *ctx);

/* For mm/rmap: visit the entries at which the links of @tree show page @index; false: a visit stopped the walk.
 * => the tree's lock held */
struct rmap_walk {
	struct page *page;
	enum rmap_intent intent;
	rmap_visit_t *visit;
	void *ctx;
};
bool rmap_walk_links(const struct rmap_walk *w, const struct itree_root *tree, pgoff_t index);

/* Write-protect and clean every mapping of @page, flush; returns true if any entry was dirty or writable.
 * => page locked */
bool rmap_mkclean(struct object_maps *maps, struct page *page);

#endif
