/*
 * signal.c - the signal frame, exactly as Linux lays it out on x86-64.  Layer 1 (x86-64).
 *
 *   high   fpstate    512 bytes, 64-aligned: the FXSAVE image (no extended state: no magic words)
 *          siginfo    128
 *          ucontext   304
 *   low    pretcode   the restorer's address; sp points here, so sp + 8 is a multiple of 16
 */
#include <arch/context.h>
#include <arch/pgtable.h>
#include <arch/uaccess.h>
#include <asm/machine.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

#define RED_ZONE 128
#define UC_SIGCONTEXT_SS 2 /* ss is saved and restored */
#define UC_STRICT_RESTORE_SS 4

struct sigcontext {
	u64 r8, r9, r10, r11, r12, r13, r14, r15, di, si, bp, bx, dx, ax, cx, sp, ip, flags;
	u16 cs, gs, fs, ss;
	u64 err, trapno, oldmask, cr2, fpstate, reserved[8];
};
struct ucontext {
	u64 flags, link;
	u64 stack_sp;
	u32 stack_flags, stack_pad;
	u64 stack_size;
	struct sigcontext mc;
	u64 sigmask;
};
struct rt_sigframe {
	u64 pretcode;
	struct ucontext uc;
	u8 info[128];
};
_Static_assert(sizeof(struct sigcontext) == 256, "sigcontext");
_Static_assert(sizeof(struct rt_sigframe) == 440, "rt_sigframe");

static void context_fill(struct sigcontext *mc, const struct trap_frame *tf, const struct signal_delivery *sd)
{
	*mc = (struct sigcontext){
		.r8 = tf->r8,
		.r9 = tf->r9,
		.r10 = tf->r10,
		.r11 = tf->r11,
		.r12 = tf->r12,
		.r13 = tf->r13,
		.r14 = tf->r14,
		.r15 = tf->r15,
		.di = tf->di,
		.si = tf->si,
		.bp = tf->bp,
		.bx = tf->bx,
		.dx = tf->dx,
		.ax = tf->ax,
		.cx = tf->cx,
		.sp = tf->sp,
		.ip = tf->ip,
		.flags = tf->flags,
		.cs = (u16)tf->cs,
		.ss = (u16)tf->ss,
		.err = sd->err,
		.trapno = sd->trapno,
		.oldmask = sd->old_mask,
		.cr2 = sd->fault_addr,
	};
}

int arch_signal_deliver(struct trap_frame *tf, struct arch_context *ctx, const struct signal_delivery *sd)
{
	vaddr_t top = sd->stack_top ? sd->stack_top : tf->sp - RED_ZONE;
	vaddr_t fpstate = ALIGN_DOWN(top - FPU_STATE_SIZE, 64UL);
	vaddr_t sp = ALIGN_DOWN(fpstate - sizeof(struct rt_sigframe), 16UL) - 8;
	struct rt_sigframe *user = (void *)sp;
	struct rt_sigframe frame = {
		.pretcode = sd->restorer,
		.uc = {.flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS,
	           .stack_sp = sd->altstack_sp,
	           .stack_flags = sd->altstack_flags,
	           .stack_size = sd->altstack_size,
	           .sigmask = sd->old_mask},
	};

	if (!sd->restorer)
		return -EFAULT;
	context_fill(&frame.uc.mc, tf, sd);
	frame.uc.mc.fpstate = fpstate;
	if (sd->info)
		memcpy(frame.info, sd->info, sizeof(frame.info));
	fpu_save_current(ctx);
	if (copy_to_user((void *)fpstate, fpu_area(ctx), FPU_STATE_SIZE) || copy_to_user(user, &frame, sizeof(frame)))
		return -EFAULT;
	tf->di = (u64)sd->signo;
	tf->si = (u64)user->info;
	tf->dx = (u64)&user->uc;
	tf->ax = 0;
	tf->ip = sd->handler;
	tf->sp = sp;
	tf->cs = USER_CS;
	tf->ss = USER_DS;
	tf->flags &= ~(u64)(EFLAGS_DF | EFLAGS_RF | EFLAGS_TF);
	tf->vector = VECTOR_MODIFIED;
	tf->error = FRAME_NOT_A_CALL;
	return 0;
}

static void context_restore(struct trap_frame *tf, const struct sigcontext *mc)
{
	u64 flags = (tf->flags & ~(u64)EFLAGS_USER_BITS) | (mc->flags & EFLAGS_USER_BITS);

	*tf = (struct trap_frame){
		.r8 = mc->r8,
		.r9 = mc->r9,
		.r10 = mc->r10,
		.r11 = mc->r11,
		.r12 = mc->r12,
		.r13 = mc->r13,
		.r14 = mc->r14,
		.r15 = mc->r15,
		.di = mc->di,
		.si = mc->si,
		.bp = mc->bp,
		.bx = mc->bx,
		.dx = mc->dx,
		.ax = mc->ax,
		.cx = mc->cx,
		.sp = mc->sp,
		.ip = mc->ip,
		.flags = flags,
		.cs = USER_CS,
		.ss = USER_DS,
		.vector = VECTOR_MODIFIED,
		.error = FRAME_NOT_A_CALL,
	};
}

int arch_signal_return(struct trap_frame *tf, struct arch_context *ctx, bool rt, u64 *mask)
{
	const struct rt_sigframe *user = (const void *)(tf->sp - 8); /* the handler's RET took the restorer's address */
	u8 image[FPU_STATE_SIZE] __aligned(16);
	struct ucontext uc;

	if (!rt || copy_from_user(&uc, &user->uc, sizeof(uc)))
		return -EFAULT;
	if (uc.mc.fpstate && copy_from_user(image, (void *)uc.mc.fpstate, sizeof(image)))
		return -EFAULT;
	fpu_restore_current(ctx, uc.mc.fpstate ? image : NULL);
	context_restore(tf, &uc.mc);
	*mask = uc.sigmask;
	return 0;
}
