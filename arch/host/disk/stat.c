/*
 * stat.c - what kernel/sched would tell /proc of its CPUs: here they count nothing but the threads.
 */
#include <arch/irq.h>

#include "arch/host/sim/sched.h"
#include "kernel/sched/thread.h"

bool sched_cpu_stat(unsigned cpu, struct sched_cpu_stat *st)
{
	if (cpu >= cpu_count)
		return false;
	*st = (struct sched_cpu_stat){.idle_ns = arch_clock_ns(), .running = cpus[cpu].current != NULL};
	return true;
}

void sched_stat(struct sched_stat *st)
{
	struct sim_thread *t;

	*st = (struct sched_stat){.idle_ns = arch_clock_ns() * cpu_count};
	for (unsigned i = 0; i < cpu_count; i++)
		st->running += cpus[i].current != NULL;
	sched_lock();
	list_for_each_entry(t, &sched_threads, all_link)
		st->threads++;
	sched_unlock();
}
