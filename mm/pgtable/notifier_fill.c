/*
 * notifier_fill.c - a translation is made: the check that every fill of a secondary MMU passes.
 *
 * Layer 4 (mm/pgtable).  Interface and theory: notifier.h.
 */
#include "mm/pgtable/notifier_internal.h"

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
		mmu_notifier_count(&mmu_notifier_stat.retries);
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
