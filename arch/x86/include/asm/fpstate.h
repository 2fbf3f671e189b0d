/*
 * fpstate.h - the FPU part of i386 signal frames.  Layer 1 (i386).
 */
#ifndef ASM_FPSTATE_H
#define ASM_FPSTATE_H

#include <asm/context.h>

#define FPSTATE_LEGACY_SIZE 112 /* FSAVE format, status, magic */
#define FPSTATE_SIZE (FPSTATE_LEGACY_SIZE + FPU_STATE_SIZE)

/* Store the current thread's FPU state at user address @user; 0 or -EFAULT. */
int fpstate_push(struct arch_context *ctx, vaddr_t user);
/* Load it back; @user 0: fresh state. 0 or -EFAULT (nothing changed). */
int fpstate_pop(struct arch_context *ctx, vaddr_t user);

#endif
