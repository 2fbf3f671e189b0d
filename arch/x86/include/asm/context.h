/*
 * context.h - what an x86 thread keeps while it does not run.  Layer 1 (x86); <arch/context.h> includes it.
 *
 * struct arch_context is the FIRST member of struct thread.  While a thread runs, this_cpu()->ctx points
 * to its context, so machine code finds it without knowing struct thread.  The word that follows it in
 * struct thread is `work`: non-zero makes the way back to ring 3 call upcall_return_to_user().
 */
#ifndef ASM_CONTEXT_H
#define ASM_CONTEXT_H

#include "kernel/lib/types.h"
#include <asm/offsets.h>

#define FPU_STATE_SIZE 512
#define ARCH_KMAP_DEPTH 8 /* == KMAP_DEPTH of <arch/phys.h> */

struct arch_context {
	void *sp;          /* kernel stack pointer while switched out; offset CTX_SP */
	vaddr_t stack_top; /* where entries from ring 3 start */
	u32 pagefault_off; /* nesting depth of pagefault_disable() */
	bool has_user;     /* runs in ring 3: FPU and TLS are switched */
#if BITS == 64
	u64 fs_base, gs_base;
#else
	u64 tls[GDT_TLS_COUNT];
	u32 kmap_depth; /* arch/x86/mm's kmap stack, re-established at a switch */
	pfn_t kmap_pfn[ARCH_KMAP_DEPTH];
#endif
	u8 fpu_space[FPU_STATE_SIZE + 16]; /* FXSAVE image, aligned by fpu_area() */
};

/* What stack_switch() pops, lowest address first; kernel_thread_start() then calls fn(arg). */
struct switch_frame {
#if BITS == 64
	u64 r15, r14, r13, arg, fn, bp, ip; /* arg in R12, fn in RBX */
#else
	u32 di, arg, fn, bp, ip; /* arg in ESI, fn in EBX */
#endif
};

/* The 16-byte aligned FXSAVE image inside @ctx. */
static inline void *fpu_area(struct arch_context *ctx)
{
	return (void *)(((unsigned long)ctx->fpu_space + 15) & ~15UL);
}

/* i386: the addresses of a thread's temporary maps belong to one CPU. */
static inline bool arch_context_pinned(const struct arch_context *ctx)
{
#if BITS == 32
	return ctx->kmap_depth != 0;
#else
	return false;
#endif
}

#endif
