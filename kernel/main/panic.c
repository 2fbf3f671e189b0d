/*
 * panic.c - the end: say why, show the way here, leave the machine with a code of its own.  Layer 11.
 * Takes no locks.
 */
#include <arch/cpu.h>
#include <arch/debug.h>
#include <arch/smp.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/debugger.h"
#include "kernel/lib/printk.h"

/* A panic inside a panic ends at once. => any context */
void panic(const char *fmt, ...)
{
	static bool panicking;
	bool debugger = debugger_wanted(); /* it will show what the other CPUs did */
	va_list ap;

	if (!debugger)
		ipi_stop_others(); /* of two CPUs that panic at once, one goes on */
	if (__atomic_exchange_n(&panicking, true, __ATOMIC_SEQ_CST)) {
		while (debugger)
			cpu_relax();
		cpu_exit(EXIT_PANIC);
	}
	printk_force();
	printk("\nPANIC: ");
	va_start(ap, fmt);
	vprintk(fmt, ap);
	va_end(ap);
	printk("cpu %u, thread %p, preempt count %u, irq depth %u\n", this_cpu()->id, (void *)current_thread(),
	       this_cpu()->preempt_count, this_cpu()->irq_depth);
	arch_dump_here();
	arch_backtrace();
	if (debugger)
		debugger_hooks->panic();
	cpu_exit(EXIT_PANIC);
}
