/*
 * context.c - a thread's machine state: making it and switching it.  Layer 1 (x86).
 * Where thread-local storage is differs: arch/x86/{32,64}/tls.c.
 */
#include <arch/context.h>
#include <asm/kmap.h>
#include <asm/machine.h>
#include "kernel/lib/string.h"

static void stack_prepare(struct arch_context *ctx, void *top, void (*start)(void), void (*fn)(void *), void *arg)
{
	struct switch_frame *frame = (struct switch_frame *)top - 1;

	*frame = (struct switch_frame){.fn = (vaddr_t)fn, .arg = (vaddr_t)arg, .ip = (vaddr_t)start};
	ctx->sp = frame;
}

void arch_context_init_kernel(struct arch_context *ctx, void *stack_top, void (*entry)(void *), void *arg)
{
	memset(ctx, 0, sizeof(*ctx));
	ctx->stack_top = (vaddr_t)stack_top;
	stack_prepare(ctx, stack_top, kernel_thread_start, entry, arg);
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
		tls_copy(ctx, from);
	}
	*frame = *regs;
	stack_prepare(ctx, frame, user_thread_start, NULL, NULL);
}

void arch_context_switch(struct arch_context *prev, struct arch_context *next)
{
	if (prev->has_user)
		fpu_save(prev);
	this_cpu()->ctx = next;
	segments_set_stack(next->stack_top);
	if (next->has_user) {
		fpu_load(next);
		tls_load(next);
	}
	arch_kmap_switch(prev, next);
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
	tls_clear(ctx);
	tls_load(ctx);
	fpu_reset(ctx);
	fpu_load(ctx);
	irq_restore(flags);
}
