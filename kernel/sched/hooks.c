/*
 * hooks.c - what kernel/sync asks of the scheduler (kernel/sync/hooks.h), and the timer tick from the
 * machine.  Layer 8 (kernel/sched).
 */
#include "kernel/sync/hooks.h"
#include <arch/upcall.h>
#include "kernel/sched/thread.h"
#include "kernel/sched/timer.h"

static struct lock_context boot_locks; /* before sched_init() */

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

struct lock_context *sync_lock_context(void)
{
	struct thread *t = current_thread();

	return t ? &t->locks : &boot_locks;
}

void upcall_timer_tick(bool from_user)
{
	timer_run();
	sched_tick(from_user);
}
