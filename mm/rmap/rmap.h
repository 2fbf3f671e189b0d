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
 * The off-position entries of one page table into one object: a hash table by page offset.  A bucket is a chain of
 * nodes of different offsets; the others of the same offset are that node's crowd, a tree by the bits of their addresses.
 *
 *	bucket -> node, offset 7 -> node, offset 23 -> NULL         link[0]: the next in the chain
 *	                |
 *	              crowd: the other addresses that show page 7   link[1]: its root; within it link[bit]
 *
 * Finding, adding, moving and removing an entry costs O(1) when offsets are spread and O(log k) when k addresses show
 * one page.  A node is four words, and the buckets add one word an entry.
 */
struct nonlinear_node {
	struct nonlinear_node *link[2];
	pgoff_t pgoff;
	vaddr_t va;
};

#define NONLINEAR_LOAD 1 /* nodes a bucket */
_Static_assert(sizeof(struct nonlinear_node) + sizeof(void *) / NONLINEAR_LOAD <= 40,
               "an off-position entry costs at most 40 bytes");

struct nonlinear_index {
	struct nonlinear_node ***pages; /* of buckets; the table grows bucket by bucket */
	unsigned nr_pages, max_pages;
	unsigned long nr_buckets;
	unsigned long mask;            /* 2^n - 1 >= nr_buckets - 1 */
	unsigned long count;           /* nodes, those of copies too */
	struct nonlinear_node *copies; /* a crowd: entries whose page is now a private copy, but that stand for an offset */
	unsigned long nr_copies;
	struct nonlinear_node *spare; /* nodes at hand, chained through link[0] */
	unsigned long nr_spare;
	struct pgtable *pt;
	struct object_maps *maps;
	struct list link; /* maps->nonlinear */
	unsigned users;   /* vmas that share it; maps->lock */
	unsigned locked;  /* of these, how many are mlocked; maps->lock */
};

/* Goes over the nodes of some offsets.  A crowd is no deeper than an address has bits above the page offset, and of
 * each level at most one branch is still to be visited. */
struct nonlinear_cursor {
	const struct nonlinear_index *idx;
	pgoff_t first, last;
	unsigned long at; /* the next bucket; or, if there are fewer offsets than buckets, the next offset - first */
	bool by_offset;
	struct nonlinear_node *head; /* of the chain, visited last */
	unsigned depth;
	struct nonlinear_node *todo[8 * sizeof(vaddr_t) - PAGE_SHIFT + 1];
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

/*
 * Nodes are made before any lock is taken, so that nothing can fail mid-way.  The index keeps some: whoever is going to
 * need up to n of them sees under maps->lock whether nr_spare >= n, and if not gives the lock back, has them made, and
 * looks again.  _stock: 0 or -ENOMEM; it also makes room for more buckets, and that this fails only makes the chains
 * longer. => may sleep, no lock
 */
int nonlinear_index_stock(struct nonlinear_index *idx, unsigned long n);
/* Room in the table for @n nodes more at once, as far as there is memory for it: it grows by a page at a time otherwise.
 * => may sleep, no lock */
void nonlinear_index_reserve(struct nonlinear_index *idx, unsigned long n);
/* Free what an index need not keep. => may sleep, no lock */
void nonlinear_index_trim(struct nonlinear_index *idx);
#define NONLINEAR_SPARE 1024 /* what it may keep */
void nonlinear_node_free(struct nonlinear_node *node);

static inline void nonlinear_index_keep(struct nonlinear_index *idx, struct nonlinear_node *node)
{
	node->link[0] = idx->spare;
	idx->spare = node;
	idx->nr_spare++;
}

/* => maps->lock held for writing */
void nonlinear_index_add(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va); /* takes a spare node */
/* Unlinks and returns the node of exactly this entry; asserts it exists. The caller frees or keeps it. */
struct nonlinear_node *nonlinear_index_del(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va);
/* The entry at @va stands for @to, no longer for @from; off position before and after. */
void nonlinear_index_move(struct nonlinear_index *idx, vaddr_t va, pgoff_t from, pgoff_t to);

/*
 * A private copy comes to stand in for page @pgoff at @va: from now on no search for @pgoff finds that entry, but the
 * index remembers what it stands for, and the functions above know it.  And back, when the copy is dropped.
 * => maps->lock held for writing
 */
void nonlinear_index_to_copy(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va);
void nonlinear_index_from_copy(struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va);
/* What the private copy at @va stands for: @linear if it is not off position. => maps->lock held */
pgoff_t nonlinear_index_copied(const struct nonlinear_index *idx, vaddr_t va, pgoff_t linear);

/* Has exactly this entry a node? => maps->lock held */
bool nonlinear_index_has(const struct nonlinear_index *idx, pgoff_t pgoff, vaddr_t va);
/* All nodes with offsets in [first, last] but copies', in no order: begin, then next until NULL. => maps->lock held, no change of
 * the index meanwhile */
void nonlinear_index_begin(struct nonlinear_cursor *c, const struct nonlinear_index *idx, pgoff_t first, pgoff_t last);
struct nonlinear_node *nonlinear_index_next(struct nonlinear_cursor *c);

/* One entry that maps the page; called under its PTL. Return false to stop the walk. */
struct rmap_hit {
	struct pgtable *pt;
	vaddr_t va;
	struct hw_pte *hw;
	pte_t pte;
	unsigned flags; /* RMAP_*, of the range; off position: what the entry needs */
	bool huge;      /* hw is a huge entry, of which pte is the page's part: only for RMAP_LOOKS */
};
typedef bool rmap_visit_t(const struct rmap_hit *hit, void *ctx);
enum rmap_intent {
	RMAP_CHANGES,  /* takes something away: the entries' secondary MMUs hear of it (mm/pgtable/notifier.h) */
	RMAP_LOOKS,    /* takes nothing away */
	RMAP_RESTORES, /* visits the migration entries that name the page, and no others */
};
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
 * *@entries: how many map it (may be NULL). => page locked */
bool rmap_mkclean(struct object_maps *maps, struct page *page, unsigned *entries);

#endif
