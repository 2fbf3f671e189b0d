/*
 * seeded.c - the seeded scheduler: one CPU executes at a time, and at each point the seed says who goes on.
 *
 * Beside the layers.  Everything here happens between two points of the machine and is thereby atomic; no locks.
 *
 *   cpu->current   the thread that has the CPU (it may be waiting for its turn), NULL: idle
 *   queues[cpu]    runnable threads that wait until the current one leaves
 *
 * Time is simulated: each point takes POINT_NS, and when nobody can run it jumps to the next deadline.
 */
#include <arch/smp.h>

#include "arch/host/sim/sched.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"

#define POINT_NS 50
#define TICK_POINTS 256
#define RELAX_MAX 1000000 /* so often in a row without anybody else to run: a deadlock */

static struct list queues[MAX_CPUS];
static unsigned since_tick[MAX_CPUS];
static unsigned since_idle_tick;
static u64 now, next_deadline = SIM_FOREVER;
static unsigned long relaxed;
static struct os_context *boot;

/* -- who may run ----------------------------------------------------------------------------------------------------- */
static void enqueue(struct sim_thread *t)
{
	t->off = false;
	list_add_tail(&t->run_link, &queues[t->cpu]);
}

/* Give the idle @cpu one of the threads that wait for it. */
static void seat(struct cpu *cpu)
{
	struct list *q = &queues[cpu->id];
	struct sim_thread *t;
	u64 n = 0, which;

	list_for_each_entry(t, q, run_link)
		n++;
	which = sched_choice() % n;
	list_for_each_entry(t, q, run_link)
		if (which-- == 0)
			break;
	list_del(&t->run_link);
	cpu->current = (struct thread *)t;
	cpu->ctx = &t->ctx;
	host_irqs_on[cpu->id] = false; /* until it has arrived */
}

static bool busy(unsigned cpu)
{
	return cpus[cpu].current || !list_empty(&queues[cpu]);
}

/* A thread to go on with, on any CPU but @except; NULL: none. */
static struct sim_thread *choose(const struct cpu *except)
{
	unsigned ids[MAX_CPUS], n = 0;
	struct cpu *cpu;

	for (unsigned i = 0; i < cpu_count; i++)
		if (&cpus[i] != except && busy(i))
			ids[n++] = i;
	if (!n)
		return NULL;
	cpu = &cpus[ids[n > 1 ? sched_choice() % n : 0]];
	if (!cpu->current)
		seat(cpu);
	return (struct sim_thread *)cpu->current;
}

/* -- time --------------------------------------------------------------------------------------------------------------- */

/* Wake who has slept long enough; find out when the next one has. */
static void wake_due(void)
{
	struct sim_thread *t;

	next_deadline = SIM_FOREVER;
	list_for_each_entry(t, &sched_threads, all_link) {
		if (!t->off || t->deadline == SIM_FOREVER)
			continue;
		if (t->deadline <= now) {
			atomic_set(&t->state, SYNC_RUNNING);
			enqueue(t);
		} else {
			next_deadline = min(next_deadline, t->deadline);
		}
	}
}

/* Nobody can run: the next event.  False: there is none. */
static bool skip_time(void)
{
	wake_due();
	if (next_deadline == SIM_FOREVER)
		return false;
	now = next_deadline;
	wake_due();
	sched_quiet++;
	sched_idle_ticks();
	sched_quiet--;
	return true;
}

static struct sim_thread *choose_or_wait(void)
{
	struct sim_thread *t;

	while (!(t = choose(NULL))) {
		bool somebody = false;

		for (unsigned i = 0; i < cpu_count; i++)
			somebody |= busy(i);
		if (!somebody && !skip_time())
			sched_deadlock();
	}
	return t;
}

static u64 seeded_clock(void)
{
	return now;
}

/* -- switching ------------------------------------------------------------------------------------------------------------ */

/* The turn passes to @to; returns when it comes back to the caller, who executed on @here. */
static void pass(struct os_context *from, struct sim_thread *to)
{
	struct cpu *here = host_cpu;
	unsigned quiet = sched_quiet;

	sched_quiet = 0;
	host_cpu = &cpus[to->cpu];
	sched_trace(now, to->cpu << 8 | (unsigned)to->tid);
	if (from != to->context)
		os_context_switch(from, to->context);
	host_cpu = here;
	sched_quiet = quiet;
}

/* The thread has left its CPU; returns on its CPU of then. */
static void away(struct sim_thread *t)
{
	pass(t->context, choose_or_wait());
	host_cpu = &cpus[t->cpu];
	sched_arrive(t);
}

static void seeded_leave(struct sim_thread *t)
{
	if (t->deadline <= now) {
		atomic_set(&t->state, SYNC_RUNNING);
		return;
	}
	sched_depart(t);
	host_irqs_on[this_cpu()->id] = true; /* idle */
	t->off = true;
	next_deadline = min(next_deadline, t->deadline);
	away(t);
}

static void seeded_yield(struct sim_thread *t)
{
	sched_depart(t);
	host_irqs_on[this_cpu()->id] = true;
	enqueue(t);
	away(t);
}

static void seeded_start(struct sim_thread *t)
{
	t->context = os_context_create(sched_thread_main, t);
	enqueue(t);
}

static void seeded_wake(struct sim_thread *t)
{
	if (t->off)
		enqueue(t);
}

static bool seeded_crowded(void)
{
	return !list_empty(&queues[this_cpu()->id]);
}

static struct sim_thread *first_thread;

static void seeded_end(struct sim_thread *t)
{
	struct sim_thread *next;

	sched_depart(t);
	host_irqs_on[this_cpu()->id] = true;
	atomic_set(&t->state, SIM_DEAD);
	sched_quiet = 0;
	if (t == first_thread)
		os_context_leave(t->context, boot);
	next = choose_or_wait();
	host_cpu = &cpus[next->cpu];
	os_context_leave(t->context, next->context);
	BUG();
}

static void seeded_reap(struct sim_thread *t)
{
	while (atomic_read(&t->state) != SIM_DEAD)
		host_relax();
	os_context_free(t->context);
}

static void seeded_run(struct sim_thread *first)
{
	if (!boot)
		boot = os_context_self();
	first_thread = first;
	pass(boot, choose_or_wait());
	host_cpu = &cpus[0];
}

/* -- points ------------------------------------------------------------------------------------------------------------------ */

/* Maybe it is another CPU's turn. @wait: surely, if there is one. */
static void turn(bool wait)
{
	struct sim_thread *to = choose(wait ? this_cpu() : NULL);

	if (to && to != current_sim()) {
		relaxed = 0;
		pass(current_sim()->context, to);
	} else if (wait && !to) {
		if (!skip_time() && ++relaxed > RELAX_MAX)
			sched_deadlock();
	}
}

static bool tick_due(unsigned cpu)
{
	if (++since_tick[cpu] < TICK_POINTS || !irqs_enabled())
		return false;
	since_tick[cpu] = 0;
	return true;
}

static void housekeeping(u64 random)
{
	sched_quiet++;
	if (++since_idle_tick >= TICK_POINTS) {
		since_idle_tick = 0;
		sched_idle_ticks();
	}
	sched_disturb(NULL, random);
	sched_quiet--;
}

static void seeded_point(bool wait)
{
	u64 random = sched_choice();

	now += POINT_NS;
	housekeeping(random);
	host_deliver(tick_due(this_cpu()->id));
	if (now >= next_deadline)
		wake_due();
	if (wait || sched_odds(random, 2, sched_switch_odds))
		turn(wait);
	host_deliver(false);
}

/* -- idle CPUs ------------------------------------------------------------------------------------------------------------------ */
static bool seeded_claim(struct cpu *cpu)
{
	return !cpu->current;
}

static void seeded_release(struct cpu *cpu)
{
}

static __attribute__((constructor)) void seeded_init(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		list_init(&queues[i]);
}

const struct sched_mode seeded_mode = {
	.start = seeded_start,
	.leave = seeded_leave,
	.yield = seeded_yield,
	.wake = seeded_wake,
	.end = seeded_end,
	.reap = seeded_reap,
	.run = seeded_run,
	.point = seeded_point,
	.claim = seeded_claim,
	.release = seeded_release,
	.clock = seeded_clock,
	.crowded = seeded_crowded,
};
