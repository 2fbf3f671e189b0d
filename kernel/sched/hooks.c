/*
 * hooks.c - what kernel/sync asks of the scheduler (kernel/sync/hooks.h), and the timer tick from the
 * machine.  Layer 8 (kernel/sched).
 */
#include "kernel/sync/hooks.h"
#include <arch/cpu.h>
#include <arch/upcall.h>
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"
#include "kernel/sync/rcu.h"

static struct lock_context boot_locks[MAX_CPUS]; /* before a CPU has its idle thread */

void sync_prepare(enum sync_state state)
{
	thread_set_state((enum thread_state)state);
}

void sync_block(void)
{
	schedule();
}

bool sync_wake(struct thread *thread)
{
	return thread_wake(thread);
}

bool sync_signal_pending(void)
{
	return READ_ONCE(current_thread()->work) & (THREAD_WORK_SIGNAL | THREAD_WORK_KILL);
}

bool sync_fatal_pending(void)
{
	return READ_ONCE(current_thread()->work) & THREAD_WORK_KILL;
}

int sync_thread_id(void)
{
	return current_thread()->tid;
}

unsigned *sync_memory_rights(void)
{
	return &current_thread()->memory_rights;
}

struct lock_context *sync_lock_context(void)
{
	struct thread *t = current_thread();
	struct lock_context *boot = &boot_locks[this_cpu()->id];

	if (likely(t))
		return &t->locks;
	boot->any_irq_state = true;
	return boot;
}

void upcall_timer_tick(bool from_user)
{
	if (this_cpu()->id == 0)
		timer_run();
	rcu_tick();
	sched_tick(from_user);
}
