/*
 * cpu.h - the processors of the simulated machine.  Layer 1 (host).
 *
 * A simulated CPU is a struct cpu, an interrupt flag and a TLB; which one executes just now is `host_cpu`.  Where the
 * machine may turn to another CPU, and where interrupts arrive, are points: host_point().  Who runs what at a point
 * is decided above the machine (arch/host/sim).
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <arch/cpu.h> /* when included first: gives struct cpu, and comes back here guarded */

extern __thread struct cpu *host_cpu; /* of this stream of execution; changes only in switches */
extern bool host_irqs_on[MAX_CPUS];   /* each used by its own CPU only */

/* -- upward: arch/host/sim/sched.c ------------------------------------------------------------------------------ */
void host_point(void); /* others may run, interrupts may come. => any context */
void host_relax(void); /* the same for who waits for another CPU: it runs first */

static inline struct cpu *this_cpu(void)
{
	return host_cpu;
}

static inline struct thread *current_thread(void)
{
	return host_cpu->current;
}

static inline void cpu_relax(void)
{
	host_relax();
}

static inline bool irqs_enabled(void)
{
	return host_irqs_on[host_cpu->id];
}

static inline void irq_disable(void)
{
	host_irqs_on[host_cpu->id] = false;
}

static inline void irq_enable(void)
{
	host_irqs_on[host_cpu->id] = true;
	host_point(); /* what had to wait comes now */
}

static inline unsigned long irq_save(void)
{
	unsigned long flags = irqs_enabled();

	irq_disable();
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	if (flags)
		irq_enable();
	else
		irq_disable();
}

static inline void cpu_mb(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

u64 cpu_rdtsc(void);

#endif
