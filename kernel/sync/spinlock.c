/*
 * spinlock.c - the slow path of spinlocks.  Layer 2.
 */
#include "kernel/sync/spinlock.h"
#include "kernel/lib/assert.h"
#include "kernel/sync/lock_waits.h"

STATIC_ASSERT(sizeof(spinlock_t) == 4);

void spin_lock_contended(spinlock_t *l)
{
	if (DEBUG && READ_ONCE(l->owner) == this_cpu()->id + 1)
		panic("spinlock: %s %p is taken twice by CPU %u\n", lock_rank_name(l->rank), l, this_cpu()->id);
	lock_wait_count(l->rank);
	do {
		while (__atomic_load_n(&l->locked, __ATOMIC_RELAXED))
			cpu_relax();
	} while (__atomic_exchange_n(&l->locked, 1, __ATOMIC_ACQUIRE));
}
