/*
 * idle.c - what a CPU is from its boot on: an idle thread, which looks for work or halts.  Layer 8 (kernel/sched).
 */
#include <arch/upcall.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/bitops.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/timer.h"
#include "kernel/sync/rcu.h"

static struct thread idle_threads[MAX_CPUS];

/* What runs on this CPU now, on whatever stack, becomes its idle thread. => interrupts off */
static void idle_adopt(void)
{
	struct cpu *cpu = this_cpu();
	struct run_queue *rq = my_queue();
	struct thread *idle = &idle_threads[cpu->id];
	char name[16];

	snprintf(name, sizeof(name), "idle/%u", cpu->id);
	thread_init_fields(idle, name);
	idle->tid = 0;
	idle->state = THREAD_RUNNING;
	idle->on_rq = true;
	idle->cpu = cpu->id;
	idle->allowed = BIT(cpu->id);
	idle->run_since = rq->last_tick = clock_ns();
	idle->locks.any_irq_state = true;
	idle->ctx = *cpu->ctx; /* what the boot code has in use */
	cpu->ctx = &idle->ctx;
	cpu->current = idle;
	rq->current = idle;
	rq->idle = idle;
	rcu_cpu_online();
	atomic_or(&sched_cpus, BIT(cpu->id));
}

void sched_init(void)
{
	struct thread *t;

	lock_assert_none_held("sched_init");
	thread_init_subsystem();
	for (unsigned i = 0; i < MAX_CPUS; i++) {
		spin_init(&run_queues[i].lock, LOCK_RUNQ);
		list_init(&run_queues[i].queues[0]);
		list_init(&run_queues[i].queues[1]);
	}
	idle_adopt();
	t = thread_create_kernel("rcu", rcu_main, NULL);
	if (IS_ERR(t))
		panic("sched: no memory for the first thread\n");
}

__noreturn void upcall_cpu_start(void)
{
	idle_adopt();
	sched_idle();
}

__noreturn void sched_idle(void)
{
	struct run_queue *rq = my_queue();

	lock_assert_none_held("sched_idle");
	schedule(); /* a CPU that just arrived has no mark as idle yet */
	for (;;) {
		irq_disable();
		if (READ_ONCE(rq->nr_queued) || this_cpu()->need_resched)
			schedule();
		else
			cpu_idle();
		irq_enable();
	}
}
