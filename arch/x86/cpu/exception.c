/*
 * exception.c - from a vector to what it means.  Layer 1 (x86).
 *
 *   page fault of a translation that only this CPU's shadow tables lack: filled in (asm/shadow.h)
 *   page fault in ring 3                      upcall; it always has an answer (or the machine dies)
 *   ... in the kernel, at a listed             upcall if the address is the user's and faults may be taken,
 *       instruction (extable)                  else the fixup
 *   ... in the kernel elsewhere                the machine dies: nothing but listed code touches user memory
 *   other exceptions in ring 3                 upcall: a signal
 *   other exceptions in the kernel             fixup or death
 *
 * A debugger in the kernel sees debug exceptions, breakpoints and NMIs first, and the machine before it dies
 * (arch/x86/debug/trap.c).
 */
#include <arch/debug.h>
#include <arch/pgtable.h>
#include <arch/smp.h>
#include <arch/uaccess.h>
#include <arch/upcall.h>
#include <asm/extable.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <asm/shadow.h>
#include "arch/x86/debug/internal.h"
#include "kernel/lib/debugger.h"
#include "kernel/lib/ksyms.h"
#include "kernel/lib/printk.h"

#define VECTOR_DEBUG 1
#define VECTOR_NMI 2
#define VECTOR_BREAKPOINT 3
#define VECTOR_DOUBLE 8
#define VECTOR_PAGE_FAULT 14
#define VECTOR_MACHINE_CHECK 18

#define PF_PRESENT 0x01
#define PF_WRITE 0x02
#define PF_USER 0x04
#define PF_RESERVED 0x08
#define PF_FETCH 0x10

static const char *const exception_names[32] = {
	"divide error",
	"debug",
	"NMI",
	"breakpoint",
	"overflow",
	"bound",
	"invalid opcode",
	"no FPU",
	"double fault",
	"FPU overrun",
	"invalid TSS",
	"segment not present",
	"stack segment",
	"general protection",
	"page fault",
	"15",
	"x87 error",
	"alignment check",
	"machine check",
	"SIMD error",
	"virtualization",
	"control protection",
	"22",
	"23",
	"24",
	"25",
	"26",
	"27",
	"hypervisor",
	"VMM",
	"security",
	"31",
};

static inline bool from_user(const struct trap_frame *tf)
{
	return tf->cs & 3;
}

/* The last words of the kernel. => any context; @fault_addr: CR2, for page and double faults */
void exception_die(struct trap_frame *tf, vaddr_t fault_addr, const char *why)
{
	static bool dying;
	unsigned vector = tf->vector & 31;
	bool show_walk = vector == VECTOR_PAGE_FAULT || vector == VECTOR_DOUBLE, debugger = debugger_wanted();

	if (!debugger) /* it shows what the others did */
		ipi_stop_others();
	printk_force();
	if (dying) {
		printk("(vector %u at %lx while reporting)\n", vector, (unsigned long)tf->ip);
		cpu_exit(EXIT_EXCEPTION);
	}
	dying = true;
	printk("\nEXCEPTION: %s (vector %u, error %lx) in the %s: %s\n", exception_names[vector], vector,
	       (unsigned long)tf->error, from_user(tf) ? "program" : "kernel", why);
	if (show_walk)
		printk("address %0*lx, cpu %u, irq depth %u, preempt count %u\n", BITS / 4, fault_addr, this_cpu()->id,
		       this_cpu()->irq_depth, this_cpu()->preempt_count);
	arch_dump_frame(tf);
	arch_backtrace_frame(tf);
	if (show_walk)
		arch_dump_walk(fault_addr);
	if (debugger)
		debug_dying(tf);
	cpu_exit(vector == VECTOR_DOUBLE ? EXIT_DOUBLE : EXIT_EXCEPTION);
}

static struct fault_cause decode(unsigned long error, vaddr_t addr)
{
	return (struct fault_cause){
		.addr = addr,
		.access = error & PF_FETCH   ? FAULT_EXEC
	              : error & PF_WRITE ? FAULT_WRITE
	                                 : FAULT_READ,
		.user = error & PF_USER,
		.protection = error & PF_PRESENT,
		.reserved = error & PF_RESERVED,
		.error_code = error,
	};
}

static void page_fault_user(struct trap_frame *tf, const struct fault_cause *cause)
{
	irq_enable();
	if (!upcall_page_fault(tf, cause))
		exception_die(tf, cause->addr, cause->reserved ? "reserved bit set in an entry" : "not handled");
}

static void page_fault_kernel(struct trap_frame *tf, const struct fault_cause *cause)
{
	bool listed = arch_fixup_exists(tf);

	if (listed && cause->addr < USER_END && !cause->reserved && !pagefault_disabled() && !this_cpu()->irq_depth) {
		if (tf->flags & EFLAGS_IF)
			irq_enable();
		if (upcall_page_fault(tf, cause))
			return;
	}
	if (arch_fixup(tf))
		return;
	if (cause->addr == tf->ip)
		exception_die(tf, cause->addr, "jump to nowhere");
	exception_die(tf, cause->addr, cause->addr < USER_END ? "user memory touched directly" : "bad kernel address");
}

static void page_fault(struct trap_frame *tf)
{
	struct fault_cause cause = decode(tf->error, read_cr2());

	if (shadow_fault(&cause))
		return;
	if (likely(from_user(tf)))
		page_fault_user(tf, &cause);
	else
		page_fault_kernel(tf, &cause);
}

/* Clear what single-stepping and watchpoints leave in DR6; false if the kernel itself was stepped. */
static bool debug_exception(struct trap_frame *tf)
{
	__asm__ volatile("mov %0, %%dr6" ::"r"(0xffff0ff0UL));
	if (from_user(tf))
		return false;
	tf->flags &= ~(unsigned long)EFLAGS_TF;
	return true;
}

/* What is on the way to the debugger must not stop for it. */
#define TO_DEBUGGER __attribute__((noinline, section(".text.to_debugger")))

static TO_DEBUGGER void exception(struct trap_frame *tf)
{
	unsigned vector = (unsigned)tf->vector;

	if ((vector == VECTOR_DEBUG || vector == VECTOR_NMI || vector == VECTOR_BREAKPOINT) && debug_trap(tf))
		return;
	if (vector == VECTOR_DEBUG && debug_exception(tf))
		return;
	if (vector == VECTOR_NMI && ipi_stopping())
		ipi_stop_here();
	if (vector == VECTOR_NMI || vector == VECTOR_DOUBLE || vector == VECTOR_MACHINE_CHECK)
		exception_die(tf, read_cr2(), exception_names[vector]);
	if (from_user(tf)) {
		irq_enable();
		upcall_user_exception(tf, vector, tf->error);
	} else if (!arch_fixup(tf)) {
		exception_die(tf, read_cr2(), "unexpected");
	}
}

/* Every vector but the system call. => interrupts off; entry.S goes on to return_to_user if from ring 3 */
TO_DEBUGGER void trap_entry(struct trap_frame *tf)
{
	if (likely(tf->vector == VECTOR_PAGE_FAULT))
		page_fault(tf);
	else if (tf->vector >= 32)
		irq_dispatch(tf);
	else
		exception(tf);
}
