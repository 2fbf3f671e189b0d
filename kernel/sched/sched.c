/*
 * sched.c - choosing and switching.  Layer 8 (kernel/sched).
 *
 * Lock order: a run queue's lock is below nearly everything (LOCK_RUNQ); it is held across the switch so
 * that nobody can run a thread whose registers are not saved yet.
 */
#include "kernel/sched/sched.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/sched/timer.h"
#include "mm/pgtable/pgtable.h"

struct run_queue run_queues[MAX_CPUS];
static struct thread idle_threads[MAX_CPUS];

static struct run_queue *my_queue(void)
{
	return &run_queues[this_cpu()->id];
}

/* -- the queue: all => rq->lock ------------------------------------------------------------------------------ */

/* To the end of the list that it belongs in; or, @first and with a slice left, before everybody. */
static void enqueue(struct run_queue *rq, struct thread *t, bool first)
{
	unsigned which = rq->active;

	if (t->epoch != rq->epoch) {
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
	rq->nr_queued++;
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
	list_del(&t->run_link);
	rq->nr_queued--;
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

/* On the new thread's stack: let go of the old one. => interrupts off, rq->lock held by our predecessor */
static void finish_switch(void)
{
	struct run_queue *rq = my_queue();
	struct thread *prev = rq->prev;
	bool dead = prev->state == THREAD_DEAD; /* once the lock is open, prev may run and go away elsewhere */

	spin_raw_unlock(&rq->lock);
	this_cpu()->preempt_count--;
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
	rq->current = next;
	rq->switches++;
	next->run_since = now;
	cpu->current = next;
	if (next->pt && next->pt != cpu->loaded) /* a kernel thread borrows what is there */
		pgtable_load(next->pt);
	arch_context_switch(&prev->ctx, &next->ctx);
	finish_switch();
}

void schedule(void)
{
	unsigned long flags = irq_save();
	struct run_queue *rq = my_queue();
	struct thread *prev = current_thread(), *next;
	bool boot_waits = false;
	u64 now = clock_ns();

	might_sleep();
	spin_lock(&rq->lock);
	this_cpu()->need_resched = false;
	account(prev, now);
	if (prev == rq->idle) { /* boot code that sleeps: there must always be an idle thread, so it polls */
		boot_waits = prev->state != THREAD_RUNNING;
		prev->state = THREAD_RUNNING;
	} else if (prev->state != THREAD_RUNNING) {
		prev->on_rq = false;
		prev->switches++;
	} else {
		enqueue(rq, prev, false);
		prev->preempted++;
	}
	next = pick(rq);
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

/* => its queue's lock */
static void make_runnable(struct run_queue *rq, struct thread *t)
{
	bool preempt;

	WRITE_ONCE(t->state, THREAD_RUNNING);
	if (t->on_rq) /* it has only announced to sleep */
		return;
	t->on_rq = true;
	preempt = preempts(rq, t);
	enqueue(rq, t, preempt);
	if (preempt)
		cpus[rq - run_queues].need_resched = true; /* another CPU notices at its next tick */
}

bool thread_wake_states(struct thread *t, unsigned states)
{
	struct run_queue *rq;
	unsigned long flags;
	bool sleeping;

	for (;;) {
		rq = &run_queues[READ_ONCE(t->cpu)];
		flags = spin_lock_irqsave(&rq->lock);
		if (likely(rq == &run_queues[t->cpu]))
			break;
		spin_unlock_irqrestore(&rq->lock, flags);
	}
	sleeping = t->state & states;
	if (sleeping)
		make_runnable(rq, t);
	spin_unlock_irqrestore(&rq->lock, flags);
	return sleeping;
}

bool thread_wake(struct thread *t)
{
	return thread_wake_states(t, THREAD_SLEEPING);
}

void thread_wake_signal(struct thread *t, bool fatal)
{
	thread_wake_states(t, fatal ? THREAD_INTERRUPTIBLE | THREAD_KILLABLE | THREAD_STOPPED : THREAD_INTERRUPTIBLE);
}

void thread_start(struct thread *t)
{
	t->cpu = this_cpu()->id;
	BUG_ON(!thread_wake_states(t, THREAD_NEW));
}

void thread_set_state(enum thread_state state)
{
	__atomic_store_n(&current_thread()->state, state, __ATOMIC_SEQ_CST);
}

void thread_set_pgtable(struct pgtable *pt)
{
	unsigned long flags = irq_save();

	current_thread()->pt = pt;
	if (this_cpu()->loaded != pt)
		pgtable_load(pt);
	irq_restore(flags);
}

/* -- time ------------------------------------------------------------------------------------------------------------ */
void sched_tick(bool from_user)
{
	struct run_queue *rq = my_queue();
	struct thread *t = rq->current;
	u64 now = clock_ns(), tick = now - rq->last_tick;

	rq->last_tick = now;
	rq->ticks++;
	if (!t)
		return;
	if (tick > NSEC_PER_SEC / 10) /* the first one, or the emulator was stopped */
		tick = NSEC_PER_SEC / 10;
	if (from_user)
		t->utime += tick;
	else
		t->stime += tick;
	if (rq->nr_queued && (t == rq->idle || t->slice_ns - (s64)(now - t->run_since) <= 0))
		this_cpu()->need_resched = true;
}

u64 thread_runtime(struct thread *t)
{
	unsigned long flags = spin_lock_irqsave(&run_queues[t->cpu].lock);
	u64 ns = t->runtime;

	if (run_queues[t->cpu].current == t)
		ns += clock_ns() - t->run_since;
	spin_unlock_irqrestore(&run_queues[t->cpu].lock, flags);
	return ns;
}

void sched_stat(struct sched_stat *st)
{
	*st = (struct sched_stat){.threads = thread_count()};
	for (unsigned i = 0; i < cpu_count; i++) {
		struct run_queue *rq = &run_queues[i];
		unsigned long flags;

		if (!rq->idle)
			continue;
		st->idle_ns += thread_runtime(rq->idle);
		flags = spin_lock_irqsave(&rq->lock);
		st->switches += rq->switches;
		st->ticks += rq->ticks;
		st->running += rq->nr_queued + (rq->current != rq->idle);
		spin_unlock_irqrestore(&rq->lock, flags);
	}
}

/* -- start-up ---------------------------------------------------------------------------------------------------------- */
bool sched_ready(void)
{
	return my_queue()->idle != NULL;
}

void sched_init(void)
{
	struct cpu *cpu = this_cpu();
	struct run_queue *rq = &run_queues[cpu->id];
	struct thread *idle = &idle_threads[cpu->id];

	lock_assert_none_held("sched_init");
	thread_init_subsystem();
	for (unsigned i = 0; i < MAX_CPUS; i++)
		spin_init(&run_queues[i].lock, LOCK_RUNQ);
	list_init(&rq->queues[0]);
	list_init(&rq->queues[1]);
	thread_init_fields(idle, "idle");
	idle->tid = 0;
	idle->state = THREAD_RUNNING;
	idle->on_rq = true;
	idle->cpu = cpu->id;
	idle->run_since = clock_ns();
	idle->ctx = *cpu->ctx; /* what the boot code has in use */
	cpu->ctx = &idle->ctx;
	cpu->current = idle;
	rq->current = idle;
	rq->idle = idle;
}

__noreturn void sched_idle(void)
{
	struct run_queue *rq = my_queue();

	lock_assert_none_held("sched_idle");
	for (;;) {
		irq_disable();
		if (READ_ONCE(rq->nr_queued) || this_cpu()->need_resched)
			schedule();
		else
			cpu_idle();
		irq_enable();
	}
}
