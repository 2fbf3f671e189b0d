/*
 * srcu.h - read sections that may sleep, each domain waiting only for its own.  Layer 2.
 *
 *	idx = srcu_read_lock(&d);   ... sleep, take locks, call a driver ...   srcu_read_unlock(&d, idx);
 *
 * srcu_synchronize(&d) returns when every section of the domain that was there when it was called has ended;
 * sections that begin later are not waited for.  A section may end on another CPU than it began on, and sections
 * nest; each wants its own idx.
 *
 * => reading: any context; two atomic operations on memory of this CPU, no lock
 * => srcu_synchronize(): may sleep; never inside a section of the same domain, and never with a lock held that such a
 *    section takes (for the notifiers: not under the mmap lock)
 */
#ifndef KERNEL_SYNC_SRCU_H
#define KERNEL_SYNC_SRCU_H

#include <arch/cpu.h>
#include "kernel/sync/mutex.h"
#include "kernel/sync/rcu.h"
#include "kernel/sync/wait.h"

struct srcu_counts {
	unsigned long begun[2], ended[2]; /* atomic; by parity of the period in which the section began */
} __aligned(64);

struct srcu {
	struct srcu_counts cpu[MAX_CPUS];
	unsigned long period;   /* its lowest bit: the parity that new sections count under */
	struct mutex lock;      /* one srcu_synchronize() at a time; LOCK_NONE */
	struct wait_queue wait; /* it, for the last section to end */
	bool waiting;           /* somebody is in `wait` */
};

void srcu_init(struct srcu *s);
void srcu_destroy(struct srcu *s); /* => no section open, none will begin; may sleep. Then the memory may go */
void srcu_synchronize(struct srcu *s);
bool srcu_readers(struct srcu *s); /* is there any section? Exact only if none can begin. For assertions */
void srcu_ended(struct srcu *s);   /* inside srcu_read_unlock() */

/* The value goes to srcu_read_unlock(). */
static inline unsigned __must_check srcu_read_lock(struct srcu *s)
{
	unsigned idx = __atomic_load_n(&s->period, __ATOMIC_RELAXED) & 1;

	/* A full barrier: the section's reads come after.  Another CPU's counter would do as well. */
	__atomic_fetch_add(&s->cpu[this_cpu()->id].begun[idx], 1, __ATOMIC_SEQ_CST);
	return idx;
}

static inline void srcu_read_unlock(struct srcu *s, unsigned idx)
{
	rcu_read_lock(); /* the domain may be on its way out once the section has ended */
	__atomic_fetch_add(&s->cpu[this_cpu()->id].ended[idx], 1, __ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&s->waiting, __ATOMIC_SEQ_CST)))
		srcu_ended(s);
	rcu_read_unlock();
}

#endif
