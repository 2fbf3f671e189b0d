/*
 * fpu.c - x87 and SSE state, by FXSAVE.  Layer 1 (x86).
 * The kernel itself is compiled without floating point, so the registers are always some user thread's.
 */
#include <asm/machine.h>
#include <asm/msr.h>
#include "kernel/lib/string.h"

#define FX_MXCSR 24
#define FX_MXCSR_MASK 28
#define MXCSR_MASK_DEFAULT 0xffbf

static u8 fresh_state[FPU_STATE_SIZE] __aligned(16);
static u32 mxcsr_mask;

static inline void fxsave(void *image)
{
#if BITS == 64
	__asm__ volatile("fxsave64 (%0)" ::"r"(image) : "memory");
#else
	__asm__ volatile("fxsave (%0)" ::"r"(image) : "memory");
#endif
}

static inline void fxrstor(const void *image)
{
#if BITS == 64
	__asm__ volatile("fxrstor64 (%0)" ::"r"(image) : "memory");
#else
	__asm__ volatile("fxrstor (%0)" ::"r"(image) : "memory");
#endif
}

static void switch_on(void)
{
	write_cr0((read_cr0() & ~0xcUL) | CR0_NE | CR0_MP); /* EM and TS off */
	__asm__ volatile("fninit");
}

void fpu_image(void *image)
{
	__asm__ volatile("clts"); /* a task switch, that of a double fault on i386, sets it */
	fxsave(image);
}

void fpu_init_cpu(void)
{
	switch_on();
	fxrstor(fresh_state);
}

void fpu_init(void)
{
	u32 mxcsr = 0x1f80;

	switch_on();
	if (cpu_features.sse)
		__asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
	fxsave(fresh_state);
	memcpy(&mxcsr_mask, fresh_state + FX_MXCSR_MASK, 4);
	if (!mxcsr_mask)
		mxcsr_mask = MXCSR_MASK_DEFAULT;
	memset(fresh_state + 32, 0, sizeof(fresh_state) - 32); /* what firmware left in the registers */
	fxrstor(fresh_state);
}

void fpu_reset(struct arch_context *ctx)
{
	memcpy(fpu_area(ctx), fresh_state, FPU_STATE_SIZE);
}

void fpu_save(struct arch_context *ctx)
{
	fxsave(fpu_area(ctx));
}

void fpu_load(struct arch_context *ctx)
{
	fxrstor(fpu_area(ctx));
}

void fpu_save_current(struct arch_context *ctx)
{
	unsigned long flags = irq_save();

	fxsave(fpu_area(ctx));
	irq_restore(flags);
}

/* @image NULL: fresh state. */
void fpu_restore_current(struct arch_context *ctx, void *image)
{
	u32 mxcsr;

	if (image) {
		memcpy(&mxcsr, (u8 *)image + FX_MXCSR, 4);
		mxcsr &= mxcsr_mask; /* reserved bits would fault */
		memcpy((u8 *)image + FX_MXCSR, &mxcsr, 4);
	}
	fxrstor(image ? image : fresh_state); /* a switch now saves and restores exactly this */
}
