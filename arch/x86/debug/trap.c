/*
 * trap.c - from an exception to the debugger, and who it is for.  Layer 1 (x86).
 *
 *   debug exception   one of our debug registers, or our step                 else: a program's, or as without a debugger
 *   breakpoint        ring 0, or planted in a program by the debugger         else: a program's
 *   NMI               a CPU is to stand still (hold.c)                        else: the machine dies
 *
 * The debugger has a stack of its own: the one at hand may be an exception stack of one page, or nearly used up.
 * A CPU that loses the race for the debugger stands meanwhile; then, if its breakpoint is still there, it is its turn.
 */
#include <arch/debug.h>
#include <asm/msr.h>
#include "arch/x86/debug/internal.h"

#define VECTOR_DEBUG 1
#define VECTOR_NMI 2
#define VECTOR_BREAKPOINT 3
#define DR6_CLEAR 0xffff0ff0UL
#define DR6_STEP BIT(14)

bool debugger_armed, debugger_asked;

static u8 stack[16384] __aligned(16);
static unsigned long go_mask;

static unsigned long take_dr6(void)
{
	unsigned long dr6;

	__asm__ volatile("mov %%db6, %0" : "=r"(dr6));
	__asm__ volatile("mov %0, %%db6" ::"r"(DR6_CLEAR));
	return dr6;
}

/* fn(arg) on another stack. */
static void call_on_stack(void *top, void (*fn)(const void *), const void *arg)
{
#if BITS == 64
	__asm__ volatile("movq %%rsp, %%rbx\n\tmovq %0, %%rsp\n\tcall *%1\n\tmovq %%rbx, %%rsp"
	                 : "+&r"(top), "+&r"(fn), "+D"(arg)
	                 :
	                 : "rbx", "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "memory", "cc");
#else
	__asm__ volatile("movl %%esp, %%ebx\n\tmovl %0, %%esp\n\tpushl %2\n\tcall *%1\n\tmovl %%ebx, %%esp"
	                 : "+&S"(top), "+&D"(fn)
	                 : "a"(arg)
	                 : "ebx", "ecx", "edx", "memory", "cc");
#endif
}

static void enter(const void *stop)
{
	go_mask = ~0UL;
	upcall_debugger(stop);
}

void arch_debug_go(unsigned long mask)
{
	go_mask = mask;
}

/* Does the reason to stop still exist, after standing still for another CPU's? */
static bool stale(const struct trap_frame *tf, const struct debug_stop *stop)
{
	return stop->cause == DEBUG_BREAKPOINT && upcall_debugger_planted(tf->ip) != DEBUG_PLANTED;
}

static void stop_machine(struct trap_frame *tf, struct debug_stop stop)
{
	do {
		while (!hold_begin(tf))
			if (stale(tf, &stop))
				return;
		step_cancel();
		call_on_stack(stack + sizeof(stack), enter, &stop);
		stop = (struct debug_stop){.cause = DEBUG_ASKED};
	} while (!hold_end(tf, go_mask));
}

static bool debug_exception(struct trap_frame *tf)
{
	unsigned long dr7 = watch_pause(), dr6 = take_dr6();
	struct debug_stop stop = {.cause = DEBUG_STEP};
	bool at_end = watch_step_hit(dr6), stepped = (at_end || dr6 & DR6_STEP) && step_done(tf);

	if (at_end)
		tf->flags |= EFLAGS_RF;
	if (!watch_hit(dr6, &stop) && !stepped) {
		bool ours = at_end || (dr6 & DR6_STEP && step_stale(tf));

		watch_restore(dr7);
		return ours;
	}
	stop_machine(tf, stop);
	if (stop.cause == DEBUG_HARD_BREAK)
		tf->flags |= EFLAGS_RF; /* else the same instruction stops again */
	return true;
}

static bool breakpoint(struct trap_frame *tf)
{
	enum debug_planted planted = upcall_debugger_planted(tf->ip - 1);

	if (planted == DEBUG_NOT_PLANTED && tf->cs & 3)
		return false;
	if (planted != DEBUG_NOT_PLANTED)
		tf->ip--;
	if (planted == DEBUG_NO_LONGER)
		return true;
	watch_pause();
	stop_machine(tf, (struct debug_stop){.cause = planted ? DEBUG_BREAKPOINT : DEBUG_TRAP});
	return true;
}

/* By the debugger itself, before all of them are out of memory. */
static bool met_on_the_way(struct trap_frame *tf)
{
	if (upcall_debugger_planted(tf->ip - 1) == DEBUG_NOT_PLANTED)
		return false;
	upcall_debugger_lift();
	tf->ip--;
	return true;
}

static bool nmi(struct trap_frame *tf)
{
	bool asked = false;

	if (!hold_nmi(tf, &asked))
		return false;
	if (asked)
		stop_machine(tf, (struct debug_stop){.cause = DEBUG_ASKED});
	return true;
}

bool debug_trap(struct trap_frame *tf)
{
	if (!READ_ONCE(debugger_armed))
		return false;
	if (tf->vector == VECTOR_NMI)
		return nmi(tf);
	if (hold_is_mine()) /* its own mistakes are not for the debugger, but what it uses may have breakpoints in it */
		return tf->vector == VECTOR_BREAKPOINT && met_on_the_way(tf);
	return tf->vector == VECTOR_DEBUG ? debug_exception(tf) : breakpoint(tf);
}

void debug_interrupted(struct trap_frame *tf)
{
	if (__atomic_exchange_n(&debugger_asked, false, __ATOMIC_SEQ_CST))
		stop_machine(tf, (struct debug_stop){.cause = DEBUG_ASKED});
}

void debug_dying(struct trap_frame *tf)
{
	if (!hold_is_mine())
		stop_machine(tf, (struct debug_stop){.cause = DEBUG_EXCEPTION});
}
