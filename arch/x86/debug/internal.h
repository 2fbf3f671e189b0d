/*
 * internal.h - what the files of arch/x86/debug tell each other, and exception.c, irq.c and ap_main() tell them.
 * Layer 1 (x86).
 */
#ifndef ARCH_X86_DEBUG_INTERNAL_H
#define ARCH_X86_DEBUG_INTERNAL_H

#include <arch/context.h>
#include <arch/debugger.h>
#include <asm/machine.h>

/* What a CPU was doing when it stopped. */
struct debug_cpu {
	struct trap_frame *tf; /* NULL: it did not */
	unsigned long cr0, cr2, cr3, cr4, dr6;
	u64 efer, fs_base, gs_base, k_gs_base;
	u32 ds, es, fs, gs;
	u8 fpu[FPU_STATE_SIZE] __aligned(16);
};
extern struct debug_cpu debug_cpus[MAX_CPUS];

/* -- trap.c */
/* Debug exception, breakpoint, NMI: the debugger's business? Then it is done. => interrupts off */
bool debug_trap(struct trap_frame *tf);
/* An interrupt ends, and debugger_asked is set. */
void debug_interrupted(struct trap_frame *tf);
/* The machine is going to die of an exception: show it first, if anybody wants to see. */
void debug_dying(struct trap_frame *tf);

/* -- hold.c */
/* Become the one CPU that runs: true. Or another CPU is, or was: this one was held meanwhile: false.
 * => interrupts off */
bool hold_begin(struct trap_frame *tf);
/* The CPUs of @mask run on. Returns true at once if this one is among them, else when it is let go; false: it shall stop the
 * machine, because somebody asked for it and this is the first CPU that stands. */
bool hold_end(struct trap_frame *tf, unsigned long mask);
/* An NMI: was it to hold this CPU? Then that is over; *@asked: as hold_end() returned false. */
bool hold_nmi(struct trap_frame *tf, bool *asked);
bool hold_is_mine(void);

/* -- watch.c: this CPU's debug registers */
unsigned long watch_pause(void); /* off; returns what to give watch_restore() */
void watch_restore(unsigned long dr7);
void watch_load(void);
/* What of DR6 is a hit of one of ours: fills @stop. */
bool watch_hit(unsigned long dr6, struct debug_stop *stop);

/* One register for the place where a step ends, if there is one left. Set and cleared while every CPU stands; every CPU that
 * gets there while it is set asks step_done(). */
bool watch_step_set(vaddr_t va);
void watch_step_clear(void);
bool watch_step_hit(unsigned long dr6);

/* -- step.c */
/* This CPU has executed an instruction with TF set. Is it the one that the debugger wants to see? Then @tf is put right. */
bool step_done(struct trap_frame *tf);
/* A step that was cancelled in the middle of a system call ends now. */
bool step_stale(struct trap_frame *tf);
/* The machine stands, for whatever reason: no step is under way any more. => every CPU held */
void step_cancel(void);

/* -- port.c */
bool port_interrupt_byte(void); /* Ctrl-C has come. => nobody else reads */

#endif
