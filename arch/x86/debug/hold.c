/*
 * hold.c - making every other CPU stand still, and letting some of them go on.  Layer 1 (x86).
 *
 *   who stops the machine                     another CPU
 *   1. holder = me (or wait, held, if taken)  in its NMI handler, or because it wanted to be the holder too:
 *   2. go = none                                1. registers saved, its bit in `parked`
 *   3. an NMI to all who are not parked         2. waits for: no holder, and its bit in `go`
 *   4. wait until they are                      3. takes its bit out of `parked`, looks again for a holder
 *   ...                                            (then back to 1: the holder may have counted on the bit)
 *   5. go = mask, holder = none
 *
 * An NMI that arrives late, when its CPU already stood or even went on, is known by `summoned`.
 */
#include <arch/irq.h>
#include <arch/smp.h>
#include <asm/msr.h>
#include "arch/x86/debug/internal.h"
#include "kernel/lib/printk.h"

#define ARRIVE_NS 1000000000ULL

struct debug_cpu debug_cpus[MAX_CPUS];

static unsigned holder;         /* CPU + 1; atomic */
static unsigned long parked;    /* CPUs; atomic */
static unsigned long go = ~0UL; /* CPUs; w: the holder */
static unsigned listeners;      /* who stand and read the line; atomic */
static bool summoned[MAX_CPUS]; /* an NMI is on its way; atomic */

#define SELECTOR(name)                                \
	({                                                \
		u32 value_;                                   \
		__asm__("mov %%" name ", %0" : "=r"(value_)); \
		value_ & 0xffff;                              \
	})

static void save_bases(struct debug_cpu *c, const struct trap_frame *tf)
{
#if BITS == 64
	c->fs_base = rdmsr(MSR_FS_BASE);
	/* From ring 3, the two were exchanged on the way in. */
	c->gs_base = rdmsr(tf->cs & 3 ? MSR_KERNEL_GS_BASE : MSR_GS_BASE);
	c->k_gs_base = rdmsr(tf->cs & 3 ? MSR_GS_BASE : MSR_KERNEL_GS_BASE);
	c->ds = SELECTOR("ds");
	c->es = SELECTOR("es");
	c->fs = SELECTOR("fs");
	c->gs = SELECTOR("gs");
#endif
}

static void save(struct trap_frame *tf)
{
	struct debug_cpu *c = &debug_cpus[this_cpu()->id];

	c->cr0 = read_cr0();
	c->cr2 = read_cr2();
	c->cr3 = read_cr3();
	c->cr4 = read_cr4();
	c->efer = BITS == 64 || cpu_features.nx ? rdmsr(MSR_EFER) : 0;
	save_bases(c, tf);
	fpu_image(c->fpu);
	c->tf = tf;
}

/* What the debugger's own faults and those of the way here changed. */
static void leave(void)
{
	struct debug_cpu *c = &debug_cpus[this_cpu()->id];

	c->tf = NULL;
	write_cr2(c->cr2);
	watch_load();
}

static bool is_parked(unsigned cpu)
{
	return __atomic_load_n(&parked, __ATOMIC_SEQ_CST) >> cpu & 1;
}

static bool may_go(unsigned long bit)
{
	return !__atomic_load_n(&holder, __ATOMIC_SEQ_CST) && (READ_ONCE(go) & bit);
}

/* Nobody may run who would hear the line: the first of those who stand listens, but never beside a holder. */
static bool asked_while_parked(unsigned long bit)
{
	bool asked;

	if (__atomic_load_n(&holder, __ATOMIC_SEQ_CST) || (__atomic_load_n(&parked, __ATOMIC_SEQ_CST) & (bit - 1)))
		return false;
	__atomic_fetch_add(&listeners, 1, __ATOMIC_SEQ_CST);
	asked = !__atomic_load_n(&holder, __ATOMIC_SEQ_CST) && port_interrupt_byte();
	__atomic_fetch_sub(&listeners, 1, __ATOMIC_SEQ_CST);
	return asked;
}

/* Stand until let go; false: somebody wants the machine to stop, and this CPU shall do it. */
static bool park(struct trap_frame *tf)
{
	unsigned long bit = BIT(this_cpu()->id);
	bool asked = false;

	watch_pause();
	save(tf);
	do {
		__atomic_fetch_or(&parked, bit, __ATOMIC_SEQ_CST);
		while (!may_go(bit) && !asked) {
			cpu_relax();
			asked = asked_while_parked(bit);
		}
		__atomic_fetch_and(&parked, ~bit, __ATOMIC_SEQ_CST);
	} while (__atomic_load_n(&holder, __ATOMIC_SEQ_CST) && !asked);
	leave();
	return !asked;
}

/* -- the holder -------------------------------------------------------------------------------------------------- */
static unsigned long others(void)
{
	return cpu_online_mask() & ~BIT(this_cpu()->id);
}

static void summon(unsigned long mask)
{
	for (; mask; mask &= mask - 1) {
		unsigned cpu = (unsigned)__builtin_ctzl(mask);

		__atomic_store_n(&summoned[cpu], true, __ATOMIC_SEQ_CST);
		apic_ipi(cpus[cpu].apic_id, APIC_IPI_NMI);
	}
}

static void wait_parked(unsigned long mask)
{
	u64 start = arch_clock_ns();

	while (mask & ~__atomic_load_n(&parked, __ATOMIC_SEQ_CST)) {
		if (arch_clock_ns() - start > ARRIVE_NS) {
			printk("debugger: cpus %lx do not stop\n", mask & ~parked);
			return;
		}
		cpu_relax();
	}
}

bool hold_begin(struct trap_frame *tf)
{
	unsigned nobody = 0;

	if (!__atomic_compare_exchange_n(&holder, &nobody, this_cpu()->id + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
		park(tf); /* nobody asks while there is a holder; who asks later is heard again */
		return false;
	}
	WRITE_ONCE(go, 0);
	while (__atomic_load_n(&listeners, __ATOMIC_SEQ_CST))
		cpu_relax();
	save(tf);
	summon(others() & ~__atomic_load_n(&parked, __ATOMIC_SEQ_CST));
	wait_parked(others());
	return true;
}

bool hold_end(struct trap_frame *tf, unsigned long mask)
{
	unsigned long bit = BIT(this_cpu()->id);

	if (mask & bit)
		leave();
	else
		__atomic_fetch_or(&parked, bit, __ATOMIC_SEQ_CST); /* before the next holder looks */
	WRITE_ONCE(go, mask);
	__atomic_store_n(&holder, 0, __ATOMIC_SEQ_CST);
	return (mask & bit) || park(tf);
}

bool hold_is_mine(void)
{
	return __atomic_load_n(&holder, __ATOMIC_SEQ_CST) == this_cpu()->id + 1;
}

bool hold_nmi(struct trap_frame *tf, bool *asked)
{
	unsigned cpu = this_cpu()->id;

	if (!__atomic_exchange_n(&summoned[cpu], false, __ATOMIC_SEQ_CST))
		return false;
	if (!is_parked(cpu) && !hold_is_mine() && __atomic_load_n(&holder, __ATOMIC_SEQ_CST))
		*asked = !park(tf);
	return true;
}

bool arch_debug_held(unsigned cpu)
{
	return debug_cpus[cpu].tf && (is_parked(cpu) || cpu == this_cpu()->id);
}
