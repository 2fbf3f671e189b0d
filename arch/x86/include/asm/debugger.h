/*
 * asm/debugger.h - the breakpoint instruction.  Layer 1 (x86).
 */
#ifndef ASM_DEBUGGER_H
#define ASM_DEBUGGER_H

static inline void arch_breakpoint(void)
{
	__asm__ volatile("int3" ::: "memory");
}

#endif
