/*
 * trap_frame.h - registers that simulated user code has none of: what a fault needs to say is in struct fault_cause.
 * Layer 1 (host).
 */
#ifndef ASM_TRAP_FRAME_H
#define ASM_TRAP_FRAME_H

#include "kernel/lib/types.h"

struct trap_frame {
	vaddr_t ip, sp;
};

static inline unsigned long frame_syscall_nr(const struct trap_frame *tf)
{
	return ~0UL;
}

static inline void frame_syscall_args(const struct trap_frame *tf, unsigned long args[6])
{
}

static inline void frame_set_return(struct trap_frame *tf, long value)
{
}

#endif
