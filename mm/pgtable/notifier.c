/*
 * notifier.c - who is subscribed to a tree, from subscribing to release.
 *
 * Layer 4 (mm/pgtable).  Interface and theory: notifier.h.
 *
 * How long does what live?  The tree owns its struct mmu_notifiers until pgtable_destroy(): whoever changes entries of a tree
 * keeps the tree, so he needs no reference.  Each subscription has one too, and may outlive the tree; then n->pt is NULL.
 * A subscription is in n->subs from mmu_subscribe() to mmu_unsubscribe(); while one of its sleeping callbacks runs (busy) it
 * stays there, so that the walk over the tree can go on from it.
 */
#include "mm/pgtable/notifier_internal.h"
#include "mm/phys/slab.h"

struct mmu_notifier_stat mmu_notifier_stat;

static void put(struct mmu_notifiers *n)
{
	if (__atomic_sub_fetch(&n->refs, 1, __ATOMIC_SEQ_CST) == 0)
		kfree(n);
}

static struct mmu_notifiers *make(struct pgtable *pt)
{
	struct mmu_notifiers *n = kzalloc(sizeof(*n), GFP_KERNEL);

	if (!n)
		return NULL;
	spin_init(&n->lock, LOCK_NOTIFIER);
	n->refs = 1;
	n->pt = pt;
	n->subs = n->flying = ITREE_ROOT;
	wait_queue_init(&n->wait);
	return n;
}

/* The tree's, made now if it has none. Two may try at once. */
static struct mmu_notifiers *get_or_make(struct pgtable *pt)
{
	struct mmu_notifiers *n = READ_ONCE(pt->notifiers), *seen = NULL;

	if (n)
		return n;
	n = make(pt);
	if (n && !__atomic_compare_exchange_n(&pt->notifiers, &seen, n, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		kfree(n);
		n = seen;
	}
	return n;
}

int mmu_subscribe(struct pgtable *pt, struct mmu_subscription *sub, vaddr_t start, size_t length)
{
	struct mmu_notifiers *n;

	if (length == 0 || start > USER_END || length > USER_END - start)
		return -EOVERFLOW;
	n = get_or_make(pt);
	if (!n)
		return -ENOMEM;
	*sub = (struct mmu_subscription){.ops = sub->ops, .notifiers = n};
	sub->node.first = start;
	sub->node.last = start + length - 1;
	spin_init(&sub->lock, LOCK_SUBSCRIBER);
	__atomic_fetch_add(&n->refs, 1, __ATOMIC_RELAXED);
	mmu_notifier_count(&mmu_notifier_stat.subscriptions);
	spin_lock(&n->lock);
	sub->since = n->serial;
	itree_insert(&n->subs, &sub->node);
	spin_unlock(&n->lock);
	return 0;
}

void mmu_notifiers_settle(struct pgtable *pt)
{
	WRITE_ONCE(pt->notifiers->settled, true);
}

bool mmu_notifiers_settled(struct pgtable *pt)
{
	return READ_ONCE(pt->notifiers->settled);
}

/* Call release(), whoever comes first. => n->lock held; let go of in between */
static void release_once(struct mmu_notifiers *n, struct mmu_subscription *sub)
{
	if (sub->released)
		return;
	sub->released = true;
	call_begin(n, sub);
	sub->ops->release(sub);
	call_end(n, sub);
}

/* => n->lock held; let go of in between */
static void wait_idle(struct mmu_notifiers *n, const struct mmu_subscription *sub)
{
	while (sub->busy) {
		spin_unlock(&n->lock);
		wait_event(&n->wait, !READ_ONCE(sub->busy));
		spin_lock(&n->lock);
	}
}

void mmu_unsubscribe(struct mmu_subscription *sub)
{
	struct mmu_notifiers *n = sub->notifiers;

	spin_lock(&n->lock);
	release_once(n, sub);
	wait_idle(n, sub);
	itree_remove(&n->subs, &sub->node);
	wake_up_all(&n->wait); /* mmu_notifiers_release() */
	spin_unlock(&n->lock);
	__atomic_fetch_sub(&mmu_notifier_stat.subscriptions, 1, __ATOMIC_RELAXED);
	put(n);
}

/* One that is not through with release(); *@busy: it is being called elsewhere. => n->lock held */
static struct mmu_subscription *unreleased(struct mmu_notifiers *n, bool *busy)
{
	struct itree_node *node;

	*busy = false;
	itree_for_each(node, &n->subs, 0, ~0UL) {
		if (!sub_of(node)->released)
			return sub_of(node);
		*busy |= sub_of(node)->busy > 0;
	}
	return NULL;
}

static bool all_idle(struct mmu_notifiers *n)
{
	bool busy;

	spin_lock(&n->lock);
	(void)unreleased(n, &busy);
	spin_unlock(&n->lock);
	return !busy;
}

void mmu_notifiers_release(struct pgtable *pt)
{
	struct mmu_notifiers *n = READ_ONCE(pt->notifiers);
	struct mmu_subscription *sub;
	bool busy;

	if (!n)
		return;
	spin_lock(&n->lock);
	while ((sub = unreleased(n, &busy)))
		release_once(n, sub);
	n->pt = NULL;
	spin_unlock(&n->lock);
	/* mmu_unsubscribe() may have been faster and be in the middle of it: nothing is freed before it is done. */
	wait_event(&n->wait, all_idle(n));
}

void mmu_notifiers_free(struct pgtable *pt)
{
	if (!pt->notifiers)
		return;
	ASSERT(pt->notifiers->nr_flying == 0);
	put(pt->notifiers);
	pt->notifiers = NULL;
}

bool mmu_subscription_tree(struct mmu_subscription *sub, bool (*get)(struct pgtable *pt, void *ctx), void *ctx)
{
	struct mmu_notifiers *n = sub->notifiers;
	bool got;

	spin_lock(&n->lock);
	got = n->pt && !sub->released && get(n->pt, ctx);
	spin_unlock(&n->lock);
	return got;
}
