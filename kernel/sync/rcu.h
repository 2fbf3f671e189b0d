/*
 * rcu.h - read without a lock, free when nobody can still be reading.  Layer 2.
 *
 * A reader between rcu_read_lock() and rcu_read_unlock() may follow pointers that a writer is taking out of
 * sight.  The writer, which has a lock of its own against other writers, makes the object unreachable and frees
 * it after a grace period: when every CPU has been, once, outside of all read sections.
 *
 *	reader                                  writer
 *	  rcu_read_lock();                        rcu_assign(head, new);
 *	  p = rcu_read(head);                     rcu_call(&old->rcu, old_free);
 *	  ... *p ...
 *	  rcu_read_unlock();
 *
 * A CPU is outside when it changes threads, when the tick finds it in ring 3 or idle, and when the tick finds it in
 * the kernel with preempt_count at 0.  Read sections count in preempt_count; code with interrupts off, and a
 * spinlock's holder, is a reader without saying so.
 */
#ifndef KERNEL_SYNC_RCU_H
#define KERNEL_SYNC_RCU_H

#include <arch/cpu.h>

struct rcu_head {
	struct rcu_head *next;
	void (*fn)(struct rcu_head *head);
};

/* => any context; nests; must not sleep inside (debug builds notice) */
static inline void rcu_read_lock(void)
{
	this_cpu()->preempt_count++;
	barrier();
}

static inline void rcu_read_unlock(void)
{
	barrier();
	this_cpu()->preempt_count--;
}

/* For assertions: may a pointer be followed here? (Also true under a spinlock and with interrupts off.) */
static inline bool rcu_reading(void)
{
	return this_cpu()->preempt_count || !irqs_enabled();
}

/* Publish @p: whoever reads it sees the object as it is now. */
#define rcu_assign(lvalue, p) __atomic_store_n(&(lvalue), (p), __ATOMIC_RELEASE)
/* Read a published pointer. => in a read section, or under the writers' lock */
#define rcu_read(lvalue) __atomic_load_n(&(lvalue), __ATOMIC_ACQUIRE)

/*
 * Call @fn(@head) after a grace period, from the thread "rcu", interrupts on.  @head is usually a member of the
 * object that @fn frees.  @fn must not sleep for long and must not wait for a grace period.
 * => any context
 */
void rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *head));

/* Return after a grace period. => may sleep: no lock held that a callback takes; after rcu_start() */
void rcu_synchronize(void);

/* Return when every rcu_call() made before has been carried out. => as rcu_synchronize() */
void rcu_barrier(void);

/* -- for the scheduler ---------------------------------------------------------------------------------------- */
void rcu_cpu_online(void);           /* this CPU's grace periods count from here. => interrupts off, in no section */
void rcu_quiescent(void);            /* this CPU is in no read section. => interrupts off */
void rcu_tick(void);                 /* => from the tick, in interrupt context */
__noreturn void rcu_main(void *arg); /* body of the thread "rcu" */

/* Counters for tests and statistics. */
unsigned long rcu_grace_periods(void);

#endif
