/*
 * cpu.h - the one-instruction operations of <arch/cpu.h> on x86.  Layer 1 (x86).
 * Included by <arch/cpu.h> after struct cpu is complete.  The per-CPU pointer is GS on x86-64, FS on i386.
 */
#ifndef ASM_CPU_H
#define ASM_CPU_H

#include <arch/cpu.h> /* when included first: gives struct cpu, and comes back here guarded */
#include <asm/offsets.h>

#if BITS == 64
#define PERCPU_SEG "%%gs:"
#else
#define PERCPU_SEG "%%fs:"
#endif

/* This CPU's state.  Do not keep the pointer over anything that sleeps. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("mov " PERCPU_SEG "%c1, %0" : "=r"(cpu) : "i"(CPU_SELF));
	return cpu;
}

static inline struct thread *current_thread(void)
{
	struct thread *thread;

	__asm__ volatile("mov " PERCPU_SEG "%c1, %0" : "=r"(thread) : "i"(CPU_CURRENT));
	return thread;
}

/* In every spin loop: under round-robin emulation it hands the turn to the next CPU. */
static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline unsigned long cpu_flags(void)
{
	unsigned long flags;

	__asm__ volatile("pushf\n\tpop %0" : "=r"(flags)::"memory");
	return flags;
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" ::: "memory");
}

/* True if interrupts are on. */
static inline bool irqs_enabled(void)
{
	return cpu_flags() & EFLAGS_IF;
}

/* Turn interrupts off; the result goes into irq_restore(). */
static inline unsigned long irq_save(void)
{
	unsigned long flags = cpu_flags();

	irq_disable();
	return flags;
}

static inline void irq_restore(unsigned long flags)
{
	if (flags & EFLAGS_IF)
		irq_enable();
	else
		irq_disable();
}

/* Full memory barrier: the store-to-load order that x86 does not give by itself. */
static inline void cpu_mb(void)
{
#if BITS == 64
	__asm__ volatile("lock; addl $0, (%%rsp)" ::: "memory", "cc");
#else
	__asm__ volatile("lock; addl $0, (%%esp)" ::: "memory", "cc");
#endif
}

static inline u64 cpu_rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return lo | (u64)hi << 32;
}

#endif
