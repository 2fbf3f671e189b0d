/*
 * step.c - one instruction.  Layer 1 (x86).
 *
 * The trap flag is set in the frame of a CPU that stands; the exception after the next instruction ends the step.
 *
 *   in ring 0    with interrupts off and, if the debugger likes, the other CPUs standing: nothing but the instruction
 *                happens.  Not so where it waits or may sleep: HLT, STI, and user copies that may fault.
 *   in ring 3    freely: a system call or a page fault may need anybody.  The flag goes into the kernel with the
 *                thread's frame and comes back from there.
 *
 *                Behind INT n the flag would trap one instruction late (IRET brings it back too late for the one it returns
 *                to), so a debug register takes its place, if one is free.
 *
 * What the instruction sees of the flags that were changed is put right afterwards.
 */
#include <arch/debug.h>
#include <asm/extable.h>
#include "arch/x86/debug/internal.h"

enum insn { INSN_OTHER, INSN_CLI, INSN_PUSHF, INSN_WAITS, INSN_SYSCALL, INSN_SYSRET, INSN_SETS_FLAGS, INSN_INT };

static struct {
	bool active;
	bool user;   /* the instruction is ring 3's: known by its thread, wherever that goes */
	bool masked; /* interrupts were on */
	enum insn insn;
	unsigned cpu;
	vaddr_t ip;
	const struct thread *thread;
} step;

/* Its step was cancelled while it was in the kernel: its flag is still to come back. */
static const struct thread *stale_thread;

/* What @insn does to flags; prefixes that matter: REX.W of IRETQ and SYSRETQ, the operand size. */
static enum insn classify(const u8 *insn)
{
	if ((insn[0] & 0xf0) == 0x40 && BITS == 64)
		insn++;
	else if (insn[0] == 0x66)
		insn++;
	switch (insn[0]) {
	case 0x9c:
		return INSN_PUSHF;
	case 0x9d: /* POPF */
	case 0xcf: /* IRET */
		return INSN_SETS_FLAGS;
	case 0xfa:
		return INSN_CLI;
	case 0xcd:
		return INSN_INT;
	case 0xf4: /* HLT */
	case 0xfb: /* STI: interrupts come after the instruction behind it */
		return INSN_WAITS;
	case 0x0f:
		return insn[1] == 0x05 ? INSN_SYSCALL : insn[1] == 0x07 ? INSN_SYSRET : INSN_OTHER;
	}
	return INSN_OTHER;
}

/* Must others run for it to come to an end? */
static bool needs_others(const struct trap_frame *tf)
{
	return step.user || step.insn == INSN_WAITS || arch_fixup_exists(tf);
}

bool arch_debug_step(unsigned cpu, const u8 insn[4])
{
	struct trap_frame *tf = debug_cpus[cpu].tf;
	bool alone;

	step.active = true;
	step.cpu = cpu;
	step.thread = cpus[cpu].current;
	step.user = tf->cs & 3;
	step.ip = tf->ip;
	step.insn = classify(insn);
	alone = !needs_others(tf);
	step.masked = alone && tf->flags & EFLAGS_IF;
	if (step.masked)
		tf->flags &= ~(unsigned long)EFLAGS_IF;
	if (step.thread == stale_thread)
		stale_thread = NULL;
	if (step.user && step.insn == INSN_INT && watch_step_set(tf->ip + 2))
		return alone;
	tf->flags |= EFLAGS_TF;
#if BITS == 64
	if (step.insn == INSN_SYSRET && !step.user)
		tf->r11 |= EFLAGS_TF; /* this instruction traps by the flags that it loads */
#endif
	return alone;
}

/* The flags that PUSHF stored: without TF, and with IF if it was taken away. */
static void fix_pushed(const struct trap_frame *tf)
{
	unsigned long *at = (unsigned long *)frame_sp(tf), flags;

	if (!arch_probe_read(&flags, at, sizeof(flags)))
		return;
	flags &= ~(unsigned long)EFLAGS_TF;
	if (step.masked)
		flags |= EFLAGS_IF;
	arch_debug_write(at, &flags, sizeof(flags), false);
}

static void fix_flags(struct trap_frame *tf)
{
	tf->flags &= ~(unsigned long)EFLAGS_TF;
	if (step.masked && step.insn != INSN_CLI && step.insn != INSN_SETS_FLAGS && step.insn != INSN_SYSRET)
		tf->flags |= EFLAGS_IF;
	if (step.insn == INSN_PUSHF)
		fix_pushed(tf);
#if BITS == 64
	if (step.insn == INSN_SYSCALL || step.insn == INSN_SYSRET)
		tf->r11 &= ~(unsigned long)EFLAGS_TF; /* the flags' copy */
#endif
}

bool step_done(struct trap_frame *tf)
{
	if (!step.active || (step.user ? current_thread() != step.thread : this_cpu()->id != step.cpu))
		return false;
	step.active = false;
	fix_flags(tf);
	return true;
}

bool step_stale(struct trap_frame *tf)
{
	if (!stale_thread || current_thread() != stale_thread || !(tf->cs & 3))
		return false;
	stale_thread = NULL;
	tf->flags &= ~(unsigned long)EFLAGS_TF;
	return true;
}

void step_cancel(void)
{
	struct trap_frame *tf = debug_cpus[step.cpu].tf;

	watch_step_clear();
	if (!step.active)
		return;
	step.active = false;
	if (!tf || (bool)(tf->cs & 3) != step.user || (step.user && cpus[step.cpu].current != step.thread)) {
		stale_thread = step.user ? step.thread : NULL;
		return;
	}
	tf->flags &= ~(unsigned long)EFLAGS_TF;
	if (step.masked && tf->ip == step.ip) /* it was not executed */
		tf->flags |= EFLAGS_IF;
}
