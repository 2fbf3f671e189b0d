/*
 * cpu.h - the processor as unit tests on the host see it: every thread of the process is a CPU of its own
 * with no interrupts.  The test defines the_cpu.
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <arch/cpu.h>
#include <sched.h>

extern __thread struct cpu the_cpu;

static inline struct cpu *this_cpu(void)
{
	return &the_cpu;
}

static inline struct thread *current_thread(void)
{
	return the_cpu.current;
}

static inline void cpu_relax(void)
{
	sched_yield();
}

/* Nothing interrupts, but the validator asks: this field of the_cpu, which has no other use here, says "off". */
static inline bool irqs_enabled(void)
{
	return !the_cpu.user_sp;
}

static inline unsigned long irq_save(void)
{
	unsigned long old = the_cpu.user_sp;

	the_cpu.user_sp = 1;
	return old;
}

static inline void irq_restore(unsigned long flags)
{
	the_cpu.user_sp = flags;
}

#endif
