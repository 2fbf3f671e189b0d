/*
 * context.h - what the machine keeps for a simulated thread.  Layer 1 (host); <arch/context.h> includes it.
 */
#ifndef ASM_CONTEXT_H
#define ASM_CONTEXT_H

#include "kernel/lib/types.h"

struct arch_context {
	u32 pagefault_off; /* nesting depth of pagefault_disable() */
	u32 kmaps;         /* temporary kernel mappings in use */
};

static inline bool arch_context_pinned(const struct arch_context *ctx)
{
	return false;
}

#endif
