/*
 * threads.c - real threads: for the thread sanitizer, and for interleavings finer than points.
 *
 * Beside the layers.  A CPU is a baton: who runs on it holds it, and interrupts reach it at points only.  So its state
 * needs no locks, and what is shared between CPUs races as on a real machine.
 */
#include <arch/smp.h>

#include "arch/host/sim/sched.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"

#define TICK_POINTS 256

static struct baton {
	struct os_mutex *mutex;
	struct os_cond *cond;
	const void *holder; /* a thread, or the baton itself: claimed */
	unsigned wanted;    /* threads that wait for it */
} batons[MAX_CPUS];

static __thread unsigned since_tick;

static struct baton *baton_of(unsigned cpu)
{
	return &batons[cpu];
}

static __attribute__((constructor)) void batons_init(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		batons[i].mutex = os_mutex_create();
		batons[i].cond = os_cond_create();
	}
}

/* -- batons -------------------------------------------------------------------------------------------------------- */
static void take(struct sim_thread *t)
{
	struct baton *b = baton_of(t->cpu);
	struct cpu *cpu = &cpus[t->cpu];

	os_lock(b->mutex);
	b->wanted++;
	while (b->holder)
		os_wait(b->cond, b->mutex);
	b->wanted--;
	b->holder = t;
	os_unlock(b->mutex);
	host_cpu = cpu;
	host_irqs_on[cpu->id] = false;
	cpu->current = (struct thread *)t;
	cpu->ctx = &t->ctx;
	sched_arrive(t);
}

static void give(unsigned cpu)
{
	struct baton *b = baton_of(cpu);

	os_lock(b->mutex);
	b->holder = NULL;
	os_wake(b->cond);
	os_unlock(b->mutex);
}

/* => interrupts off; on the CPU that it leaves, which t->cpu need not be any more */
static void quit(struct sim_thread *t)
{
	unsigned cpu = this_cpu()->id;

	sched_depart(t);
	host_irqs_on[cpu] = true;
	give(cpu);
}

static bool threads_claim(struct cpu *cpu)
{
	struct baton *b = baton_of(cpu->id);
	bool free;

	os_lock(b->mutex);
	free = !b->holder;
	if (free)
		b->holder = b;
	os_unlock(b->mutex);
	return free;
}

static void threads_release(struct cpu *cpu)
{
	give(cpu->id);
}

static bool threads_crowded(void)
{
	struct baton *b = baton_of(this_cpu()->id);
	bool crowded;

	os_lock(b->mutex);
	crowded = b->wanted;
	os_unlock(b->mutex);
	return crowded;
}

/* -- threads ---------------------------------------------------------------------------------------------------------- */
static void body(void *thread)
{
	take(thread);
	sched_thread_main(thread);
}

static void threads_start(struct sim_thread *t)
{
	t->mutex = os_mutex_create();
	t->cond = os_cond_create();
	t->os = os_thread_start(body, t);
}

static void threads_leave(struct sim_thread *t)
{
	sched_quiet++;
	if (t->deadline != SIM_FOREVER) /* who polls looks after those that have nothing to do */
		sched_idle_ticks();
	sched_quiet--;
	quit(t);
	os_lock(t->mutex);
	while (atomic_read(&t->state) != SYNC_RUNNING) {
		if (t->deadline == SIM_FOREVER) {
			os_wait(t->cond, t->mutex);
		} else if (!os_wait_until(t->cond, t->mutex, t->deadline)) {
			atomic_set(&t->state, SYNC_RUNNING);
		}
	}
	os_unlock(t->mutex);
	take(t);
}

static void threads_yield(struct sim_thread *t)
{
	quit(t);
	os_thread_yield();
	take(t);
}

static void threads_wake(struct sim_thread *t)
{
	os_lock(t->mutex);
	os_wake(t->cond);
	os_unlock(t->mutex);
}

static void threads_end(struct sim_thread *t)
{
	quit(t);
	atomic_set_release(&t->state, SIM_DEAD);
}

static void threads_reap(struct sim_thread *t)
{
	os_thread_join(t->os);
	os_mutex_free(t->mutex);
	os_cond_free(t->cond);
}

static void threads_run(struct sim_thread *first)
{
	os_thread_join(first->os);
	first->os = NULL;
}

static void threads_point(bool wait)
{
	struct sim_thread *t = current_sim();
	bool tick = ++since_tick >= TICK_POINTS && irqs_enabled();

	if (!t)
		return;
	if (tick)
		since_tick = 0;
	sched_quiet++;
	sched_disturb(this_cpu(), sched_choice());
	sched_quiet--;
	host_deliver(tick);
	if (wait)
		os_thread_yield();
}

const struct sched_mode threads_mode = {
	.start = threads_start,
	.leave = threads_leave,
	.yield = threads_yield,
	.wake = threads_wake,
	.end = threads_end,
	.reap = threads_reap,
	.run = threads_run,
	.point = threads_point,
	.claim = threads_claim,
	.release = threads_release,
	.clock = os_clock_ns,
	.crowded = threads_crowded,
};
