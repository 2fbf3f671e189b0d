/*
 * tls.c - arch_prctl(2): the bases of FS and GS belong to each thread.  Layer 1 (x86-64).
 */
#include <arch/context.h>
#include <arch/pgtable.h>
#include <arch/uaccess.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "kernel/lib/errno.h"

enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002, ARCH_GET_FS = 0x1003, ARCH_GET_GS = 0x1004 };

void tls_copy(struct arch_context *to, const struct arch_context *from)
{
	to->fs_base = from->fs_base;
	to->gs_base = from->gs_base;
}

void tls_clear(struct arch_context *ctx)
{
	ctx->fs_base = ctx->gs_base = 0;
}

void tls_load(const struct arch_context *ctx)
{
	wrmsr(MSR_FS_BASE, ctx->fs_base);
	wrmsr(MSR_KERNEL_GS_BASE, ctx->gs_base); /* the user's while in the kernel */
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
