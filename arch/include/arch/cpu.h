/*
 * cpu.h - the processor: which one this is, interrupt state, waiting, time stamp.  Layer 1.
 */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include "kernel/lib/types.h"

struct thread;
struct arch_context;

#define MAX_CPUS 16

/* Per-CPU state.  Own CPU only unless said otherwise. */
struct cpu {
	struct cpu *self;       /* offset 0: the assembly and this_cpu() rely on it */
	struct thread *current; /* offset 1 word: running thread */
	vaddr_t kernel_sp;      /* offset 2 words: stack top for entries from ring 3 */
	vaddr_t user_sp;        /* offset 3 words: scratch of the syscall entry */
	unsigned id;            /* 0 .. MAX_CPUS - 1 */
	unsigned apic_id;
	unsigned preempt_count;       /* > 0: must not sleep (spinlocks held, interrupt context) */
	bool need_resched;            /* the timer or a wake-up asks for schedule() */
	unsigned irq_depth;           /* nested interrupt handlers */
	struct pgtable *loaded;       /* tree in CR3; NULL: the kernel's own */
	struct arch_context *ctx;     /* machine state of the running thread; never NULL */
	bool lazy;                    /* a thread without a tree runs: `loaded` is only borrowed, and may be dropped */
	unsigned long tlb_shootdowns; /* flushes that this CPU asked of others; read by anyone */
	unsigned long faults, major_faults; /* page faults that ended here; read by anyone */
} __aligned(64);

/* <asm/cpu.h>: this_cpu(), current_thread() as one-instruction inlines, cpu_relax(), irq_save(),
 * irq_restore(), irq_disable(), irq_enable(), irqs_enabled(), cpu_mb(), cpu_rdtsc(). */
#include <asm/cpu.h>

extern struct cpu cpus[MAX_CPUS];
extern unsigned cpu_count;

/* Sleep until an interrupt. => interrupts off on entry, on (briefly) while waiting, off on return */
void cpu_idle(void);
/* Leave the emulator with @code (isa-debug-exit: status (code << 1) | 1), else halt for ever. */
__noreturn void cpu_exit(unsigned code);
/* Power off the machine (ACPI), or halt. */
__noreturn void cpu_poweroff(void);
__noreturn void cpu_reboot(void);

/* Exit codes, as written to the debug-exit port. */
enum exit_code {
	EXIT_PASS = 0x10,      /* QEMU status 33 */
	EXIT_FAIL = 0x11,      /* 35: tests failed */
	EXIT_PANIC = 0x12,     /* 37: panic() or BUG_ON() */
	EXIT_EXCEPTION = 0x13, /* 39: unexpected exception in the kernel */
	EXIT_DOUBLE = 0x14,    /* 41: double fault */
	EXIT_NOCPU = 0x15,     /* 43: the CPU lacks what this build needs */
	EXIT_OOM = 0x16,       /* 45: out of memory at boot */
	EXIT_EXEC = 0x40,      /* 0x40 + n: `make exec`: low six bits of the program's status (n < 64) */
};

#endif
