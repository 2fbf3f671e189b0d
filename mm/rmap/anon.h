/*
 * anon.h - anonymous families: from an anonymous page to every entry that may map it, without scanning.
 *
 * Layer 5a (mm/rmap).  An anonymous page has no object that could hold reverse links, so a *family* does: the page
 * names its family and its linear index, the family has a tree of the ranges that may show its pages.
 *
 *   parent's range P        fork        child's range C          fork        grandchild's range G
 *   members: [F1]         -------->     members: [F1]           -------->    members: [F1 F2]
 *   new pages: F1                       first own page: +F2                  first own page: +F3
 *
 *   tree of F1: P C G          tree of F2: C G          tree of F3: G
 *
 * So a page made by G is looked for in G alone, one that all three share in all three.  A range's members form a chain,
 * oldest first; a child's begins with its parent's.  The first is the *root* of the whole tree of forks; its lock
 * guards the trees of all of them.
 *
 * The rule that makes it work (audited): whatever may map a page lies in the tree of the page's family.  Whoever can
 * come by a page that he did not make got it by fork, and is a member of every family his parent was in.
 */
#ifndef MM_RMAP_ANON_H
#define MM_RMAP_ANON_H

#include "kernel/sync/rcu.h"
#include "mm/rmap/rmap.h"

struct anon_family {
	struct anon_family *root; /* the oldest; itself, or a reference is owned */
	struct rwsem lock;        /* the root's only, rank LOCK_ANON: the trees of all families with this root */
	struct itree_root tree;   /* anon_member.link */
	int refs;                 /* members, families whose root this is, walks; atomic */
	struct rcu_head rcu;
};

/* One range's membership of one family. */
struct anon_member {
	struct rmap_link link; /* in family->tree: where the range shows which linear indexes */
	struct anon_family *family;
	struct list of_range; /* anon_range.members */
};

/* A range of private memory; embedded in a vma. */
struct anon_range {
	struct list members;     /* anon_member, oldest family first. w: mmap lock for writing, or anon_range_prepare() */
	struct anon_family *own; /* the family of pages made from now on; NULL: made at the first one */
};

void anon_init(void); /* once, at boot */

static inline void anon_range_init(struct anon_range *r)
{
	list_init(&r->members);
	r->own = NULL;
}

/* Is it of no family: has it never had an anonymous page? */
static inline bool anon_range_empty(const struct anon_range *r)
{
	return list_empty(&r->members);
}

/* A family for @r's next page: joins @neighbour's (may be NULL: an adjacent range of equal kind, so that the two can be
 * merged one day), or a new one.  @where describes the range. 0 or -ENOMEM.
 * => mmap lock held for reading, and the lock that lets only one thread of an address space in here; may sleep */
int anon_range_prepare(struct anon_range *r, const struct anon_range *neighbour, const struct rmap_link *where);

/* @to, empty, becomes a member of what @from is one of; the trees do not know it yet. 0, or -ENOMEM and empty.
 * => mmap lock of @from held for writing, may sleep */
int anon_range_clone(struct anon_range *to, const struct anon_range *from);
/* Leave every family. => in no tree */
void anon_range_release(struct anon_range *r);

/* The lock of its trees; nothing for an empty range. => may sleep */
void anon_range_lock(const struct anon_range *r);
void anon_range_unlock(const struct anon_range *r);
/* Into the trees as @where says, and out. => anon_range_lock() */
void anon_range_insert(struct anon_range *r, const struct rmap_link *where);
void anon_range_remove(struct anon_range *r);

/* May the two become one range?  One's chain must begin with all of the other's. */
bool anon_range_mergeable(const struct anon_range *a, const struct anon_range *b);
/* @to takes over @from's chain if that is the longer one; @from is empty afterwards. => both in no tree, mergeable */
void anon_range_merge(struct anon_range *to, struct anon_range *from);

/* @page, mapped by one entry only, is going to be mapped at linear index @index of a range that is a member of @to.
 * => anon_range_lock() of a range that its family is a member of; the PTLs of both entries */
void anon_page_move(struct page *page, struct anon_family *to, pgoff_t index);

/* The family that every range which may map a shared page of @r belongs to. => not empty */
struct anon_family *anon_range_root(const struct anon_range *r);
bool anon_range_has(const struct anon_range *r, const struct anon_family *family);

/* Every entry that maps anonymous page @page; false, and nothing was visited: its family's lock is taken (who reclaims may hold
 * that very lock, so it is only tried), or it is merged and nobody knows. => page locked */
bool rmap_try_walk_anon(struct page *page, enum rmap_intent intent, rmap_visit_t *visit, void *ctx);

/* For who takes away every entry and must find the places again: the family of @page with a reference, as long as an entry
 * maps the page; NULL. => page locked */
struct anon_family *anon_page_family(const struct page *page);
void anon_family_put(struct anon_family *family); /* NULL: nothing to do */
/* The walk over @family, for a @page that nobody moves to another one meanwhile. => may sleep */
void rmap_walk_family(struct anon_family *family, struct page *page, enum rmap_intent intent, rmap_visit_t *visit,
                      void *ctx);

#endif
