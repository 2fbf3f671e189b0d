/*
 * notifier_range.c - translations are taken away: ranges in flight, and what their subscribers hear.
 *
 * Layer 4 (mm/pgtable).  Interface and theory: notifier.h.
 */
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/trace.h"
#include "mm/pgtable/notifier_internal.h"

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
	mmu_notifier_count(&mmu_notifier_stat.ranges);
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
	mmu_notifier_count(&mmu_notifier_stat.callbacks);
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
