/*
 * sched.h - inside kernel/sched: the run queues.  Layer 8.
 *
 * One queue for each CPU, of two lists.  A thread runs from `active` until its slice is used up, then waits in
 * `expired` with a new one; when active is empty the two change places (an epoch).  A thread that wakes keeps
 * what it had left, or gets a new slice if it slept through the end of an epoch.  So sleepers come quickly, and
 * nobody starves: in one epoch everybody gets at most one slice.
 *
 * Where a thread is (t->cpu names the queue whose lock guards all this):
 *
 *   sleeps      !on_rq                     no CPU uses its stack: the queue's lock is held until the switch is over
 *   runs        on_rq, rq->current         its stack is in use
 *   waits       on_rq, queued              in one of the lists: the only state in which others may take it away
 *   travels     on_rq, neither             whoever took it away will put it into t->cpu's queue: sched_arrive()
 *
 * So a thread is never run by two CPUs: it becomes takeable under the lock that its old CPU lets go only after it
 * has left the thread's stack (finish_switch()).
 *
 * Lock order: one queue's lock at a time, LOCK_RUNQ, below nearly everything.  Travelling needs no second one.
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
	unsigned nr_queued; /* in both; the running thread is in neither. Others look without the lock: a hint */
	struct thread *current;
	struct thread *idle;
	struct thread *prev; /* during a switch: who is leaving */
	bool expel_prev;     /* ... and may not run here any more */
	u64 last_tick, next_balance;
	u64 user_ns, system_ns;               /* by ticks */
	unsigned long switches, ticks, taken; /* taken: threads from other queues */
} __aligned(64);

extern struct run_queue run_queues[MAX_CPUS];
extern unsigned long sched_cpus;      /* CPUs that run threads; atomic, bits only come */
extern unsigned long sched_idle_cpus; /* of them, those with nothing to do; atomic, a hint */

static inline struct run_queue *queue_of_cpu(unsigned cpu)
{
	return &run_queues[cpu];
}

/* => preemption off, or the thread stays on this CPU */
static inline struct run_queue *my_queue(void)
{
	return queue_of_cpu(this_cpu()->id);
}

static inline unsigned queue_cpu(const struct run_queue *rq)
{
	return (unsigned)(rq - run_queues);
}

/* Runnable threads. Without the lock: a hint. */
static inline unsigned queue_load(const struct run_queue *rq)
{
	return READ_ONCE(rq->nr_queued) + (READ_ONCE(rq->current) != rq->idle);
}

/* May @t run on @cpu? One that is pinned may nowhere else, whatever its mask says. => its queue's lock */
static inline bool may_run_on(const struct thread *t, unsigned cpu)
{
	return READ_ONCE(t->allowed) & BIT(cpu) || (arch_context_pinned(&t->ctx) && t->cpu == cpu);
}

/* -- sched.c -------------------------------------------------------------------------------------------------- */

/* Lock the queue that @t belongs to. => irqsave; spin_unlock_irqrestore(&rq->lock, *flags) */
struct run_queue *sched_lock_queue(const struct thread *t, unsigned long *flags);
/* A waiting @t out of its queue: it travels to @cpu, and the caller lets go of the lock and calls
 * sched_arrive().  => rq->lock */
void sched_depart(struct run_queue *rq, struct thread *t, unsigned cpu);
/* End of the journey, here or, if the mask has changed, elsewhere. => interrupts off, no queue's lock */
void sched_arrive(struct thread *t, bool woken);
/* Have @cpu call schedule() soon. => its queue's lock */
void sched_poke(unsigned cpu);

/* -- balance.c -------------------------------------------------------------------------------------------------- */

/* Where @t should run: its last CPU if that is idle, another idle one, its last, the least loaded. Never a CPU that
 * it may not use. => @t sleeps or travels; its queue's lock */
unsigned sched_choose(const struct thread *t);
/* This CPU has nothing to do, or only less than others: take a waiting thread from the longest queue.
 * True if it got one. => interrupts off, no queue's lock */
bool sched_pull(struct run_queue *rq);
/* From the tick: ask for a pull or make one. => interrupts off, no queue's lock */
void sched_balance_tick(struct run_queue *rq, u64 now);

/* -- loadavg.c: from CPU 0's tick. => interrupts off, no queue's lock */
void sched_load_tick(u64 now);

void thread_init_fields(struct thread *t, const char *name); /* refs = 1, state NEW, in the list of all */
unsigned long thread_count(void);
void thread_init_subsystem(void);

#endif
