/*
 * sched.h - inside kernel/sched: the run queue.  Layer 8.
 *
 * Two lists.  A thread runs from `active` until its slice is used up, then waits in `expired` with a new
 * one; when active is empty the two change places (an epoch).  A thread that wakes keeps what it had left,
 * or gets a new slice if it slept through the end of an epoch.  So sleepers come quickly, and nobody
 * starves: in one epoch everybody gets at most one slice.
 */
#ifndef KERNEL_SCHED_SCHED_H
#define KERNEL_SCHED_SCHED_H

#include "kernel/sched/thread.h"
#include "kernel/sync/spinlock.h"

struct run_queue {
	spinlock_t lock; /* LOCK_RUNQ, irqsave; held over a switch, released by the next thread */
	struct list queues[2];
	unsigned active; /* which of them */
	unsigned epoch;
	unsigned nr_queued; /* in both; the running thread is in neither */
	struct thread *current;
	struct thread *idle;
	struct thread *prev; /* during a switch: who is leaving */
	u64 last_tick;
	unsigned long switches, ticks;
};

extern struct run_queue run_queues[MAX_CPUS];

void thread_init_fields(struct thread *t, const char *name); /* refs = 1, state NEW, in the list of all */
unsigned long thread_count(void);
void thread_init_subsystem(void);

#endif
