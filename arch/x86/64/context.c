/*
 * context.c - a thread's machine state: making it, switching it, its segment bases.  Layer 1 (x86-64).
 */
#include <arch/context.h>
#include <arch/pgtable.h>
#include <arch/uaccess.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004 };

/* What stack_switch() pops, lowest address first. */
struct switch_frame {
	u64 r15, r14, r13, r12, bx, bp, ip;
};

static void stack_prepare(struct arch_context *ctx, void *top, void (*start)(void), u64 bx, u64 r12)
{
	struct switch_frame *frame = (struct switch_frame *)top - 1;

	*frame = (struct switch_frame){.bx = bx, .r12 = r12, .ip = (u64)start};
	ctx->sp = frame;
}

void arch_context_init_kernel(struct arch_context *ctx, void *stack_top, void (*entry)(void *), void *arg)
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->stack_top = (vaddr_t)stack_top;
	stack_prepare(ctx, stack_top, kernel_thread_start, (u64)entry, (u64)arg);
}

void arch_context_init_user(struct arch_context *ctx, void *stack_top, const struct trap_frame *regs,
                            const struct arch_context *from)
{
	struct trap_frame *frame = arch_user_frame(stack_top);

	memset(ctx, 0, sizeof(*ctx));
	ctx->stack_top = (vaddr_t)stack_top;
	ctx->has_user = true;
	fpu_reset(ctx);
	if (from && from->has_user) {
		if (from == this_cpu()->ctx) /* its FPU state is in the registers */
			fpu_save(ctx);
		else
			memcpy(fpu_area(ctx), fpu_area((struct arch_context *)from), FPU_STATE_SIZE);
		ctx->fs_base = from->fs_base;
		ctx->gs_base = from->gs_base;
	}
	*frame = *regs;
	stack_prepare(ctx, frame, user_thread_start, 0, 0);
}

void arch_context_switch(struct arch_context *prev, struct arch_context *next)
{
	if (prev->has_user)
		fpu_save(prev);
	this_cpu()->ctx = next;
	segments_set_stack(next->stack_top);
	if (next->has_user) {
		fpu_load(next);
		wrmsr(MSR_FS_BASE, next->fs_base);
		wrmsr(MSR_KERNEL_GS_BASE, next->gs_base); /* the user's while in the kernel */
	}
	stack_switch(&prev->sp, next->sp);
}

void arch_context_destroy(struct arch_context *ctx)
{
	ctx->has_user = false;
}

/* => @ctx is current's */
void arch_context_exec(struct arch_context *ctx)
{
	unsigned long flags = irq_save();

	ctx->has_user = true;
	ctx->fs_base = ctx->gs_base = 0;
	fpu_reset(ctx);
	fpu_load(ctx);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
	irq_restore(flags);
}

static void base_set(u32 msr, u64 *saved, u64 base, bool current)
{
	unsigned long flags = irq_save();

	*saved = base;
	if (current)
		wrmsr(msr, base);
	irq_restore(flags);
}

long arch_prctl(struct arch_context *ctx, unsigned long code, unsigned long arg)
{
	bool current = ctx == this_cpu()->ctx;

	switch (code) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		if (arg >= USER_END)
			return -EPERM;
		if (code == ARCH_SET_FS)
			base_set(MSR_FS_BASE, &ctx->fs_base, arg, current);
		else
			base_set(MSR_KERNEL_GS_BASE, &ctx->gs_base, arg, current);
		return 0;
	case ARCH_GET_FS:
		return copy_to_user((void *)arg, &ctx->fs_base, sizeof(u64));
	case ARCH_GET_GS:
		return copy_to_user((void *)arg, &ctx->gs_base, sizeof(u64));
	default:
		return -EINVAL;
	}
}

long arch_set_thread_area(struct arch_context *ctx, void *user)
{
	return -ENOSYS;
}

long arch_get_thread_area(struct arch_context *ctx, void *user)
{
	return -ENOSYS;
}

long arch_set_tls(struct arch_context *ctx, unsigned long tls)
{
	return arch_prctl(ctx, ARCH_SET_FS, tls);
}
