/*
 * timer.h - call me later; sleeping for a time.  Layer 8 (kernel/sched).
 *
 * Timers run from the periodic tick, in interrupt context with interrupts off, at the first tick at or
 * after their time; so the resolution is the tick's.
 */
#ifndef KERNEL_SCHED_TIMER_H
#define KERNEL_SCHED_TIMER_H

#include <arch/irq.h>
#include "kernel/lib/rbtree.h"
#include "kernel/lib/types.h"

#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

struct timer {
	struct rb_node rb;
	u64 expires_ns;
	void (*fn)(void *arg); /* => interrupt context; may add the timer again */
	void *arg;
	bool pending; /* in the tree; timer lock */
};

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg);
/* Arm (or move) it to clock_ns() value @expires_ns. => any context */
void timer_add(struct timer *t, u64 expires_ns);
/* Disarm; true if it was armed. Afterwards its function is not running (unless called from it). => any context
 * that does not hold a lock which the function takes */
bool timer_cancel(struct timer *t);
/* Run what is due. => from CPU 0's tick */
void timer_run(void);

static inline u64 clock_ns(void)
{
	return arch_clock_ns();
}

/* Sleep; returns the nanoseconds that were left when a signal ended it, or 0. => may sleep */
u64 sleep_ns_interruptible(u64 ns);

#endif
