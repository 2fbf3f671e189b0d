/*
 * timer.c - timers in a tree by time, run from the tick; sleeping.  Layer 8 (kernel/sched).
 *
 * One tree for all CPUs, run by CPU 0.  (Nothing on the way of a fault or a read arms a timer.)
 *
 * Lock order: timer_lock (LOCK_TIMER, irqsave); a timer's function runs without it.
 */
#include "kernel/sched/timer.h"
#include <arch/cpu.h>
#include "kernel/lib/assert.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/spinlock.h"
#include "kernel/sync/wait.h"

static spinlock_t timer_lock = SPINLOCK_INIT(LOCK_TIMER);
static struct rb_root timers;
static struct timer *running; /* the one whose function CPU 0's tick is in */

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg)
{
	*t = (struct timer){.fn = fn, .arg = arg};
}

/* => timer_lock */
static void insert(struct timer *t)
{
	struct rb_node **link = &timers.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = t->expires_ns < rb_entry(parent, struct timer, rb)->expires_ns ? &parent->left : &parent->right;
	}
	rb_link_node(&t->rb, parent, link);
	rb_insert_color(&t->rb, &timers);
	t->pending = true;
}

static void take_out(struct timer *t)
{
	rb_erase(&t->rb, &timers);
	t->pending = false;
}

void timer_add(struct timer *t, u64 expires_ns)
{
	unsigned long flags = spin_lock_irqsave(&timer_lock);

	if (t->pending)
		take_out(t);
	t->expires_ns = expires_ns;
	insert(t);
	spin_unlock_irqrestore(&timer_lock, flags);
}

/* On CPU 0, and the caller is not the function itself. => timer_lock */
static bool runs_elsewhere(const struct timer *t)
{
	return running == t && this_cpu()->id != 0;
}

bool timer_cancel(struct timer *t)
{
	unsigned long flags = spin_lock_irqsave(&timer_lock);
	bool was_pending = t->pending;

	for (;;) {
		if (t->pending) /* maybe again: its function may add it */
			take_out(t);
		if (!runs_elsewhere(t))
			break;
		spin_unlock_irqrestore(&timer_lock, flags);
		cpu_relax();
		flags = spin_lock_irqsave(&timer_lock);
	}
	spin_unlock_irqrestore(&timer_lock, flags);
	return was_pending;
}

/* The next one that is due, out of the tree, or NULL. => timer_lock */
static struct timer *next_due(u64 now)
{
	struct timer *t = rb_entry_safe(rb_first(&timers), struct timer, rb);

	if (!t || t->expires_ns > now)
		return NULL;
	take_out(t);
	return t;
}

/* => CPU 0 */
void timer_run(void)
{
	u64 now = clock_ns();
	unsigned long flags = spin_lock_irqsave(&timer_lock);
	struct timer *t;

	while ((t = next_due(now))) {
		void (*fn)(void *) = t->fn;
		void *arg = t->arg;

		running = t;
		spin_unlock_irqrestore(&timer_lock, flags);
		fn(arg); /* t may be gone now */
		flags = spin_lock_irqsave(&timer_lock);
		running = NULL;
	}
	spin_unlock_irqrestore(&timer_lock, flags);
}

/* -- sleeping --------------------------------------------------------------------------------------------------- */
static void wake_sleeper(void *thread)
{
	thread_wake(thread);
}

bool sync_block_until(u64 deadline)
{
	struct timer t;

	if (clock_ns() >= deadline) {
		sync_prepare(SYNC_RUNNING);
		return true;
	}
	timer_init(&t, wake_sleeper, current_thread());
	if (deadline != ~0ULL)
		timer_add(&t, deadline);
	schedule();
	timer_cancel(&t);
	return clock_ns() >= deadline;
}

u64 sleep_ns_interruptible(u64 ns)
{
	u64 deadline = wait_deadline(ns), now;

	for (;;) {
		sync_prepare(SYNC_INTERRUPTIBLE);
		if (wait_interrupted(SYNC_INTERRUPTIBLE))
			break;
		if (sync_block_until(deadline))
			return 0;
	}
	sync_prepare(SYNC_RUNNING);
	now = clock_ns();
	return now < deadline ? deadline - now : 0;
}
