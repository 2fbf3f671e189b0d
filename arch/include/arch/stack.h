/*
 * stack.h - a window of kernel addresses for stacks, so that below each there can be an address where nothing is.
 * Layer 1.
 */
#ifndef ARCH_STACK_H
#define ARCH_STACK_H

#include "kernel/lib/types.h"
#include <asm/layout.h> /* STACKS_BASE, STACKS_SIZE: the window */

/* Map a frame at a page of the window where no CPU has a translation. => cannot fail; any context */
void arch_stack_map(vaddr_t va, pfn_t pfn);
/* Take it away and return its frame. CPUs may keep the translation until tlb_flush_local_kernel(). => any context */
pfn_t arch_stack_unmap(vaddr_t va);

#endif
