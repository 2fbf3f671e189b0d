/*
 * trap_frame.h - the registers as the entry code leaves them on the kernel stack.  Layer 1 (x86).
 * The order is fixed by arch/x86/{32,64}/entry.S; offsets.c asserts it.
 */
#ifndef ASM_TRAP_FRAME_H
#define ASM_TRAP_FRAME_H

#include "kernel/lib/types.h"
#include <asm/offsets.h>

#if BITS == 64
struct trap_frame {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	u64 vector; /* 0..255, VECTOR_SYSCALL, VECTOR_MODIFIED */
	u64 error;  /* error code; the call's number for a system call */
	u64 ip, cs, flags, sp, ss;
};
#else
/* An entry from ring 0 has no sp and ss: the frame ends after flags. */
struct trap_frame {
	u32 bx, cx, dx, si, di, bp, ax;
	u32 ds, es, fs, gs; /* upper halves undefined */
	u32 vector, error;
	u32 ip, cs, flags, sp, ss;
};
#endif

#define FRAME_NOT_A_CALL (~0UL) /* trap_frame.error after exec, signal delivery, sigreturn */

/* <arch/context.h>'s accessors that every system call needs, inline. */

static inline unsigned long frame_syscall_nr(const struct trap_frame *tf)
{
	return tf->vector == VECTOR_SYSCALL ? tf->error : FRAME_NOT_A_CALL;
}

static inline void frame_syscall_args(const struct trap_frame *tf, unsigned long args[6])
{
#if BITS == 64
	args[0] = tf->di;
	args[1] = tf->si;
	args[2] = tf->dx;
	args[3] = tf->r10;
	args[4] = tf->r8;
	args[5] = tf->r9;
#else
	args[0] = tf->bx;
	args[1] = tf->cx;
	args[2] = tf->dx;
	args[3] = tf->si;
	args[4] = tf->di;
	args[5] = tf->bp;
#endif
}

static inline void frame_set_return(struct trap_frame *tf, long value)
{
	tf->ax = (unsigned long)value;
}

#endif
