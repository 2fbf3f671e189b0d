/*
 * anon.c - anonymous families: who belongs to which, and the walk over one.
 *
 * Layer 5a (mm/rmap).  Interface and theory: anon.h.  Lock order: page lock, root->lock, PTL.
 *
 * Why a page may name its family without holding a reference: while an entry maps the page, the entry's range is a
 * member, and members hold one.  A walk looks at the family within an RCU section, only while the page's mapcount is not
 * zero, and takes a reference of its own before it leaves the section.  The page lock keeps the page from being given
 * another family meanwhile (it gets one when it is made, and again when it is mapped out of the swap cache); but for
 * UFFDIO_MOVE, which gives a mapped page another place and family under the lock of the old family's trees, held for
 * writing (anon_page_move()).  So a walk that has that lock looks again whether the page is still of that family.
 */
#include "mm/rmap/anon.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "mm/phys/slab.h"

/*
 * A chain does not grow beyond this, or a program that forks, lives on in the child, forks again ... would pay for all its
 * ancestors for ever.  The next generation's pages then go to its parent's family: any family of the chain will do, the
 * older ones merely have more members to look at.
 */
#define CHAIN_MAX 8

static struct slab_cache family_cache, member_cache;

void anon_init(void)
{
	slab_cache_init(&family_cache, "anon_family", sizeof(struct anon_family));
	slab_cache_init(&member_cache, "anon_member", sizeof(struct anon_member));
}

/* -- families ------------------------------------------------------------------------------------------------- */

static void family_get(struct anon_family *f)
{
	__atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);
}

static bool family_try_get(struct anon_family *f)
{
	int refs = __atomic_load_n(&f->refs, __ATOMIC_RELAXED);

	while (refs > 0)
		if (__atomic_compare_exchange_n(&f->refs, &refs, refs + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return true;
	return false;
}

static void family_free(struct rcu_head *head)
{
	slab_free(&family_cache, container_of(head, struct anon_family, rcu));
}

void anon_family_put(struct anon_family *f)
{
	while (f && __atomic_sub_fetch(&f->refs, 1, __ATOMIC_SEQ_CST) == 0) {
		struct anon_family *root = f->root == f ? NULL : f->root;

		ASSERT(itree_empty(&f->tree));
		rcu_call(&f->rcu, family_free);
		f = root;
	}
}

/* A family of @root's lineage (NULL: of a new one) with one reference. */
static struct anon_family *family_make(struct anon_family *root)
{
	struct anon_family *f = slab_alloc(&family_cache, GFP_KERNEL);

	if (!f)
		return NULL;
	rwsem_init(&f->lock, LOCK_ANON);
	f->tree = ITREE_ROOT;
	f->refs = 1;
	f->root = root ? root : f;
	if (root)
		family_get(root);
	return f;
}

/* -- members ---------------------------------------------------------------------------------------------------- */

#define for_each_member(m, r) list_for_each_entry(m, &(r)->members, of_range)

static struct anon_member *first_member(const struct anon_range *r)
{
	return anon_range_empty(r) ? NULL : container_of(r->members.next, struct anon_member, of_range);
}

static struct anon_member *last_member(const struct anon_range *r)
{
	return anon_range_empty(r) ? NULL : container_of(r->members.prev, struct anon_member, of_range);
}

/* @family's reference passes to the member. */
static struct anon_member *member_make(struct anon_family *family)
{
	struct anon_member *m = slab_alloc(&member_cache, GFP_KERNEL | GFP_ZERO);

	if (m)
		m->family = family;
	return m;
}

static void member_free(struct anon_member *m)
{
	anon_family_put(m->family);
	slab_free(&member_cache, m);
}

/* => not in the tree */
static void member_describe(struct anon_member *m, const struct rmap_link *where)
{
	m->link = (struct rmap_link){.node = {.first = where->node.first, .last = where->node.last},
	                             .pt = where->pt,
	                             .va = where->va,
	                             .flags = where->flags & RMAP_LOCKED};
}

static unsigned chain_length(const struct anon_range *r)
{
	struct anon_member *m;
	unsigned n = 0;

	for_each_member(m, r) n++;
	return n;
}

void anon_range_release(struct anon_range *r)
{
	struct anon_member *m, *next;

	list_for_each_entry_safe(m, next, &r->members, of_range) {
		list_del(&m->of_range);
		member_free(m);
	}
	r->own = NULL;
}

/* Append to @to a member of every family of @from's chain but for the first @skip. 0, or -ENOMEM and @to is empty. */
static int clone_from(struct anon_range *to, const struct anon_range *from, unsigned skip)
{
	struct anon_member *m;

	for_each_member(m, from)
	{
		struct anon_member *copy;

		if (skip) {
			skip--;
			continue;
		}
		copy = member_make(m->family);
		if (!copy) {
			anon_range_release(to);
			return -ENOMEM;
		}
		family_get(m->family);
		list_add_tail(&copy->of_range, &to->members);
	}
	return 0;
}

int anon_range_clone(struct anon_range *to, const struct anon_range *from)
{
	ASSERT(anon_range_empty(to));
	if (clone_from(to, from, 0))
		return -ENOMEM;
	to->own = from->own;
	return 0;
}

/* -- trees -------------------------------------------------------------------------------------------------------- */

static struct rwsem *tree_lock(const struct anon_range *r)
{
	return &first_member(r)->family->root->lock;
}

void anon_range_lock(const struct anon_range *r)
{
	if (!anon_range_empty(r))
		rwsem_write_lock(tree_lock(r));
}

void anon_range_unlock(const struct anon_range *r)
{
	if (!anon_range_empty(r))
		rwsem_write_unlock(tree_lock(r));
}

void anon_range_insert(struct anon_range *r, const struct rmap_link *where)
{
	struct anon_member *m;

	for_each_member(m, r)
	{
		member_describe(m, where);
		itree_insert(&m->family->tree, &m->link.node);
	}
}

void anon_range_remove(struct anon_range *r)
{
	struct anon_member *m;

	for_each_member(m, r) itree_remove(&m->family->tree, &m->link.node);
}

/* -- merging ------------------------------------------------------------------------------------------------------ */

/* Does the longer chain begin with the shorter one? */
bool anon_range_mergeable(const struct anon_range *a, const struct anon_range *b)
{
	const struct list *la = a->members.next, *lb = b->members.next;

	for (; la != &a->members && lb != &b->members; la = la->next, lb = lb->next)
		if (container_of(la, struct anon_member, of_range)->family !=
		    container_of(lb, struct anon_member, of_range)->family)
			return false;
	return true;
}

void anon_range_merge(struct anon_range *to, struct anon_range *from)
{
	struct anon_family *own = to->own ? to->own : from->own;

	if (chain_length(from) > chain_length(to)) {
		own = from->own ? from->own : to->own;
		anon_range_release(to);
		while (!anon_range_empty(from))
			list_move_tail(from->members.next, &to->members);
	} else {
		anon_range_release(from);
	}
	to->own = own;
	from->own = NULL;
}

struct anon_family *anon_range_root(const struct anon_range *r)
{
	return first_member(r)->family;
}

bool anon_range_has(const struct anon_range *r, const struct anon_family *family)
{
	struct anon_member *m;

	for_each_member(m, r) if (m->family == family) return true;
	return false;
}

/* -- the first page -------------------------------------------------------------------------------------------------- */

/* Take a place at the end of the chain. */
static void append(struct anon_range *r, struct anon_member *m, const struct rmap_link *where)
{
	struct rwsem *lock = &m->family->root->lock;

	member_describe(m, where);
	rwsem_write_lock(lock);
	itree_insert(&m->family->tree, &m->link.node);
	rwsem_write_unlock(lock);
	list_add_tail(&m->of_range, &r->members);
}

static int join_new(struct anon_range *r, const struct rmap_link *where)
{
	struct anon_member *first = first_member(r), *m;
	struct anon_family *family = family_make(first ? first->family->root : NULL);

	if (!family)
		return -ENOMEM;
	m = member_make(family);
	if (!m) {
		anon_family_put(family);
		return -ENOMEM;
	}
	append(r, m, where);
	__atomic_store_n(&r->own, family, __ATOMIC_RELEASE);
	return 0;
}

/* Whatever the neighbour is a member of and @r is not yet. */
static int join_neighbour(struct anon_range *r, const struct anon_range *n, const struct rmap_link *where)
{
	struct anon_range rest;
	int err;

	anon_range_init(&rest);
	err = clone_from(&rest, n, chain_length(r));
	if (err)
		return err;
	while (!anon_range_empty(&rest)) {
		struct anon_member *m = first_member(&rest);

		list_del(&m->of_range);
		append(r, m, where);
	}
	__atomic_store_n(&r->own, n->own, __ATOMIC_RELEASE);
	return 0;
}

int anon_range_prepare(struct anon_range *r, const struct anon_range *neighbour, const struct rmap_link *where)
{
	if (r->own)
		return 0;
	if (neighbour && neighbour->own && anon_range_mergeable(r, neighbour) && chain_length(neighbour) >= chain_length(r))
		return join_neighbour(r, neighbour, where);
	if (chain_length(r) < CHAIN_MAX)
		return join_new(r, where);
	__atomic_store_n(&r->own, last_member(r)->family, __ATOMIC_RELEASE);
	return 0;
}

/* -- a page that is moved -------------------------------------------------------------------------------------------- */

void anon_page_move(struct page *page, struct anon_family *to, pgoff_t index)
{
	ASSERT(rwsem_write_held(&page->family->root->lock));
	page->index = index;
	__atomic_store_n(&page->family, to, __ATOMIC_RELEASE); /* whoever finds the new family finds the new index */
}

/* -- the walk ---------------------------------------------------------------------------------------------------------- */

struct anon_family *anon_page_family(const struct page *page)
{
	struct anon_family *f = NULL;

	rcu_read_lock();
	if (__atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST)) {
		f = READ_ONCE(page->family);
		if (!family_try_get(f))
			f = NULL;
	}
	rcu_read_unlock();
	return f;
}

bool rmap_try_walk_anon(struct page *page, enum rmap_intent intent, rmap_visit_t *visit, void *ctx)
{
	struct rmap_walk w = {.page = page, .intent = intent, .visit = visit, .ctx = ctx};
	struct anon_family *f;
	bool locked, stale;

	ASSERT(page_test(page, PG_LOCKED) && page_test(page, PG_ANON));
	if (page_test(page, PG_MERGED))
		return false;
	do {
		f = anon_page_family(page);
		if (!f)
			return true;
		locked = rwsem_read_trylock(&f->root->lock);
		stale = locked && READ_ONCE(page->family) != f; /* it was moved before we had the lock */
		if (locked && !stale)
			rmap_walk_links(&w, &f->tree, page->index);
		if (locked)
			rwsem_read_unlock(&f->root->lock);
		anon_family_put(f);
	} while (stale);
	return locked;
}

void rmap_walk_family(struct anon_family *f, struct page *page, enum rmap_intent intent, rmap_visit_t *visit, void *ctx)
{
	struct rmap_walk w = {.page = page, .intent = intent, .visit = visit, .ctx = ctx};

	rwsem_read_lock(&f->root->lock);
	rmap_walk_links(&w, &f->tree, page->index);
	rwsem_read_unlock(&f->root->lock);
}
