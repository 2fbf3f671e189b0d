/*
 * crash.c - the registers of a CPU that stops by its own decision; and losing the stack, for tests.  Layer 1 (x86).
 */
#include <arch/debug.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "kernel/lib/printk.h"

#define WIDTH (BITS / 4)

/* Always inlined: the caller's registers. */
#define READ_REGISTER(name)                                    \
	({                                                         \
		unsigned long value_;                                  \
		__asm__ volatile("mov %%" name ", %0" : "=r"(value_)); \
		value_;                                                \
	})

#if BITS == 64
#define R(name) READ_REGISTER("r" name)
#else
#define R(name) READ_REGISTER("e" name)
#endif

void arch_dump_here(void)
{
	unsigned long bx = R("bx"), bp = R("bp"), sp = R("sp"), flags = cpu_flags();

	printk("sp %0*lx bp %0*lx bx %0*lx flags %lx\n", WIDTH, sp, WIDTH, bp, WIDTH, bx, flags);
#if BITS == 64
	printk("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", READ_REGISTER("r12"), READ_REGISTER("r13"),
	       READ_REGISTER("r14"), READ_REGISTER("r15"));
#else
	printk("esi %08lx edi %08lx\n", R("si"), R("di"));
#endif
	printk("cr0 %0*lx cr2 %0*lx cr3 %0*lx cr4 %lx\n", WIDTH, read_cr0(), WIDTH, read_cr2(), WIDTH, read_cr3(),
	       read_cr4());
}

/* A stack pointer from which a push goes to the last page of all addresses but one: nothing is there. */
void arch_lose_stack(void)
{
#if BITS == 64
	__asm__ volatile("mov $-4096, %rsp\n\tpush %rax");
#else
	__asm__ volatile("mov $-4096, %esp\n\tpush %eax");
#endif
	__builtin_unreachable();
}
