/*
 * signal.c - the two signal frames, exactly as Linux lays them out on i386.  Layer 1 (i386).
 *
 *   high   fpstate    112 bytes FSAVE format + 512 bytes FXSAVE image (64-aligned)
 *   low    frame      struct sigframe without SA_SIGINFO, struct rt_sigframe with it; sp points here, and
 *                     sp + 4 is a multiple of 16.  The first word is the restorer, which RET jumps to.
 *
 * The stack cannot be executed, so a handler without SA_RESTORER has no way back: -EFAULT.
 */
#include <arch/context.h>
#include <arch/pgtable.h>
#include <arch/uaccess.h>
#include <asm/fpstate.h>
#include <asm/machine.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"

struct sigcontext {
	u16 gs, gs_pad, fs, fs_pad, es, es_pad, ds, ds_pad;
	u32 di, si, bp, sp, bx, dx, cx, ax, trapno, err, ip;
	u16 cs, cs_pad;
	u32 flags, sp_at_signal;
	u16 ss, ss_pad;
	u32 fpstate, oldmask, cr2;
};
struct sigframe {
	u32 pretcode, signo;
	struct sigcontext sc;
	u8 fpstate_unused[FPSTATE_SIZE];
	u32 extramask;
	u8 retcode[8];
};
struct ucontext {
	u32 flags, link;
	u32 stack_sp, stack_flags, stack_size;
	struct sigcontext mc;
	u64 sigmask;
};
struct rt_sigframe {
	u32 pretcode, signo, pinfo, puc;
	u8 info[128];
	struct ucontext uc;
	u8 retcode[8];
};
_Static_assert(sizeof(struct sigcontext) == 88, "sigcontext");
_Static_assert(offsetof(struct sigframe, extramask) == 720, "sigframe");
_Static_assert(sizeof(struct sigframe) == 732, "sigframe");
_Static_assert(sizeof(struct rt_sigframe) == 268, "rt_sigframe");

static void context_fill(struct sigcontext *sc, const struct trap_frame *tf, const struct signal_delivery *sd,
                         vaddr_t fpstate)
{
	*sc = (struct sigcontext){
		.gs = (u16)tf->gs,
		.fs = (u16)tf->fs,
		.es = (u16)tf->es,
		.ds = (u16)tf->ds,
		.di = tf->di,
		.si = tf->si,
		.bp = tf->bp,
		.sp = tf->sp,
		.bx = tf->bx,
		.dx = tf->dx,
		.cx = tf->cx,
		.ax = tf->ax,
		.trapno = sd->trapno,
		.err = sd->err,
		.ip = tf->ip,
		.cs = (u16)tf->cs,
		.flags = tf->flags,
		.sp_at_signal = tf->sp,
		.ss = (u16)tf->ss,
		.fpstate = fpstate,
		.oldmask = (u32)sd->old_mask,
		.cr2 = sd->fault_addr,
	};
}

static int push_rt(struct rt_sigframe *user, const struct trap_frame *tf, const struct signal_delivery *sd,
                   vaddr_t fpstate)
{
	struct rt_sigframe frame;

	memset(&frame, 0, sizeof(frame));
	frame.pretcode = sd->restorer;
	frame.signo = (u32)sd->signo;
	frame.pinfo = (u32)user->info;
	frame.puc = (u32)&user->uc;
	if (sd->info)
		memcpy(frame.info, sd->info, sizeof(frame.info));
	frame.uc.stack_sp = sd->altstack_sp;
	frame.uc.stack_flags = sd->altstack_flags;
	frame.uc.stack_size = sd->altstack_size;
	frame.uc.sigmask = sd->old_mask;
	context_fill(&frame.uc.mc, tf, sd, fpstate);
	return copy_to_user(user, &frame, sizeof(frame));
}

static int push_old(struct sigframe *user, const struct trap_frame *tf, const struct signal_delivery *sd,
                    vaddr_t fpstate)
{
	u32 head[2] = {sd->restorer, (u32)sd->signo}, extramask = (u32)(sd->old_mask >> 32);
	struct sigcontext sc;

	context_fill(&sc, tf, sd, fpstate);
	if (copy_to_user(user, head, sizeof(head)) || copy_to_user(&user->sc, &sc, sizeof(sc)))
		return -EFAULT;
	return copy_to_user(&user->extramask, &extramask, sizeof(extramask));
}

int arch_signal_deliver(struct trap_frame *tf, struct arch_context *ctx, const struct signal_delivery *sd)
{
	vaddr_t top = sd->stack_top ? sd->stack_top : tf->sp;
	size_t size = sd->siginfo ? sizeof(struct rt_sigframe) : sizeof(struct sigframe);
	vaddr_t fpstate = ALIGN_DOWN(top - FPU_STATE_SIZE, 64UL) - FPSTATE_LEGACY_SIZE;
	vaddr_t sp = ALIGN_DOWN(fpstate - size + 4, 16UL) - 4;
	struct rt_sigframe *rt = (void *)sp;
	int r;

	if (!sd->restorer || fpstate_push(ctx, fpstate))
		return -EFAULT;
	r = sd->siginfo ? push_rt(rt, tf, sd, fpstate) : push_old((void *)sp, tf, sd, fpstate);
	if (r)
		return r;
	tf->ax = (u32)sd->signo; /* for handlers compiled with register arguments */
	tf->dx = sd->siginfo ? (u32)rt->info : 0;
	tf->cx = sd->siginfo ? (u32)&rt->uc : 0;
	tf->ip = sd->handler;
	tf->sp = sp;
	tf->cs = USER_CS;
	tf->ss = tf->ds = tf->es = USER_DS;
	tf->flags &= ~(u32)(EFLAGS_DF | EFLAGS_RF | EFLAGS_TF);
	tf->vector = VECTOR_MODIFIED;
	tf->error = FRAME_NOT_A_CALL;
	return 0;
}

/* A selector that ring 3 may have: RPL 3 keeps kernel segments out; entry.S turns bad ones into 0. */
static u32 user_selector(u16 selector)
{
	return selector & ~3u ? selector | 3u : 0;
}

static void context_restore(struct trap_frame *tf, const struct sigcontext *sc)
{
	tf->bx = sc->bx;
	tf->cx = sc->cx;
	tf->dx = sc->dx;
	tf->si = sc->si;
	tf->di = sc->di;
	tf->bp = sc->bp;
	tf->ax = sc->ax;
	tf->ds = user_selector(sc->ds);
	tf->es = user_selector(sc->es);
	tf->fs = user_selector(sc->fs);
	tf->gs = user_selector(sc->gs);
	tf->ip = sc->ip;
	tf->sp = sc->sp;
	tf->cs = USER_CS;
	tf->ss = USER_DS;
	tf->flags = (tf->flags & ~(u32)EFLAGS_USER_BITS) | (sc->flags & EFLAGS_USER_BITS);
	tf->vector = VECTOR_MODIFIED;
	tf->error = FRAME_NOT_A_CALL;
}

/* The restorer popped what RET did not: sp is 4 (rt) or 8 bytes above the frame. */
int arch_signal_return(struct trap_frame *tf, struct arch_context *ctx, bool rt, u64 *mask)
{
	struct ucontext uc;
	u32 extramask = 0;

	if (rt) {
		const struct rt_sigframe *user = (const void *)(tf->sp - 4);

		if (copy_from_user(&uc, &user->uc, sizeof(uc)))
			return -EFAULT;
	} else {
		const struct sigframe *user = (const void *)(tf->sp - 8);

		if (copy_from_user(&uc.mc, &user->sc, sizeof(uc.mc)) ||
		    copy_from_user(&extramask, &user->extramask, sizeof(extramask)))
			return -EFAULT;
		uc.sigmask = uc.mc.oldmask | (u64)extramask << 32;
	}
	if (fpstate_pop(ctx, uc.mc.fpstate))
		return -EFAULT;
	context_restore(tf, &uc.mc);
	*mask = uc.sigmask;
	return 0;
}
