/*
 * mutex.c - the slow paths of mutexes.  Layer 2.
 *
 * MUTEX_WAITERS is set exactly while the queue is not empty (under m->lock).  While it is set the fast
 * path cannot lock, so the one who unlocks can pass the mutex on: he sets MUTEX_LOCKED again for the
 * first waiter.  A waiter looks at `granted` only under m->lock, so whoever granted is done with it.
 */
#include "kernel/sync/mutex.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/errno.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/lock_waits.h"

struct mutex_waiter {
	struct list link;
	struct thread *thread;
	bool granted;
};

void mutex_init(struct mutex *m, enum lock_rank rank)
{
	m->state = 0;
	spin_init(&m->lock, LOCK_SLEEPLOCK);
	list_init(&m->waiters);
	m->rank = rank;
}

/* Out of the queue. => m->lock */
static void leave(struct mutex *m, struct mutex_waiter *w)
{
	list_del(&w->link);
	if (list_empty(&m->waiters))
		atomic_and(&m->state, ~MUTEX_WAITERS);
}

/* If the mutex is free, give it to the first waiter. => m->lock */
static void pass_on(struct mutex *m)
{
	struct mutex_waiter *w;

	if (list_empty(&m->waiters) || (atomic_fetch_or(&m->state, MUTEX_LOCKED) & MUTEX_LOCKED))
		return;
	w = list_first_entry(&m->waiters, struct mutex_waiter, link);
	leave(m, w);
	w->granted = true;
	sync_wake(w->thread);
}

/* Queue and sleep until granted. 0, or -EINTR and not locked. */
int mutex_lock_slow(struct mutex *m, bool killable)
{
	enum sync_state state = killable ? SYNC_KILLABLE : SYNC_UNINTERRUPTIBLE;
	struct mutex_waiter w = {.thread = current_thread(), .granted = false};
	int err = 0;

	BUG_ON(!w.thread);
	lock_wait_count(m->rank);
	spin_lock(&m->lock);
	list_add_tail(&w.link, &m->waiters);
	atomic_or(&m->state, MUTEX_WAITERS);
	pass_on(m); /* it may have been released meanwhile */
	while (!w.granted) {
		sync_prepare(state);
		if (killable && sync_fatal_pending()) {
			leave(m, &w);
			err = -EINTR;
			break;
		}
		spin_unlock(&m->lock);
		sync_block();
		spin_lock(&m->lock);
	}
	spin_unlock(&m->lock);
	sync_prepare(SYNC_RUNNING);
	return err;
}

void mutex_unlock_slow(struct mutex *m)
{
	spin_lock(&m->lock);
	pass_on(m);
	spin_unlock(&m->lock);
}
