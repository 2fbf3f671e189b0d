/*
 * cputime.c - who used the CPUs: ticks, and the counts that come from them.  Layer 8 (kernel/sched).
 */
#include "kernel/lib/atomic.h"
#include "kernel/lib/bitops.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/timer.h"

/* The time since the last tick to whom this one finds. => rq->lock */
static void charge_tick(struct run_queue *rq, struct thread *t, u64 now, bool from_user)
{
	u64 tick = min(now - rq->last_tick, NSEC_PER_SEC / 10); /* the first one, or the emulator was stopped */

	rq->last_tick = now;
	rq->ticks++;
	if (from_user) {
		t->utime += tick;
		rq->user_ns += tick;
	} else {
		t->stime += tick;
		if (t != rq->idle)
			rq->system_ns += tick;
	}
	if (rq->nr_queued && (t == rq->idle || t->slice_ns - (s64)(now - t->run_since) <= 0))
		this_cpu()->need_resched = true;
}

void sched_tick(bool from_user)
{
	struct run_queue *rq = my_queue();
	u64 now = clock_ns();

	if (!rq->idle)
		return;
	spin_lock(&rq->lock);
	charge_tick(rq, rq->current, now, from_user);
	spin_unlock(&rq->lock);
	if (queue_cpu(rq) == 0)
		sched_load_tick(now);
	sched_balance_tick(rq, now);
}

/* => rq->lock */
static u64 runtime_now(const struct run_queue *rq, const struct thread *t)
{
	s64 turn = rq->current == t ? (s64)(clock_ns() - t->run_since) : 0;

	return t->runtime + (u64)max(turn, (s64)0);
}

u64 thread_runtime(struct thread *t)
{
	unsigned long flags;
	struct run_queue *rq = sched_lock_queue(t, &flags);
	u64 ns = runtime_now(rq, t);

	spin_unlock_irqrestore(&rq->lock, flags);
	return ns;
}

void thread_times(struct thread *t, u64 *user, u64 *system)
{
	unsigned long flags;
	struct run_queue *rq = sched_lock_queue(t, &flags);

	*user = t->utime;
	*system = t->stime;
	spin_unlock_irqrestore(&rq->lock, flags);
}

bool sched_cpu_stat(unsigned cpu, struct sched_cpu_stat *st)
{
	struct run_queue *rq;
	unsigned long flags;

	if (cpu >= MAX_CPUS || !(atomic_read(&sched_cpus) & BIT(cpu)))
		return false;
	rq = queue_of_cpu(cpu);
	flags = spin_lock_irqsave(&rq->lock);
	*st = (struct sched_cpu_stat){
		.user_ns = rq->user_ns,
		.system_ns = rq->system_ns,
		.idle_ns = runtime_now(rq, rq->idle),
		.switches = rq->switches,
		.ticks = rq->ticks,
		.taken = rq->taken,
		.running = queue_load(rq),
	};
	spin_unlock_irqrestore(&rq->lock, flags);
	return true;
}

void sched_stat(struct sched_stat *st)
{
	struct sched_cpu_stat cpu;

	*st = (struct sched_stat){.threads = thread_count()};
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		if (!sched_cpu_stat(i, &cpu))
			continue;
		st->idle_ns += cpu.idle_ns;
		st->switches += cpu.switches;
		st->ticks += cpu.ticks;
		st->running += cpu.running;
	}
}
