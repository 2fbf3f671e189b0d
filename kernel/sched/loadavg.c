/*
 * loadavg.c - how many threads wanted a CPU, on average over the last 1, 5 and 15 minutes.  Layer 8 (kernel/sched).
 *
 * Every five seconds the number of runnable threads is mixed in: average = average * d + running * (1 - d), with
 * d = e^(-5 s / minutes), all of it in units of 1 / LOAD_ONE.
 */
#include "kernel/lib/atomic.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/timer.h"

#define PERIOD_NS (5 * NSEC_PER_SEC)

static const unsigned decay[LOAD_AVERAGES] = {60299, 64453, 65173}; /* e^(-1/12), e^(-1/60), e^(-1/180) of LOAD_ONE */
static unsigned averages[LOAD_AVERAGES];                            /* written by CPU 0 */
static u64 next;

void sched_load_tick(u64 now)
{
	unsigned running = 0;

	if (now < next)
		return;
	next = now + PERIOD_NS;
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		running += READ_ONCE(sched_cpus) & BIT(cpu) ? queue_load(queue_of_cpu(cpu)) : 0;
	for (unsigned i = 0; i < LOAD_AVERAGES; i++)
		WRITE_ONCE(averages[i],
		           (unsigned)(((u64)averages[i] * decay[i] + (u64)running * LOAD_ONE * (LOAD_ONE - decay[i])) >> 16));
}

unsigned sched_load(unsigned i)
{
	return READ_ONCE(averages[i]);
}
