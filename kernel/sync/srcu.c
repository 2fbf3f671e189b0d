/*
 * srcu.c - waiting for the read sections of one domain.  Layer 2.
 *
 * Sections count under one of two parities.  A synchronizer makes new ones count under the other and waits until
 * the old parity has as many ends as beginnings.
 *
 * 1. The ends are added up before the beginnings, so a section that is open at any time between counts as begun and
 *    not as ended: the sums are equal only if at one moment in between there was none.
 * 2. A reader may have read `period` long ago and count itself under the old parity after that was found empty.
 *    It then reads its pointers after its (fully ordered) count, so it sees what this synchronizer's caller
 *    unlinked; only a later synchronizer must wait for it.  That one would flip to this parity: therefore it drains
 *    the parity that it is about to use first.
 */
#include "kernel/sync/srcu.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/string.h"

void srcu_init(struct srcu *s)
{
	memset(s, 0, sizeof(*s));
	mutex_init(&s->lock, LOCK_NONE);
	wait_queue_init(&s->wait);
}

void srcu_destroy(struct srcu *s)
{
	BUG_ON(srcu_readers(s));
	rcu_synchronize(); /* the last srcu_read_unlock() */
}

static bool drained(struct srcu *s, unsigned idx)
{
	unsigned long open = 0;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		open -= __atomic_load_n(&s->cpu[i].ended[idx], __ATOMIC_SEQ_CST);
	atomic_fence();
	for (unsigned i = 0; i < MAX_CPUS; i++)
		open += __atomic_load_n(&s->cpu[i].begun[idx], __ATOMIC_SEQ_CST);
	return !open;
}

void srcu_ended(struct srcu *s)
{
	wake_up(&s->wait);
}

/* => s->lock */
static void drain(struct srcu *s, unsigned idx)
{
	if (drained(s, idx))
		return;
	__atomic_store_n(&s->waiting, true, __ATOMIC_SEQ_CST);
	wait_event(&s->wait, drained(s, idx));
	__atomic_store_n(&s->waiting, false, __ATOMIC_SEQ_CST);
}

void srcu_synchronize(struct srcu *s)
{
	unsigned old;

	mutex_lock(&s->lock);
	atomic_fence(); /* what the caller unlinked comes first */
	old = s->period & 1;
	drain(s, old ^ 1);
	__atomic_store_n(&s->period, s->period + 1, __ATOMIC_SEQ_CST);
	drain(s, old);
	atomic_fence();
	mutex_unlock(&s->lock);
}

bool srcu_readers(struct srcu *s)
{
	return !drained(s, 0) || !drained(s, 1);
}
