/*
 * notifier_check.c - does any subscriber still translate what the CPUs' entries no longer say?  For assertions and the auditor.
 *
 * Layer 4 (mm/pgtable).  Interface: notifier.h.
 */
#include "mm/pgtable/huge.h"
#include "mm/pgtable/notifier_internal.h"

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
