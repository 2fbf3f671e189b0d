/*
 * mutex.h - a sleeping lock with one holder.  Layer 2.
 *
 * First come, first served: the holder hands the mutex to the longest waiter.  Not for interrupts.
 */
#ifndef KERNEL_SYNC_MUTEX_H
#define KERNEL_SYNC_MUTEX_H

#include "kernel/lib/list.h"
#include "kernel/sync/spinlock.h"

#define MUTEX_LOCKED 1u
#define MUTEX_WAITERS 2u

struct mutex {
	unsigned state;      /* MUTEX_LOCKED | MUTEX_WAITERS */
	spinlock_t lock;     /* guards waiters; rank LOCK_SLEEPLOCK */
	struct list waiters; /* struct mutex_waiter */
	u8 rank;
};

#define MUTEX_INIT(name, rank_)                                                                                   \
	{                                                                                                             \
		.state = 0, .lock = SPINLOCK_INIT(LOCK_SLEEPLOCK), .waiters = LIST_INIT((name).waiters), .rank = (rank_), \
	}

void mutex_init(struct mutex *m, enum lock_rank rank);
int mutex_lock_slow(struct mutex *m, bool killable);
void mutex_unlock_slow(struct mutex *m);

static inline bool mutex_fast(struct mutex *m)
{
	unsigned old = 0;

	return __atomic_compare_exchange_n(&m->state, &old, MUTEX_LOCKED, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

/* => may sleep */
static inline void mutex_lock(struct mutex *m)
{
	lock_acquire(m, m->rank, LOCK_HOW_SLEEP);
	if (unlikely(!mutex_fast(m)))
		mutex_lock_slow(m, false);
}

static inline void mutex_lock_nested(struct mutex *m)
{
	lock_acquire(m, m->rank, LOCK_HOW_SLEEP | LOCK_HOW_NESTED);
	if (unlikely(!mutex_fast(m)))
		mutex_lock_slow(m, false);
}

/* 0, or -EINTR (not locked) when the thread is being killed. => may sleep */
static inline int __must_check mutex_lock_killable(struct mutex *m)
{
	int err = 0;

	lock_acquire(m, m->rank, LOCK_HOW_SLEEP);
	if (unlikely(!mutex_fast(m)))
		err = mutex_lock_slow(m, true);
	if (err)
		lock_release(m);
	return err;
}

static inline bool mutex_trylock(struct mutex *m)
{
	if (!mutex_fast(m))
		return false;
	lock_acquire(m, m->rank, LOCK_HOW_TRY);
	return true;
}

static inline void mutex_unlock(struct mutex *m)
{
	lock_release(m);
	if (unlikely(__atomic_fetch_sub(&m->state, MUTEX_LOCKED, __ATOMIC_RELEASE) & MUTEX_WAITERS))
		mutex_unlock_slow(m);
}

/* For assertions: does the caller hold it? Release builds say yes. */
static inline bool mutex_held(const struct mutex *m)
{
	return lock_held(m);
}

#endif
