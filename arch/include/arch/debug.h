/*
 * debug.h - what a dying kernel can tell about itself.  Layer 1.
 * All of these print by printk(), take no locks and trust no pointer.
 */
#ifndef ARCH_DEBUG_H
#define ARCH_DEBUG_H

#include "kernel/lib/types.h"

struct trap_frame;

/* Every level of the loaded page table on the way to @va, decoded. */
void arch_dump_walk(vaddr_t va);
/* All registers of @tf. */
void arch_dump_frame(const struct trap_frame *tf);
/* This CPU's registers, as far as a function call keeps them, and its control registers. */
void arch_dump_here(void);
/* Symbolised return addresses, from the caller up. */
void arch_backtrace(void);
/* The same from the interrupted place of @tf. */
void arch_backtrace_frame(const struct trap_frame *tf);
/* Copy @n bytes of kernel memory that may not be mapped; false if it is not. */
bool arch_probe_read(void *dst, const void *src, size_t n);
/* Push onto a stack that is not there: a double fault. For tests of its report. */
__noreturn void arch_lose_stack(void);

#endif
