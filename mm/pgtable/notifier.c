/*
 * notifier.c - ranges in flight, subscriptions, and the check that every fill of a secondary MMU passes.
 *
 * Layer 4 (mm/pgtable).  Interface and theory: notifier.h.  Lock order: n->lock, sub->lock.
 *
 * How long does what live?  The tree owns its struct mmu_notifiers until pgtable_destroy(): whoever changes entries of a tree
 * keeps the tree, so he needs no reference.  Each subscription has one too, and may outlive the tree; then n->pt is NULL.
 * A subscription is in n->subs from mmu_subscribe() to mmu_unsubscribe(); while one of its sleeping callbacks runs (busy) it
 * stays there, so that the walk over the tree can go on from it.
 *
 * Why one lock for each address space is enough: a flush that other CPUs are interrupted for costs far more than this.
 */
#include "mm/pgtable/notifier.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/trace.h"
#include "kernel/sync/wait.h"
#include "mm/pgtable/huge.h"
#include "mm/phys/slab.h"

struct mmu_notifiers {
	spinlock_t lock;
	int refs;               /* atomic */
	struct pgtable *pt;     /* NULL: it has come to its end */
	struct itree_root subs; /* mmu_subscription.node */
	struct itree_root flying;
	unsigned long nr_flying;
	unsigned long serial;   /* of the last range */
	bool settled;           /* no operation is under way that does not know of us */
	struct wait_queue wait; /* for a range to land, for a callback to return */
};

struct mmu_notifier_stat mmu_notifier_stat;

static void count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static struct mmu_subscription *sub_of(struct itree_node *node)
{
	return container_of(node, struct mmu_subscription, node);
}

static void put(struct mmu_notifiers *n)
{
	if (__atomic_sub_fetch(&n->refs, 1, __ATOMIC_SEQ_CST) == 0)
		kfree(n);
}

/* -- subscribing ------------------------------------------------------------------------------------------------- */

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
	count(&mmu_notifier_stat.subscriptions);
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

/* A callback of @sub begins: it stays in the tree. => n->lock held, let go of */
static void call_begin(struct mmu_notifiers *n, struct mmu_subscription *sub)
{
	sub->busy++;
	spin_unlock(&n->lock);
}

/* => n->lock held */
static void call_done(struct mmu_notifiers *n, struct mmu_subscription *sub)
{
	if (--sub->busy == 0)
		wake_up_all(&n->wait);
}

/* It has returned. => n->lock taken again */
static void call_end(struct mmu_notifiers *n, struct mmu_subscription *sub)
{
	spin_lock(&n->lock);
	call_done(n, sub);
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

/* -- ranges ---------------------------------------------------------------------------------------------------------- */

/* Does the range concern the subscription: was that there when it began? => n->lock held */
static bool knows(const struct mmu_subscription *sub, const struct mmu_range *r)
{
	return !sub->released && sub->since < r->serial;
}

/* end() for those whose start() was called, in their order, up to @stop. => n->lock held; let go of in between */
static void call_ends(struct mmu_notifiers *n, const struct mmu_range *r, const struct mmu_subscription *stop)
{
	struct itree_node *node;

	itree_for_each(node, &n->subs, r->node.first, r->node.last) {
		struct mmu_subscription *sub = sub_of(node);

		if (sub == stop)
			break;
		if (!sub->ops->start || !knows(sub, r))
			continue;
		sub->ends++;
		if (!sub->ops->end)
			continue;
		call_begin(n, sub);
		sub->ops->end(sub, r);
		call_end(n, sub);
	}
}

/* start() for all; if one refuses, end() for those before it. => n->lock held; let go of in between */
static int call_starts(struct mmu_notifiers *n, const struct mmu_range *r)
{
	struct itree_node *node;

	itree_for_each(node, &n->subs, r->node.first, r->node.last) {
		struct mmu_subscription *sub = sub_of(node);
		int err;

		if (!sub->ops->start || !knows(sub, r))
			continue;
		sub->starts++;
		call_begin(n, sub);
		err = sub->ops->start(sub, r);
		spin_lock(&n->lock);
		if (err) {
			ASSERT(err == -EAGAIN && !r->blockable);
			sub->refused++;
			call_ends(n, r, sub);
		}
		call_done(n, sub);
		if (err)
			return err;
	}
	return 0;
}

/* => n->lock held */
static void land(struct mmu_notifiers *n, struct mmu_range *r)
{
	itree_remove(&n->flying, &r->node);
	n->nr_flying--;
	wake_up_all(&n->wait);
}

static int tell_too_early(struct mmu_range *r, vaddr_t start, vaddr_t end)
{
	mmu_invalidate(r->notifiers, start, end);
	r->notifiers = NULL;
	SYNC_POINT("notify-started");
	return 0;
}

int mmu_range_begin(struct mmu_range *r, vaddr_t start, vaddr_t end, enum mmu_event event, bool blockable)
{
	struct mmu_notifiers *n = r->notifiers;
	int err;

	if (MUTATION(1)) /* M1: they are told before the entry is cleared, and nothing keeps them from coming back */
		return tell_too_early(r, start, end);
	r->node.first = start;
	r->node.last = end - 1;
	r->event = event;
	r->blockable = blockable;
	count(&mmu_notifier_stat.ranges);
	spin_lock(&n->lock);
	r->serial = ++n->serial;
	itree_insert(&n->flying, &r->node);
	n->nr_flying++;
	err = call_starts(n, r);
	if (err)
		land(n, r);
	spin_unlock(&n->lock);
	if (!err)
		SYNC_POINT("notify-started");
	return err;
}

void mmu_range_end(struct mmu_range *r)
{
	struct mmu_notifiers *n = r->notifiers;

	if (DEBUG && !MUTATION(1) && !MUTATION(10) && n->settled)
		ASSERT(mmu_notifiers_check(n, r->node.first, r->node.last + 1, 1) == 0);
	spin_lock(&n->lock);
	call_ends(n, r, NULL);
	land(n, r);
	spin_unlock(&n->lock);
}

/* => n->lock held */
static void invalidate_one(struct mmu_subscription *sub, vaddr_t start, vaddr_t end)
{
	spin_lock(&sub->lock);
	sub->seq++;
	sub->recent[sub->seq % MMU_RECENT].start = start;
	sub->recent[sub->seq % MMU_RECENT].end = end;
	if (sub->ops->invalidate)
		sub->ops->invalidate(sub, start, end);
	spin_unlock(&sub->lock);
	count(&mmu_notifier_stat.callbacks);
}

void mmu_invalidate(struct mmu_notifiers *n, vaddr_t start, vaddr_t end)
{
	struct itree_node *node;

	SYNC_POINT("flush-before-notify");
	spin_lock(&n->lock);
	itree_for_each(node, &n->subs, start, end - 1)
		if (!sub_of(node)->released)
			invalidate_one(sub_of(node), start, end);
	spin_unlock(&n->lock);
	TRACE(TRACE_NOTIFY, n->pt, start, 0, 0, end);
}

bool mmu_ask_young(struct mmu_notifiers *n, vaddr_t start, vaddr_t end, bool clear, bool flush)
{
	struct itree_node *node;
	bool young = false;

	spin_lock(&n->lock);
	itree_for_each(node, &n->subs, start, end - 1) {
		struct mmu_subscription *sub = sub_of(node);

		if (sub->released || !sub->ops->young)
			continue;
		spin_lock(&sub->lock);
		young |= sub->ops->young(sub, start, end, clear, flush);
		spin_unlock(&sub->lock);
		if (young && !clear)
			break;
	}
	spin_unlock(&n->lock);
	return young;
}

/* -- filling ---------------------------------------------------------------------------------------------------------- */

unsigned long mmu_fill_begin(struct mmu_subscription *sub)
{
	return __atomic_load_n(&sub->seq, __ATOMIC_SEQ_CST);
}

/* Has an invalidation after the first @seq hit @va?  Who cannot remember says yes. => sub->lock held */
static bool hit_since(const struct mmu_subscription *sub, unsigned long seq, vaddr_t va)
{
	if (sub->seq - seq > MMU_RECENT)
		return true;
	for (unsigned long i = seq + 1; i != sub->seq + 1; i++)
		if (sub->recent[i % MMU_RECENT].start <= va && va < sub->recent[i % MMU_RECENT].end)
			return true;
	return false;
}

/* => n->lock held */
static bool in_flight(const struct mmu_notifiers *n, vaddr_t va)
{
	return itree_first(&n->flying, va, va) != NULL;
}

int mmu_fill_install(struct mmu_subscription *sub, vaddr_t va, unsigned long seq,
                     void (*install)(struct mmu_subscription *sub, void *ctx), void *ctx)
{
	struct mmu_notifiers *n = sub->notifiers;
	int err = 0;

	ASSERT(va >= sub->node.first && va <= sub->node.last);
	spin_lock(&n->lock);
	spin_lock(&sub->lock);
	if (sub->released)
		err = -ESRCH;
	else if (in_flight(n, va) && !MUTATION(10)) /* M10: only the sequence is looked at */
		err = -EAGAIN;
	else if (hit_since(sub, seq, va))
		err = -EAGAIN;
	else
		install(sub, ctx);
	spin_unlock(&sub->lock);
	spin_unlock(&n->lock);
	if (err == -EAGAIN)
		count(&mmu_notifier_stat.retries);
	return err;
}

static bool landed(struct mmu_subscription *sub, vaddr_t va)
{
	struct mmu_notifiers *n = sub->notifiers;
	bool yes;

	spin_lock(&n->lock);
	yes = sub->released || !in_flight(n, va);
	spin_unlock(&n->lock);
	return yes;
}

int mmu_fill_wait(struct mmu_subscription *sub, vaddr_t va)
{
	return wait_event_killable(&sub->notifiers->wait, landed(sub, va));
}

/* -- checks ------------------------------------------------------------------------------------------------------------ */

bool mmu_notify_covered(struct pgtable *pt, vaddr_t start, vaddr_t end)
{
	struct mmu_notifiers *n = READ_ONCE(pt->notifiers);
	struct itree_node *node;
	bool covered = false;

	if (!n || !READ_ONCE(n->settled) || MUTATION(1))
		return true;
	spin_lock(&n->lock);
	if (!n->pt || !itree_first(&n->subs, start, end - 1))
		covered = true;
	itree_for_each(node, &n->flying, start, end - 1)
		covered |= node->first <= start && node->last >= end - 1;
	spin_unlock(&n->lock);
	return covered;
}

unsigned long mmu_ranges_in_flight(struct mmu_subscription *sub)
{
	return READ_ONCE(sub->notifiers->nr_flying);
}

/* How many ranges in flight hold @va? => n->lock held */
static unsigned flying_over(const struct mmu_notifiers *n, vaddr_t va)
{
	struct itree_node *node;
	unsigned found = 0;

	itree_for_each(node, &n->flying, va, va)
		found++;
	return found;
}

/* The CPU's entry must show the same page and allow as much. */
static bool agrees(const struct mmu_translation *t, pte_t pte)
{
	return pte_has_page(pte) && pte_accessible(pte) && pte_pfn(pte) == t->pfn && (!t->write || pte_hw_write(pte));
}

/* Is *@t still a translation of @sub that nobody else is about to take away? => PTL held */
static bool stands(struct mmu_notifiers *n, struct mmu_subscription *sub, const struct mmu_translation *t, unsigned own)
{
	struct mmu_translation now = {.va = t->va};
	bool same;

	spin_lock(&n->lock);
	spin_lock(&sub->lock);
	same = !sub->released && flying_over(n, t->va) <= own && sub->ops->look(sub, &now) && now.va == t->va &&
	       now.pfn == t->pfn && now.write == t->write;
	spin_unlock(&sub->lock);
	spin_unlock(&n->lock);
	return same;
}

static bool check_one(struct pgtable *pt, struct mmu_subscription *sub, const struct mmu_translation *t, unsigned own)
{
	struct pt_reading r;
	bool found = pt_read_lock(pt, t->va, &r);
	bool ok = (found && agrees(t, r.pte)) || !stands(sub->notifiers, sub, t, own);

	if (found)
		pt_read_unlock(&r);
	return ok;
}

/* The first translation of @sub at or after t->va. => n->lock held */
static bool next_translation(struct mmu_subscription *sub, struct mmu_translation *t, vaddr_t end)
{
	bool found;

	spin_lock(&sub->lock);
	found = !sub->released && sub->ops->look && sub->ops->look(sub, t) && t->va < end;
	spin_unlock(&sub->lock);
	return found;
}

/* => n->lock held; let go of in between */
static unsigned check_sub(struct mmu_notifiers *n, struct mmu_subscription *sub, vaddr_t start, vaddr_t end,
                          unsigned own)
{
	struct mmu_translation t = {.va = max(start, (vaddr_t)sub->node.first)};
	struct pgtable *pt = n->pt; /* which may come to its end meanwhile, but the caller keeps it */
	unsigned wrong = 0;

	for (; next_translation(sub, &t, end); t.va += PAGE_SIZE) {
		call_begin(n, sub);
		wrong += !check_one(pt, sub, &t, own);
		call_end(n, sub);
	}
	return wrong;
}

unsigned mmu_notifiers_check(struct mmu_notifiers *n, vaddr_t start, vaddr_t end, unsigned own)
{
	struct itree_node *node;
	unsigned wrong = 0;

	spin_lock(&n->lock);
	itree_for_each(node, &n->subs, start, end - 1)
		if (n->pt)
			wrong += check_sub(n, sub_of(node), start, end, own);
	spin_unlock(&n->lock);
	return wrong;
}
