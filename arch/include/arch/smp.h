/*
 * smp.h - the other processors: starting them, interrupting them.  Layer 1.
 *
 * CPUs are numbered 0 .. cpu_count - 1 without gaps, 0 being the one that booted; one that is online stays so.
 */
#ifndef ARCH_SMP_H
#define ARCH_SMP_H

#include <arch/cpu.h>

extern unsigned long cpu_online_bits; /* see cpu_online_mask() */

/* Start every other CPU.  Each one that answers is added to the online mask and then calls upcall_cpu_start()
 * (<arch/upcall.h>) on a stack of its own, its tick running, interrupts off; one that does not is reported and
 * left out. => CPU 0, once, after arch_init() and sched_init() */
void smp_start(void);

static inline unsigned long cpu_online_mask(void)
{
	return __atomic_load_n(&cpu_online_bits, __ATOMIC_ACQUIRE);
}

static inline bool cpu_online(unsigned cpu)
{
	return cpu < MAX_CPUS && (cpu_online_mask() >> cpu & 1);
}

/* Make @cpu look at its need_resched (the interrupt sets it). => any context; the own CPU is fine too */
void ipi_reschedule(unsigned cpu);

/*
 * Run @fn(@arg) on the CPUs of @mask that are online, the own one excluded; with @wait, return when all have.
 * Without, @arg must stay until they have, and the next call from this CPU waits for that.
 *
 * @fn runs in interrupt context with interrupts off, at any moment at which the other CPU has them on, or waits
 * in ipi_call() itself: it takes no lock that is ever held over an ipi_call(), and does not call it.
 *
 * => @wait: not in an interrupt handler; under a spinlock only if nobody wants that lock with interrupts off.
 *    With interrupts off it is legal: the wait answers the calls of others.
 */
void ipi_call(unsigned long mask, void (*fn)(void *), void *arg, bool wait);

/* Answer what others ask of this CPU. For loops that wait for another CPU with interrupts off.
 * => interrupts off */
void ipi_poll(void);

/* Halt every other CPU for ever; if another CPU is already doing so, halt this one. For panic and power off.
 * Interrupts are off afterwards. => any context */
void ipi_stop_others(void);

#endif
