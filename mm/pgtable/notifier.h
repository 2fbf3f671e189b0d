/*
 * notifier.h - secondary MMUs: who else translates the addresses of a tree, and how they hear that a translation is gone.
 *
 * Layer 4 (mm/pgtable).  Subject: thread 3; docs/notifiers.md tells the story.
 *
 * A *subscriber* (a device with page tables of its own, a virtual machine's nested tables) keeps translations of a range of
 * some address space without holding the pages.  What makes that safe:
 *
 *   whoever takes a translation away           subscriber's fault
 *     start   range in flight; may sleep         seq = mmu_fill_begin()
 *     clear the entries (PTL)                     get the page through the CPU's entry (may sleep)
 *     flush   every TLB, then every subscriber    mmu_fill_install(): refused if a range in flight holds the
 *     end     range no longer in flight                address, or an invalidation has hit it since seq
 *     free
 *
 * Only what overlaps meets: ranges in flight and subscriptions are kept in interval trees, and a subscription remembers which
 * addresses its last invalidations hit.  Without subscribers a hook is a load and a branch.
 *
 * Two kinds of subscriber:
 *   prompt         has invalidate(): drops its translations at once, never sleeps
 *   acknowledging  has start(): must wait for an answer from far away, so it drops them before the entries are cleared;
 *                  that nothing comes back before the end is what ranges in flight are for
 *
 * Lock order: [mmap lock, maps.lock, PTL], notifiers lock, subscription lock, [object pages, slab, ...].
 */
#ifndef MM_PGTABLE_NOTIFIER_H
#define MM_PGTABLE_NOTIFIER_H

#include "kernel/lib/interval_tree.h"
#include "kernel/lib/mutation.h"
#include "mm/pgtable/pgtable.h"

/* What is going to happen to the range. */
enum mmu_event {
	MMU_UNMAP,        /* the mapping goes, or moves */
	MMU_CLEAR,        /* the pages go or are replaced, the mapping stays */
	MMU_PROTECT_VMA,  /* permissions change */
	MMU_PROTECT_PAGE, /* entries become read-only, of the same pages */
};

struct mmu_notifiers; /* of one tree, from its first subscription on */

/* One operation between start and end. On its caller's stack. */
struct mmu_range {
	struct mmu_notifiers *notifiers; /* NULL: nobody had subscribed when it began */
	struct itree_node node;          /* of addresses, last included; in flight */
	unsigned long serial;
	enum mmu_event event;
	bool blockable; /* start() may sleep */
};

struct mmu_subscription;

/* One translation, for who wants to check them. */
struct mmu_translation {
	vaddr_t va;
	pfn_t pfn;
	bool write;
};

struct mmu_subscriber_ops {
	/* The range is about to change. => no spinlock held; sleeps only if range->blockable, else -EAGAIN when it would have
	 * to: then nothing is changed, and end() is not called.  No allocation: memory may be what the caller is short of. */
	int (*start)(struct mmu_subscription *sub, const struct mmu_range *range);
	void (*end)(struct mmu_subscription *sub, const struct mmu_range *range);
	/* The entries of [start, end) have changed, no CPU uses the old ones: neither must we when this returns.
	 * => sub->lock held, PTLs may be; never sleeps, never allocates */
	void (*invalidate)(struct mmu_subscription *sub, vaddr_t start, vaddr_t end);
	/* Was [start, end) used since it was last cleared?  @clear: forget it; @flush: and notice the next use at once.
	 * => as invalidate() */
	bool (*young)(struct mmu_subscription *sub, vaddr_t start, vaddr_t end, bool clear, bool flush);
	/* The address space ends, or the subscription: drop every translation. Once. => may sleep; fills are refused already */
	void (*release)(struct mmu_subscription *sub);
	/* For checks: the first translation at or after t->va; false: none. => sub->lock held */
	bool (*look)(struct mmu_subscription *sub, struct mmu_translation *t);
};

#define MMU_RECENT 32

struct mmu_subscription {
	struct itree_node node; /* of addresses, last included */
	struct mmu_notifiers *notifiers;
	const struct mmu_subscriber_ops *ops;
	spinlock_t lock;   /* LOCK_SUBSCRIBER: its translations, and: */
	unsigned long seq; /* invalidations that hit it */
	struct {
		vaddr_t start, end;
	} recent[MMU_RECENT]; /* invalidation n is at n % MMU_RECENT */
	/* under the notifiers' lock: */
	unsigned long since; /* ranges with this serial or an older one began without it */
	unsigned busy;       /* start(), end(), release() under way */
	bool released;
	unsigned long starts, ends, refused; /* start() called, ended, said EAGAIN */
};

/* What was done for subscribers since boot; atomic. */
struct mmu_notifier_stat {
	unsigned long subscriptions; /* now */
	unsigned long ranges;        /* that had to be put in flight */
	unsigned long callbacks;     /* invalidate() */
	unsigned long retries;       /* fills that were refused */
};
extern struct mmu_notifier_stat mmu_notifier_stat;

/* -- subscribing ------------------------------------------------------------------------------------------------- */

/* From now on @sub hears of what happens in [start, start + length).  0, -ENOMEM, -EOVERFLOW (empty, or beyond the user's
 * addresses).  => sub->ops set; the tree is alive and stays so for the call; may sleep.
 * The first of a tree: operations under way do not know of it; see mmu_notifiers_settle(). */
int mmu_subscribe(struct pgtable *pt, struct mmu_subscription *sub, vaddr_t start, size_t length);
/* Every operation that began before the first subscription has ended. */
void mmu_notifiers_settle(struct pgtable *pt);
bool mmu_notifiers_settled(struct pgtable *pt);
/* release(), unless the end of the address space was faster, and no callback any more. => may sleep, no lock that a
 * callback takes */
void mmu_unsubscribe(struct mmu_subscription *sub);
/* The end of the address space: release() for all. => before anything is unmapped, may sleep */
void mmu_notifiers_release(struct pgtable *pt);
void mmu_notifiers_free(struct pgtable *pt); /* nobody will flush or start any more */
/* Call get(tree) if the tree has not come to its end, under the lock that its end takes; its value, or false. */
bool mmu_subscription_tree(struct mmu_subscription *sub, bool (*get)(struct pgtable *pt, void *ctx), void *ctx);

/* -- filling ------------------------------------------------------------------------------------------------------- */

/* Before the look at the CPU's entry. => any context */
unsigned long mmu_fill_begin(struct mmu_subscription *sub);
/* Call install(@sub, @ctx), which makes the translation of @va, unless it could be stale: then -EAGAIN.  -ESRCH: released.
 * => a reference on the page that is installed, until this returns; install() runs under sub->lock */
int mmu_fill_install(struct mmu_subscription *sub, vaddr_t va, unsigned long seq,
                     void (*install)(struct mmu_subscription *sub, void *ctx), void *ctx);
/* Until no range in flight holds @va: 0 or -EINTR (killed). => may sleep; no lock that such a range may wait for */
int mmu_fill_wait(struct mmu_subscription *sub, vaddr_t va);

/* -- the hooks: for whoever changes entries -------------------------------------------------------------------------- */

int mmu_range_begin(struct mmu_range *r, vaddr_t start, vaddr_t end, enum mmu_event event, bool blockable);
void mmu_range_end(struct mmu_range *r);
void mmu_invalidate(struct mmu_notifiers *n, vaddr_t start, vaddr_t end);
bool mmu_ask_young(struct mmu_notifiers *n, vaddr_t start, vaddr_t end, bool clear, bool flush);

/* => may sleep; pairs with mmu_notify_end() */
static inline void mmu_notify_start(struct mmu_range *r, struct pgtable *pt, vaddr_t start, vaddr_t end,
                                    enum mmu_event event)
{
	r->notifiers = READ_ONCE(pt->notifiers);
	if (unlikely(r->notifiers))
		(void)mmu_range_begin(r, start, end, event, true);
}

/* 0, or -EAGAIN: a subscriber would have to sleep; leave the entries alone, do not call mmu_notify_end(). => any
 * context without a PTL */
static inline int __must_check mmu_notify_try_start(struct mmu_range *r, struct pgtable *pt, vaddr_t start, vaddr_t end,
                                                    enum mmu_event event)
{
	r->notifiers = READ_ONCE(pt->notifiers);
	return unlikely(r->notifiers) ? mmu_range_begin(r, start, end, event, false) : 0;
}

/* The entries are changed, everything is flushed; pages may be freed from here on. => no PTL held */
static inline void mmu_notify_end(struct mmu_range *r)
{
	if (unlikely(r->notifiers))
		mmu_range_end(r);
}

/* After the CPUs' TLBs: the secondary ones. pgtable_flush_range() calls it. => any lock above the notifiers' */
static inline void mmu_notify_flush(struct pgtable *pt, vaddr_t start, vaddr_t end)
{
	struct mmu_notifiers *n = READ_ONCE(pt->notifiers);

	if (unlikely(n) && !MUTATION(1)) /* M1: they were told in mmu_range_begin() */
		mmu_invalidate(n, start, end);
}

/* Has a subscriber used [start, end)?  Accessed = the CPU's bit or this (R3.4).  M22: only the CPU's */
static inline bool mmu_notify_clear_young(struct pgtable *pt, vaddr_t start, vaddr_t end, bool flush)
{
	struct mmu_notifiers *n = READ_ONCE(pt->notifiers);

	return unlikely(n) && !MUTATION(22) && mmu_ask_young(n, start, end, true, flush);
}

static inline bool mmu_notify_test_young(struct pgtable *pt, vaddr_t start, vaddr_t end)
{
	struct mmu_notifiers *n = READ_ONCE(pt->notifiers);

	return unlikely(n) && !MUTATION(22) && mmu_ask_young(n, start, end, false, false);
}

/* -- checks ---------------------------------------------------------------------------------------------------------- */

/* May entries of [start, end) be changed now: is nobody subscribed there, or is it in flight?  For assertions. */
bool mmu_notify_covered(struct pgtable *pt, vaddr_t start, vaddr_t end);
/* How many translations of subscribers allow more than the CPU's entries, or lead elsewhere.  Left out: what more than
 * @own ranges are in flight over, those of the caller.  => the tables cannot go away, no PTL held */
unsigned mmu_notifiers_check(struct mmu_notifiers *n, vaddr_t start, vaddr_t end, unsigned own);
unsigned long mmu_ranges_in_flight(struct mmu_subscription *sub);

#endif
