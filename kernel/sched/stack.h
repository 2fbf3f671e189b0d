/*
 * stack.h - kernel stacks of threads.  Layer 8 (kernel/sched).
 */
#ifndef KERNEL_SCHED_STACK_H
#define KERNEL_SCHED_STACK_H

#include "kernel/lib/types.h"

/* THREAD_STACK_SIZE bytes with an unmapped page below, or NULL. => may sleep */
void *stack_alloc(void);
/* => any context; no CPU is on it */
void stack_free(void *stack);

#endif
