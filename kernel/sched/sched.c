/*
 * sched.c - choosing and switching.  Layer 8 (kernel/sched).
 *
 * Lock order: a run queue's lock is below nearly everything (LOCK_RUNQ); it is held across the switch so
 * that nobody can run a thread whose registers are not saved yet.  The states of a thread: sched.h.
 */
#include "kernel/sched/sched.h"
#include <arch/smp.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/bitops.h"
#include "kernel/lib/errno.h"
#include "kernel/sched/timer.h"
#include "kernel/sync/rcu.h"
#include "mm/pgtable/pgtable.h"

struct run_queue run_queues[MAX_CPUS];

/* -- the queue: all => rq->lock ------------------------------------------------------------------------------ */

/* To the end of the list that it belongs in; or, @first and with a slice left, before everybody. */
static void enqueue(struct run_queue *rq, struct thread *t, bool first)
{
	unsigned which = rq->active;

	ASSERT(!t->queued && t->cpu == queue_cpu(rq));
	if (t->epoch == rq->epoch + 1) { /* came from another queue's expired list */
		which ^= 1;
	} else if (t->epoch != rq->epoch) {
		t->epoch = rq->epoch;
		t->slice_ns = SCHED_SLICE_NS;
	} else if (t->slice_ns <= 0) {
		t->epoch = rq->epoch + 1;
		t->slice_ns = SCHED_SLICE_NS;
		which ^= 1;
	}
	if (first && which == rq->active)
		list_add(&t->run_link, &rq->queues[which]);
	else
		list_add_tail(&t->run_link, &rq->queues[which]);
	t->queued = true;
	WRITE_ONCE(rq->nr_queued, rq->nr_queued + 1);
}

static void dequeue(struct run_queue *rq, struct thread *t)
{
	list_del(&t->run_link);
	t->queued = false;
	WRITE_ONCE(rq->nr_queued, rq->nr_queued - 1);
}

static struct thread *pick(struct run_queue *rq)
{
	struct thread *t;

	if (!rq->nr_queued)
		return rq->idle;
	if (list_empty(&rq->queues[rq->active])) {
		rq->active ^= 1;
		rq->epoch++;
	}
	t = list_first_entry(&rq->queues[rq->active], struct thread, run_link);
	dequeue(rq, t);
	return t;
}

/* Charge the running thread up to now. */
static void account(struct thread *t, u64 now)
{
	u64 ran = now - t->run_since;

	t->runtime += ran;
	t->slice_ns -= (s64)ran;
	t->run_since = now;
}

/* -- switching ------------------------------------------------------------------------------------------------- */
static void check_stack(const struct thread *t)
{
	if (DEBUG && t->stack && *(unsigned long *)t->stack != THREAD_STACK_CANARY)
		panic("sched: kernel stack of %s (%d) overflowed\n", t->name, t->tid);
}

/* The thread that left must go on elsewhere: its mask has changed. => rq->lock; its stack is free */
static void expel(struct run_queue *rq, struct thread *t)
{
	t->epoch -= rq->epoch;
	t->cpu = sched_choose(t);
}

/* On the new thread's stack: let go of the old one. => interrupts off, rq->lock held by our predecessor */
static void finish_switch(void)
{
	struct run_queue *rq = my_queue();
	struct thread *prev = rq->prev;
	bool dead = prev->state == THREAD_DEAD; /* once the lock is open, prev may run and go away elsewhere */
	bool leaves = rq->expel_prev;

	rq->expel_prev = false;
	if (unlikely(leaves))
		expel(rq, prev);
	spin_raw_unlock(&rq->lock);
	this_cpu()->preempt_count--;
	if (unlikely(leaves))
		sched_arrive(prev, false);
	if (dead)
		thread_put(prev);
}

void thread_first_run(void)
{
	finish_switch();
}

/* => rq->lock, interrupts off; released by the next thread */
static void switch_to(struct run_queue *rq, struct thread *prev, struct thread *next, u64 now)
{
	struct cpu *cpu = this_cpu();

	check_stack(prev);
	check_stack(next);
	lock_release(&rq->lock); /* the validator's list is the thread's; the lock itself is handed over */
	rq->prev = prev;
	WRITE_ONCE(rq->current, next);
	rq->switches++;
	next->run_since = now;
	cpu->current = next;
	if (next->pt)
		pgtable_load(next->pt);
	else
		pgtable_borrow();
	arch_context_switch(&prev->ctx, &next->ctx);
	finish_switch();
}

/* The other CPUs' view: is there anything to do here? => rq->lock; @next comes */
static void mark_idle(struct run_queue *rq, const struct thread *next)
{
	unsigned long bit = BIT(queue_cpu(rq));
	bool marked = atomic_read(&sched_idle_cpus) & bit;

	if (next == rq->idle && !marked)
		atomic_or(&sched_idle_cpus, bit);
	else if (next != rq->idle && marked)
		atomic_and(&sched_idle_cpus, ~bit);
}

/* What becomes of @prev, which gives up the CPU. => rq->lock */
static void put_prev(struct run_queue *rq, struct thread *prev)
{
	if (READ_ONCE(prev->state) != THREAD_RUNNING) {
		prev->on_rq = false;
		prev->switches++;
		return;
	}
	prev->preempted++;
	if (likely(may_run_on(prev, prev->cpu)))
		enqueue(rq, prev, false);
	else
		rq->expel_prev = true; /* when its stack is free */
}

void schedule(void)
{
	unsigned long flags = irq_save();
	struct run_queue *rq = my_queue();
	struct thread *prev = current_thread(), *next;
	bool boot_waits = false;
	u64 now = clock_ns();

	lock_assert_may_switch();
	rcu_quiescent();
	if (!rq->nr_queued && (prev == rq->idle || prev->state != THREAD_RUNNING))
		sched_pull(rq);
	spin_lock(&rq->lock);
	this_cpu()->need_resched = false;
	account(prev, now);
	if (prev != rq->idle) {
		put_prev(rq, prev);
	} else { /* boot code that sleeps: there must always be an idle thread, so it polls */
		boot_waits = prev->state != THREAD_RUNNING;
		prev->state = THREAD_RUNNING;
	}
	next = pick(rq);
	mark_idle(rq, next);
	if (next != prev) {
		switch_to(rq, prev, next, now);
	} else {
		spin_unlock(&rq->lock);
		if (boot_waits)
			cpu_idle();
	}
	irq_restore(flags);
}

void thread_yield(void)
{
	current_thread()->slice_ns = 0;
	schedule();
}

/* -- waking -------------------------------------------------------------------------------------------------------- */

/* Who wakes comes at once if more of his slice is left than of the running thread's. => rq->lock */
static bool preempts(const struct run_queue *rq, const struct thread *t)
{
	const struct thread *cur = rq->current;
	s64 slice = t->epoch == rq->epoch ? t->slice_ns : SCHED_SLICE_NS;

	return cur == rq->idle || slice > cur->slice_ns - (s64)(clock_ns() - cur->run_since);
}

void sched_poke(unsigned cpu)
{
	struct cpu *c = &cpus[cpu];

	if (READ_ONCE(c->need_resched)) /* on its way: it will take its queue's lock after us */
		return;
	WRITE_ONCE(c->need_resched, true);
	if (cpu != this_cpu()->id)
		ipi_reschedule(cpu);
}

/* Into the queue of t->cpu. => rq->lock */
static void admit(struct run_queue *rq, struct thread *t, bool woken)
{
	bool preempt = preempts(rq, t);

	enqueue(rq, t, woken && preempt);
	if (preempt)
		sched_poke(t->cpu);
}

void sched_depart(struct run_queue *rq, struct thread *t, unsigned cpu)
{
	ASSERT(spin_held(&rq->lock) && t->queued);
	dequeue(rq, t);
	t->epoch -= rq->epoch;
	t->cpu = cpu;
}

void sched_arrive(struct thread *t, bool woken)
{
	struct run_queue *rq;

	for (;;) {
		rq = queue_of_cpu(t->cpu);
		spin_lock(&rq->lock);
		if (likely(may_run_on(t, t->cpu)))
			break;
		t->cpu = sched_choose(t); /* the mask changed on the way */
		spin_unlock(&rq->lock);
	}
	t->epoch += rq->epoch;
	admit(rq, t, woken);
	spin_unlock(&rq->lock);
}

struct run_queue *sched_lock_queue(const struct thread *t, unsigned long *flags)
{
	for (;;) {
		struct run_queue *rq = queue_of_cpu(READ_ONCE(t->cpu));

		*flags = spin_lock_irqsave(&rq->lock);
		if (likely(rq == queue_of_cpu(READ_ONCE(t->cpu))))
			return rq;
		spin_unlock_irqrestore(&rq->lock, *flags);
	}
}

/* From one of @states to RUNNING, if it is in one. The thread itself may be changing its state just now: to dead, for
 * example, which must not be overwritten. => its queue's lock */
static bool claim_sleeper(struct thread *t, unsigned states)
{
	unsigned state = atomic_read(&t->state);

	while (state & states)
		if (atomic_try_cmpxchg(&t->state, &state, THREAD_RUNNING))
			return true;
	return false;
}

/* @t really sleeps: to a queue, its own or another. => rq->lock, which is released (interrupts stay off) */
static void wake_sleeper(struct run_queue *rq, struct thread *t)
{
	unsigned cpu = sched_choose(t);

	t->on_rq = true;
	if (cpu == t->cpu) {
		admit(rq, t, true);
		spin_unlock(&rq->lock);
		return;
	}
	t->epoch -= rq->epoch;
	t->cpu = cpu;
	spin_unlock(&rq->lock);
	sched_arrive(t, true);
}

bool thread_wake_states(struct thread *t, unsigned states)
{
	unsigned long flags;
	struct run_queue *rq = sched_lock_queue(t, &flags);
	bool woken = claim_sleeper(t, states);

	if (woken && !t->on_rq)
		wake_sleeper(rq, t);
	else /* awake, or it has only announced to sleep */
		spin_unlock(&rq->lock);
	irq_restore(flags);
	return woken;
}

bool thread_wake(struct thread *t)
{
	return thread_wake_states(t, THREAD_SLEEPING);
}

void thread_wake_signal(struct thread *t, bool fatal)
{
	unsigned states = THREAD_INTERRUPTIBLE | (fatal ? THREAD_KILLABLE | THREAD_STOPPED : 0);
	struct run_queue *rq;
	unsigned long flags;

	if (thread_wake_states(t, states) || t == current_thread())
		return;
	/* In ring 3 on another CPU it would not notice before its next tick. */
	rq = sched_lock_queue(t, &flags);
	if (rq->current == t && queue_cpu(rq) != this_cpu()->id)
		ipi_reschedule(queue_cpu(rq));
	spin_unlock_irqrestore(&rq->lock, flags);
}

void thread_start(struct thread *t)
{
	t->cpu = this_cpu()->id;
	BUG_ON(!thread_wake_states(t, THREAD_NEW));
}

int thread_set_affinity(struct thread *t, unsigned long mask)
{
	struct run_queue *rq;
	unsigned long flags;
	bool travels = false;

	mask &= atomic_read(&sched_cpus);
	if (!mask)
		return -EINVAL;
	rq = sched_lock_queue(t, &flags);
	WRITE_ONCE(t->allowed, mask);
	if (!may_run_on(t, t->cpu)) {
		travels = t->queued;
		if (travels)
			sched_depart(rq, t, sched_choose(t));
		else if (rq->current == t)
			sched_poke(t->cpu);
	}
	spin_unlock(&rq->lock);
	if (travels)
		sched_arrive(t, false);
	irq_restore(flags);
	if (t == current_thread() && !(mask & BIT(this_cpu()->id)))
		schedule();
	return 0;
}

unsigned long thread_affinity(const struct thread *t)
{
	return READ_ONCE(t->allowed) & atomic_read(&sched_cpus);
}

void thread_set_state(enum thread_state state)
{
	__atomic_store_n(&current_thread()->state, state, __ATOMIC_SEQ_CST);
}

void thread_set_pgtable(struct pgtable *pt)
{
	unsigned long flags = irq_save();

	current_thread()->pt = pt;
	pgtable_load(pt);
	irq_restore(flags);
}
