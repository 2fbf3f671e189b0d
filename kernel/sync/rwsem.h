/*
 * rwsem.h - a sleeping lock with one writer or many readers.  Layer 2.
 *
 * Waiters queue in order of arrival; while anybody waits, newcomers (readers too) queue behind, so no one
 * starves.  A lock is handed to the waiter before it wakes.  The fast paths are one atomic instruction.
 * There is no upgrade; rwsem_downgrade() turns a write lock into a read lock without letting it go.
 */
#ifndef KERNEL_SYNC_RWSEM_H
#define KERNEL_SYNC_RWSEM_H

#include "kernel/lib/failpoint.h"
#include "kernel/lib/list.h"
#include "kernel/sync/spinlock.h"

#define RWSEM_WRITER 1
#define RWSEM_WAITERS 2 /* the queue is not empty; changes under lock only */
#define RWSEM_READER 4  /* one reader; also briefly one that is about to queue */

struct rwsem {
	int count;
	spinlock_t lock;     /* guards waiters; rank LOCK_SLEEPLOCK */
	struct list waiters; /* struct rwsem_waiter */
	const void *writer;  /* debug: the thread that holds it for writing */
	u8 rank;
};

#define RWSEM_INIT(name, rank_)                                                                                   \
	{                                                                                                             \
		.count = 0, .lock = SPINLOCK_INIT(LOCK_SLEEPLOCK), .waiters = LIST_INIT((name).waiters), .rank = (rank_), \
	}

void rwsem_init(struct rwsem *s, enum lock_rank rank);
int rwsem_read_slow(struct rwsem *s, bool killable);
int rwsem_write_slow(struct rwsem *s, bool killable);
void rwsem_wake(struct rwsem *s);

/* The rwsem's last holder is gone and somebody waits. */
static inline bool rwsem_must_wake(int old, int gone)
{
	return (old & RWSEM_WAITERS) && (old - gone) < RWSEM_READER && !((old - gone) & RWSEM_WRITER);
}

/* -- reading: => may sleep ----------------------------------------------------------------------------- */
static inline int rwsem_read_lock_how(struct rwsem *s, bool killable, unsigned how)
{
	int err = 0;

	lock_acquire(s, s->rank, how);
	if (unlikely(__atomic_fetch_add(&s->count, RWSEM_READER, __ATOMIC_ACQUIRE) & (RWSEM_WRITER | RWSEM_WAITERS)))
		err = rwsem_read_slow(s, killable);
	if (err)
		lock_release(s);
	return err;
}

static inline void rwsem_read_lock(struct rwsem *s)
{
	(void)rwsem_read_lock_how(s, false, LOCK_HOW_SLEEP);
}

static inline void rwsem_read_lock_nested(struct rwsem *s)
{
	(void)rwsem_read_lock_how(s, false, LOCK_HOW_SLEEP | LOCK_HOW_NESTED);
}

/* 0, or -EINTR (not locked) when the thread is being killed. */
static inline int __must_check rwsem_read_lock_killable(struct rwsem *s)
{
	return rwsem_read_lock_how(s, true, LOCK_HOW_SLEEP);
}

static inline bool rwsem_read_trylock(struct rwsem *s)
{
	int old = __atomic_load_n(&s->count, __ATOMIC_RELAXED);

	if (FAILPOINT("rwsem_trylock"))
		return false;
	while (!(old & (RWSEM_WRITER | RWSEM_WAITERS)))
		if (__atomic_compare_exchange_n(&s->count, &old, old + RWSEM_READER, false, __ATOMIC_ACQUIRE,
		                                __ATOMIC_RELAXED)) {
			lock_acquire(s, s->rank, LOCK_HOW_TRY);
			return true;
		}
	return false;
}

static inline void rwsem_read_unlock(struct rwsem *s)
{
	int old;

	lock_release(s);
	old = __atomic_fetch_sub(&s->count, RWSEM_READER, __ATOMIC_RELEASE);
	if (unlikely(rwsem_must_wake(old, RWSEM_READER)))
		rwsem_wake(s);
}

/* -- writing: => may sleep ----------------------------------------------------------------------------- */
static inline bool rwsem_write_fast(struct rwsem *s)
{
	int old = 0;

	return __atomic_compare_exchange_n(&s->count, &old, RWSEM_WRITER, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline int rwsem_write_lock_how(struct rwsem *s, bool killable, unsigned how)
{
	int err = 0;

	lock_acquire(s, s->rank, how);
	if (unlikely(!rwsem_write_fast(s)))
		err = rwsem_write_slow(s, killable);
	if (err)
		lock_release(s);
	else if (DEBUG)
		s->writer = this_cpu()->current;
	return err;
}

static inline void rwsem_write_lock(struct rwsem *s)
{
	(void)rwsem_write_lock_how(s, false, LOCK_HOW_SLEEP);
}

static inline void rwsem_write_lock_nested(struct rwsem *s)
{
	(void)rwsem_write_lock_how(s, false, LOCK_HOW_SLEEP | LOCK_HOW_NESTED);
}

static inline int __must_check rwsem_write_lock_killable(struct rwsem *s)
{
	return rwsem_write_lock_how(s, true, LOCK_HOW_SLEEP);
}

static inline bool rwsem_write_trylock(struct rwsem *s)
{
	if (FAILPOINT("rwsem_trylock") || !rwsem_write_fast(s))
		return false;
	lock_acquire(s, s->rank, LOCK_HOW_TRY);
	if (DEBUG)
		s->writer = this_cpu()->current;
	return true;
}

static inline void rwsem_write_unlock(struct rwsem *s)
{
	int old;

	lock_release(s);
	if (DEBUG)
		s->writer = NULL;
	old = __atomic_fetch_sub(&s->count, RWSEM_WRITER, __ATOMIC_RELEASE);
	if (unlikely(rwsem_must_wake(old, RWSEM_WRITER)))
		rwsem_wake(s);
}

/* From writing to reading, without a gap. */
static inline void rwsem_downgrade(struct rwsem *s)
{
	int old;

	if (DEBUG)
		s->writer = NULL;
	old = __atomic_fetch_add(&s->count, RWSEM_READER - RWSEM_WRITER, __ATOMIC_ACQ_REL);
	if (unlikely(old & RWSEM_WAITERS))
		rwsem_wake(s);
}

/* For assertions: does the caller hold it (at all; for writing)? Release builds say yes. */
static inline bool rwsem_held(const struct rwsem *s)
{
	return lock_held(s);
}

static inline bool rwsem_write_held(const struct rwsem *s)
{
	return lock_held(s) &&
	       (!DEBUG || ((READ_ONCE(s->count) & RWSEM_WRITER) && READ_ONCE(s->writer) == this_cpu()->current));
}

#endif
