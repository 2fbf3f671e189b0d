/*
 * rcu.c - grace periods and deferred calls.  Layer 2.
 *
 * rcu_call() puts the head on the caller's CPU's list, without a lock.  The one thread "rcu" takes all lists,
 * starts a grace period by counting `wanted` up, waits until every CPU has stored that number in its `seen`, and
 * makes the calls.  What is queued meanwhile waits for the next round.
 *
 * Why that is enough: the writer unlinked before rcu_call(), whose push is a release; the thread's taking of the
 * list and its increment of `wanted` come after.  A CPU that loads the new `wanted` (acquire) therefore sees the
 * object gone in every later read section, and its earlier ones end before its store to `seen` (release), which the
 * thread acquires before it calls.
 */
#include "kernel/sync/rcu.h"
#include <arch/irq.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/sync/completion.h"

#define POLL_NS 1000000 /* the CPUs report at their ticks: the next one is what this wakes at */

static struct rcu_cpu {
	struct rcu_head *calls; /* last one first; pushed by this CPU, taken by the thread */
	unsigned long seen;     /* the newest `wanted` that this CPU has outlived; it alone writes */
} __aligned(64) rcu_cpus[MAX_CPUS];

static unsigned long wanted;      /* number of the newest grace period */
static unsigned long online;      /* CPUs that take part; atomic */
static unsigned long nr_finished; /* grace periods */

static struct wait_queue wq = WAIT_QUEUE_INIT(wq); /* the thread, while there is nothing to do */

/* -- each CPU's part ------------------------------------------------------------------------------------------ */
void rcu_quiescent(void)
{
	struct rcu_cpu *c = &rcu_cpus[this_cpu()->id];
	unsigned long now = __atomic_load_n(&wanted, __ATOMIC_ACQUIRE);

	if (unlikely(c->seen != now))
		__atomic_store_n(&c->seen, now, __ATOMIC_RELEASE);
}

void rcu_tick(void)
{
	/* The interrupt itself counts one.  (What it interrupted had interrupts on.) */
	if (this_cpu()->preempt_count == 1)
		rcu_quiescent();
}

void rcu_cpu_online(void)
{
	rcu_quiescent();
	atomic_or(&online, BIT(this_cpu()->id));
}

/* -- queueing -------------------------------------------------------------------------------------------------- */
void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	unsigned long flags = irq_save();
	struct rcu_cpu *c = &rcu_cpus[this_cpu()->id];

	head->fn = fn;
	head->next = atomic_read(&c->calls);
	while (!atomic_try_cmpxchg(&c->calls, &head->next, head))
		;
	irq_restore(flags);
	wake_up(&wq);
}

static bool any_calls(void)
{
	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (atomic_read(&rcu_cpus[i].calls))
			return true;
	return false;
}

/* Everything that is queued, each CPU's in order of queueing. */
static struct rcu_head *take_calls(void)
{
	struct rcu_head *all = NULL;

	for (unsigned i = 0; i < MAX_CPUS; i++) {
		struct rcu_head *list = atomic_read(&rcu_cpus[i].calls) ? atomic_xchg(&rcu_cpus[i].calls, NULL) : NULL;

		while (list) { /* the newest comes first: turn it round */
			struct rcu_head *next = list->next;

			list->next = all;
			all = list;
			list = next;
		}
	}
	return all;
}

/* -- grace periods --------------------------------------------------------------------------------------------- */

/* Has every CPU outlived number @n? */
static bool outlived(unsigned long n)
{
	unsigned long mask = atomic_read(&online);

	for (unsigned i = 0; i < MAX_CPUS; i++)
		if (mask & BIT(i) && (long)(__atomic_load_n(&rcu_cpus[i].seen, __ATOMIC_ACQUIRE) - n) < 0)
			return false;
	return true;
}

/* => the thread "rcu" */
static void grace_period(void)
{
	unsigned long n = atomic_inc_return(&wanted);

	do { /* blocking reports for this CPU */
		sync_prepare(SYNC_UNINTERRUPTIBLE);
		sync_block_until(wait_deadline(POLL_NS));
	} while (!outlived(n));
	WRITE_ONCE(nr_finished, nr_finished + 1);
}

static void make_calls(struct rcu_head *list)
{
	while (list) {
		struct rcu_head *next = list->next; /* the call may free it */

		list->fn(list);
		ASSERT(!this_cpu()->preempt_count);
		list = next;
	}
}

__noreturn void rcu_main(void *arg)
{
	for (;;) {
		struct rcu_head *list;

		wait_event(&wq, any_calls());
		list = take_calls();
		grace_period();
		make_calls(list);
	}
}

/* -- waiting ------------------------------------------------------------------------------------------------------ */
struct rcu_waiter {
	struct rcu_head head;
	struct completion done;
};

static void waiter_done(struct rcu_head *head)
{
	complete(&container_of(head, struct rcu_waiter, head)->done);
}

void rcu_synchronize(void)
{
	struct rcu_waiter w;

	might_sleep();
	completion_init(&w.done);
	rcu_call(&w.head, waiter_done);
	completion_wait(&w.done);
}

/* The first one's round carries out everything queued before, in any order; the second one's comes after. */
void rcu_barrier(void)
{
	rcu_synchronize();
	rcu_synchronize();
}

unsigned long rcu_grace_periods(void)
{
	return READ_ONCE(nr_finished);
}
