/*
 * asm/kmap.h - temporary kernel mappings across a context switch.  Layer 1 (x86).
 */
#ifndef ASM_KMAP_H
#define ASM_KMAP_H

#include <arch/context.h>

#if BITS == 64
static inline void arch_kmap_switch(struct arch_context *prev, struct arch_context *next)
{
}
#else
void kmap_switch_slots(struct arch_context *prev, struct arch_context *next);

/* Take @prev's temporary mappings out of this CPU's window and put @next's in.  arch_context_switch() calls
 * it. => interrupts off */
static inline void arch_kmap_switch(struct arch_context *prev, struct arch_context *next)
{
	if (unlikely(prev->kmap_depth | next->kmap_depth))
		kmap_switch_slots(prev, next);
}
#endif

#endif
