/*
 * notifier_internal.h - what the files of the notifiers share: who is subscribed to a tree, and what is in flight over it.
 *
 * Layer 4 (mm/pgtable); for notifier*.c only.  Interface and theory: notifier.h.  Lock order: n->lock, sub->lock.
 *
 * Why one lock for each address space is enough: a flush that other CPUs are interrupted for costs far more than this.
 */
#ifndef MM_PGTABLE_NOTIFIER_INTERNAL_H
#define MM_PGTABLE_NOTIFIER_INTERNAL_H

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/sync/wait.h"
#include "mm/pgtable/notifier.h"

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

static inline void mmu_notifier_count(unsigned long *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

static inline struct mmu_subscription *sub_of(struct itree_node *node)
{
	return container_of(node, struct mmu_subscription, node);
}

/* A callback of @sub begins: it stays in the tree. => n->lock held, let go of */
static inline void call_begin(struct mmu_notifiers *n, struct mmu_subscription *sub)
{
	sub->busy++;
	spin_unlock(&n->lock);
}

/* => n->lock held */
static inline void call_done(struct mmu_notifiers *n, struct mmu_subscription *sub)
{
	if (--sub->busy == 0)
		wake_up_all(&n->wait);
}

/* It has returned. => n->lock taken again */
static inline void call_end(struct mmu_notifiers *n, struct mmu_subscription *sub)
{
	spin_lock(&n->lock);
	call_done(n, sub);
}

/* => n->lock held */
static inline bool in_flight(const struct mmu_notifiers *n, vaddr_t va)
{
	return itree_first(&n->flying, va, va) != NULL;
}

#endif
