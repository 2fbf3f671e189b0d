/*
 * rwsem.c - the slow paths of rwsems.  Layer 2.
 *
 * RWSEM_WAITERS is set exactly while the queue is not empty (under s->lock).  While it is set no fast path
 * succeeds: a reader's has added itself and takes that back in the slow path, a writer's needs count == 0.
 * So whoever holds s->lock decides alone who gets a lock that has become free, and grants it before he
 * wakes: to the first waiter, and if that is a reader, to all readers that follow it directly.
 *
 * No wake-up is lost: each event that can make the first waiter eligible -- the last reader's or the
 * writer's leaving, a fast-path reader's taking itself back, a waiter's giving up -- is followed by
 * rwsem_grant() if RWSEM_WAITERS is set.
 */
#include "kernel/sync/rwsem.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/errno.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/lock_waits.h"

struct rwsem_waiter {
	struct list link;
	struct thread *thread;
	bool write;
	bool granted; /* s->lock */
};

void rwsem_init(struct rwsem *s, enum lock_rank rank)
{
	s->count = 0;
	spin_init(&s->lock, LOCK_SLEEPLOCK);
	list_init(&s->waiters);
	s->writer = NULL;
	s->rank = rank;
}

/* Out of the queue. => s->lock */
static void leave(struct rwsem *s, struct rwsem_waiter *w)
{
	list_del(&w->link);
	if (list_empty(&s->waiters))
		atomic_and(&s->count, ~RWSEM_WAITERS);
}

static void grant(struct rwsem *s, struct rwsem_waiter *w)
{
	leave(s, w);
	w->granted = true;
	sync_wake(w->thread);
}

/* No writer and no reader: make it the writer's. => s->lock */
static bool take_for_writer(struct rwsem *s)
{
	int old = atomic_read(&s->count);

	while (!(old & RWSEM_WRITER) && old < RWSEM_READER)
		if (atomic_try_cmpxchg(&s->count, &old, old | RWSEM_WRITER))
			return true;
	return false;
}

/* Give the lock to the first waiters if it can be theirs. => s->lock */
static void rwsem_grant(struct rwsem *s)
{
	while (!list_empty(&s->waiters)) {
		struct rwsem_waiter *w = list_first_entry(&s->waiters, struct rwsem_waiter, link);

		if (w->write) {
			if (take_for_writer(s))
				grant(s, w);
			return;
		}
		if (atomic_read(&s->count) & RWSEM_WRITER) /* only goes away, never comes, while we hold s->lock */
			return;
		atomic_add(&s->count, RWSEM_READER);
		grant(s, w);
	}
}

void rwsem_wake(struct rwsem *s)
{
	spin_lock(&s->lock);
	rwsem_grant(s);
	spin_unlock(&s->lock);
}

/* Queue and sleep until granted. 0, or -EINTR and not locked. => s->lock; released */
static int wait_in_queue(struct rwsem *s, bool write, bool killable)
{
	enum sync_state state = killable ? SYNC_KILLABLE : SYNC_UNINTERRUPTIBLE;
	struct rwsem_waiter w = {.thread = current_thread(), .write = write, .granted = false};
	int err = 0;

	BUG_ON(!w.thread);
	lock_wait_count(s->rank);
	list_add_tail(&w.link, &s->waiters);
	atomic_or(&s->count, RWSEM_WAITERS);
	rwsem_grant(s); /* it may have become free before the bit was there */
	while (!w.granted) {
		sync_prepare(state);
		if (killable && sync_fatal_pending()) {
			leave(s, &w);
			rwsem_grant(s); /* we may have been what the others waited behind */
			err = -EINTR;
			break;
		}
		spin_unlock(&s->lock);
		sync_block();
		spin_lock(&s->lock);
	}
	spin_unlock(&s->lock);
	sync_prepare(SYNC_RUNNING);
	return err;
}

/* The fast path has already counted us as a reader. */
int rwsem_read_slow(struct rwsem *s, bool killable)
{
	spin_lock(&s->lock);
	if (list_empty(&s->waiters) && !(atomic_read_acquire(&s->count) & RWSEM_WRITER)) { /* he left meanwhile */
		spin_unlock(&s->lock);
		return 0;
	}
	atomic_sub(&s->count, RWSEM_READER);
	return wait_in_queue(s, false, killable); /* grants to the first, which our brief count may have held up */
}

int rwsem_write_slow(struct rwsem *s, bool killable)
{
	spin_lock(&s->lock);
	return wait_in_queue(s, true, killable);
}
