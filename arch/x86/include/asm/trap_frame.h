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

#endif
