/*
 * wait.h - wait queues: sleep until a condition holds.  Layer 2.
 *
 *	wait_event(&wq, cond)       sleeper; cond is evaluated many times, without any lock
 *	cond = true; wake_up(&wq)   waker, any context
 *
 * A wake-up wakes every plain waiter and one exclusive one.  The macros return 0, or -EINTR.
 */
#ifndef KERNEL_SYNC_WAIT_H
#define KERNEL_SYNC_WAIT_H

#include "kernel/lib/atomic.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/list.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/spinlock.h"

struct wait_queue {
	spinlock_t lock; /* rank LOCK_WAITQ, irqsave */
	struct list entries;
};

struct wait_entry {
	struct list link;
	struct thread *thread;
	/* Called under the queue's lock, any context, instead of waking @thread; true if it woke somebody.
	 * NULL: just wake the thread. (poll and the like) */
	bool (*wake)(struct wait_entry *e);
	bool exclusive;
};

#define WAIT_QUEUE_INIT(name)                                \
	{                                                        \
		SPINLOCK_INIT(LOCK_WAITQ), LIST_INIT((name).entries) \
	}

void wait_queue_init(struct wait_queue *wq);
void wait_entry_init(struct wait_entry *e); /* for the current thread, not exclusive */
/* => any context. After _remove() no wake-up of this entry is running or will come. */
void wait_queue_add(struct wait_queue *wq, struct wait_entry *e);
void wait_queue_remove(struct wait_queue *wq, struct wait_entry *e);

/* Wake exclusive waiters up to @nr_exclusive (0: all). */
void wait_queue_wake(struct wait_queue *wq, unsigned nr_exclusive);

/* The condition was made true before. => any context */
static inline void wake_up(struct wait_queue *wq)
{
	atomic_fence(); /* pairs with the one in sync_prepare() */
	if (!list_empty(&wq->entries))
		wait_queue_wake(wq, 1);
}

static inline void wake_up_all(struct wait_queue *wq)
{
	atomic_fence();
	if (!list_empty(&wq->entries))
		wait_queue_wake(wq, 0);
}

/* For code with a loop of its own: 0, or -EINTR if a sleep in @state would be pointless. */
static inline int wait_interrupted(enum sync_state state)
{
	if (state == SYNC_INTERRUPTIBLE && sync_signal_pending())
		return -EINTR;
	if ((state == SYNC_INTERRUPTIBLE || state == SYNC_KILLABLE) && sync_fatal_pending())
		return -EINTR;
	return 0;
}

/* For system calls that may simply be made again: what they return when a wait_event_*() was interrupted. */
static inline int wait_restart(int err)
{
	return err == -EINTR ? -ERESTARTSYS : err;
}

/* @block_: an expression that sleeps and is true when time is up. Value: 0, -EINTR, or -ETIMEDOUT. */
#define wait_event_common(wq, cond, state, exclusive_, block_) \
	({                                                         \
		int wait_ret_ = 0;                                     \
		might_sleep();                                         \
		if (!(cond)) {                                         \
			struct wait_entry wait_e_;                         \
			bool wait_timeout_ = false;                        \
			wait_entry_init(&wait_e_);                         \
			wait_e_.exclusive = (exclusive_);                  \
			wait_queue_add((wq), &wait_e_);                    \
			for (;;) {                                         \
				sync_prepare(state);                           \
				if (cond)                                      \
					break;                                     \
				if (wait_timeout_) {                           \
					wait_ret_ = -ETIMEDOUT;                    \
					break;                                     \
				}                                              \
				wait_ret_ = wait_interrupted(state);           \
				if (wait_ret_)                                 \
					break;                                     \
				wait_timeout_ = (block_);                      \
			}                                                  \
			sync_prepare(SYNC_RUNNING);                        \
			wait_queue_remove((wq), &wait_e_);                 \
		}                                                      \
		wait_ret_;                                             \
	})

#define wait_event(wq, cond) ((void)wait_event_common(wq, cond, SYNC_UNINTERRUPTIBLE, false, (sync_block(), false)))
#define wait_event_killable(wq, cond) wait_event_common(wq, cond, SYNC_KILLABLE, false, (sync_block(), false))
#define wait_event_interruptible(wq, cond) wait_event_common(wq, cond, SYNC_INTERRUPTIBLE, false, (sync_block(), false))
#define wait_event_exclusive(wq, cond) \
	((void)wait_event_common(wq, cond, SYNC_UNINTERRUPTIBLE, true, (sync_block(), false)))

/* @ns from now at the latest: 1 the condition holds, 0 time is up, -EINTR. */
#define wait_event_interruptible_timeout(wq, cond, ns)                                                       \
	({                                                                                                       \
		u64 wait_until_ = wait_deadline(ns);                                                                 \
		int wait_r_ = wait_event_common(wq, cond, SYNC_INTERRUPTIBLE, false, sync_block_until(wait_until_)); \
		wait_r_ == 0 ? 1 : wait_r_ == -ETIMEDOUT ? 0 : wait_r_;                                              \
	})
#define wait_event_timeout(wq, cond, ns)                                                              \
	({                                                                                                \
		u64 wait_until_ = wait_deadline(ns);                                                          \
		wait_event_common(wq, cond, SYNC_UNINTERRUPTIBLE, false, sync_block_until(wait_until_)) == 0; \
	})

/* Now + @ns, saturating. */
u64 wait_deadline(u64 ns);

#endif
