/*
 * balance.c - which CPU a thread runs on.  Layer 8 (kernel/sched).
 *
 *   a thread wakes or is new     sched_choose(): idle CPUs first, then where its cache lines are
 *   a CPU runs out of threads    schedule() pulls one at once; while idle, at every tick
 *   a CPU is busy                every PERIOD_NS it pulls from a queue that is longer than its own
 *
 * "Longer" by one is enough: three threads on two CPUs then take turns in being alone, so that over a few
 * periods each gets two thirds of a CPU.
 *
 * The looks at other CPUs' queues are hints without their locks; the taking is done under the lock.
 */
#include <arch/smp.h>
#include "kernel/lib/atomic.h"
#include "kernel/lib/bitops.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/timer.h"

#define PERIOD_NS (50 * NSEC_PER_MSEC)

unsigned long sched_cpus, sched_idle_cpus;

/* -- where to ------------------------------------------------------------------------------------------------- */

/* An idle CPU of @mask, @last if it is one, claimed so that two wakers do not choose the same; or MAX_CPUS. */
static unsigned claim_idle(unsigned long mask, unsigned last)
{
	unsigned long idle;

	while ((idle = atomic_read(&sched_idle_cpus) & mask)) {
		unsigned cpu = idle & BIT(last) ? last : bit_lowest(idle);

		if (atomic_fetch_and(&sched_idle_cpus, ~BIT(cpu)) & BIT(cpu))
			return cpu;
	}
	return MAX_CPUS;
}

/* The CPU of @mask with the fewest threads; @last if none has fewer. */
static unsigned least_loaded(unsigned long mask, unsigned last)
{
	unsigned best = mask & BIT(last) ? last : bit_lowest(mask);
	unsigned best_load = queue_load(queue_of_cpu(best));

	for (; mask; mask &= mask - 1) {
		unsigned load = queue_load(queue_of_cpu(bit_lowest(mask)));

		if (load < best_load) {
			best = bit_lowest(mask);
			best_load = load;
		}
	}
	return best;
}

unsigned sched_choose(const struct thread *t)
{
	unsigned long cpus = atomic_read(&sched_cpus), mask = READ_ONCE(t->allowed) & cpus;
	unsigned cpu;

	if (is_power_of_2(cpus) || arch_context_pinned(&t->ctx))
		return t->cpu;
	cpu = claim_idle(mask, t->cpu);
	if (cpu < MAX_CPUS)
		return cpu;
	if (mask & BIT(t->cpu) && queue_load(queue_of_cpu(t->cpu)) <= 1)
		return t->cpu;
	return least_loaded(mask, t->cpu);
}

/* -- taking -------------------------------------------------------------------------------------------------------- */

/* The queue that has most to give, if that is more than @load; or NULL. */
static struct run_queue *longest_queue(const struct run_queue *mine, unsigned load)
{
	struct run_queue *best = NULL;

	for (unsigned long cpus = atomic_read(&sched_cpus); cpus; cpus &= cpus - 1) {
		struct run_queue *rq = queue_of_cpu(bit_lowest(cpus));
		unsigned other = queue_load(rq);

		/* A thread that waits alone for an idle CPU is about to run. */
		if (rq == mine || other <= max(load, 1u) || !READ_ONCE(rq->nr_queued))
			continue;
		best = rq;
		load = other;
	}
	return best;
}

/* A waiting thread that may run on @cpu: one that has used up its slice rather than one that is about to run, the
 * last rather than the first. => rq->lock */
static struct thread *takeable(struct run_queue *rq, unsigned cpu)
{
	for (unsigned which = 0; which < 2; which++) {
		struct list *queue = &rq->queues[rq->active ^ which ^ 1];

		for (struct list *l = queue->prev; l != queue; l = l->prev) {
			struct thread *t = list_entry(l, struct thread, run_link);

			if (READ_ONCE(t->allowed) & BIT(cpu) && !arch_context_pinned(&t->ctx))
				return t;
		}
	}
	return NULL;
}

bool sched_pull(struct run_queue *rq)
{
	struct run_queue *from = longest_queue(rq, queue_load(rq));
	struct thread *t;

	if (!from)
		return false;
	spin_lock(&from->lock);
	t = takeable(from, queue_cpu(rq));
	if (t)
		sched_depart(from, t, queue_cpu(rq));
	spin_unlock(&from->lock);
	if (!t)
		return false;
	rq->taken++;
	sched_arrive(t, false);
	return true;
}

void sched_balance_tick(struct run_queue *rq, u64 now)
{
	if (is_power_of_2(atomic_read(&sched_cpus)))
		return;
	if (rq->current == rq->idle) {
		if (longest_queue(rq, 0))
			this_cpu()->need_resched = true; /* schedule() pulls */
	} else if (now >= rq->next_balance) {
		rq->next_balance = now + PERIOD_NS + queue_cpu(rq) * NSEC_PER_MSEC; /* not all at once */
		sched_pull(rq);
	}
}
