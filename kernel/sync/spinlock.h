/*
 * spinlock.h - busy-waiting locks.  Layer 2.
 *
 * A holder must not sleep.  A lock that an interrupt handler takes is taken with the _irqsave functions
 * everywhere (the debug build checks).  Four bytes, so that a page-table page's frame record can hold one.
 */
#ifndef KERNEL_SYNC_SPINLOCK_H
#define KERNEL_SYNC_SPINLOCK_H

#include <arch/cpu.h>
#include "kernel/sync/lockrank.h"

typedef struct spinlock {
	u8 locked;
	u8 rank;
	u16 owner; /* debug: CPU id + 1 */
} spinlock_t;

#define SPINLOCK_INIT(rank_)                     \
	{                                            \
		.locked = 0, .rank = (rank_), .owner = 0 \
	}

static inline void spin_init(spinlock_t *l, enum lock_rank rank)
{
	*l = (spinlock_t)SPINLOCK_INIT(rank);
}

void spin_lock_contended(spinlock_t *l); /* the lock is taken: wait for it */

/* Without the validator and the preempt count. */
static inline void spin_raw_lock(spinlock_t *l)
{
	if (unlikely(__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)))
		spin_lock_contended(l);
	if (DEBUG)
		WRITE_ONCE(l->owner, (u16)(this_cpu()->id + 1));
}

static inline void spin_raw_unlock(spinlock_t *l)
{
	if (DEBUG)
		WRITE_ONCE(l->owner, 0);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}

/* The same with interrupts off, for locks that any context takes under nearly any other. */
static inline unsigned long spin_raw_lock_irqsave(spinlock_t *l)
{
	unsigned long flags = irq_save();

	spin_raw_lock(l);
	return flags;
}

static inline void spin_raw_unlock_irqrestore(spinlock_t *l, unsigned long flags)
{
	spin_raw_unlock(l);
	irq_restore(flags);
}

static inline void spin_lock(spinlock_t *l)
{
	this_cpu()->preempt_count++;
	lock_acquire(l, l->rank, LOCK_HOW_SPIN);
	spin_raw_lock(l);
}

/* Another lock of this rank is held; the caller keeps an order among them. */
static inline void spin_lock_nested(spinlock_t *l)
{
	this_cpu()->preempt_count++;
	lock_acquire(l, l->rank, LOCK_HOW_SPIN | LOCK_HOW_NESTED);
	spin_raw_lock(l);
}

/* The same, and the order is that of their addresses: this one has the greater. */
static inline void spin_lock_ascending(spinlock_t *l)
{
	this_cpu()->preempt_count++;
	lock_acquire(l, l->rank, LOCK_HOW_SPIN | LOCK_HOW_ASCENDING);
	spin_raw_lock(l);
}

static inline bool spin_trylock(spinlock_t *l)
{
	this_cpu()->preempt_count++;
	if (__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE)) {
		this_cpu()->preempt_count--;
		return false;
	}
	lock_acquire(l, l->rank, LOCK_HOW_SPIN | LOCK_HOW_TRY);
	if (DEBUG)
		WRITE_ONCE(l->owner, (u16)(this_cpu()->id + 1));
	return true;
}

static inline void spin_unlock(spinlock_t *l)
{
	lock_release(l);
	spin_raw_unlock(l);
	this_cpu()->preempt_count--;
}

/* Interrupts off while held; the result goes to spin_unlock_irqrestore(). */
static inline unsigned long spin_lock_irqsave(spinlock_t *l)
{
	unsigned long flags = irq_save();

	spin_lock(l);
	return flags;
}

static inline void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags)
{
	spin_unlock(l);
	irq_restore(flags);
}

/* For assertions: does this CPU hold it? Release builds say yes. */
static inline bool spin_held(const spinlock_t *l)
{
	return !DEBUG || (READ_ONCE(l->locked) && READ_ONCE(l->owner) == this_cpu()->id + 1);
}

#endif
