/*
 * context.h - a thread's machine state: switching, the trap frame, user register access.  Layer 1.
 */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include "kernel/lib/types.h"

/* struct trap_frame: registers as the entry code saved them; generic code uses only the accessors below. */
#include <asm/trap_frame.h>

struct thread;

/* What a thread keeps while it does not run. */
#include <asm/context.h> /* struct arch_context */

/* Prepare @ctx so that the first switch to it calls @entry(@arg) on the stack that ends at @stack_top. */
void arch_context_init_kernel(struct arch_context *ctx, void *stack_top, void (*entry)(void *), void *arg);

/* Prepare @ctx so that the first switch to it returns to ring 3 with the registers of @regs (copied).
 * FPU, TLS descriptors and segment bases are copied from @from (the forking thread, may be NULL: fresh).
 * Before it leaves the kernel it calls upcall_fork_return(). */
void arch_context_init_user(struct arch_context *ctx, void *stack_top, const struct trap_frame *regs,
                            const struct arch_context *from);

/* Save @prev, resume @next; returns when @prev is resumed.  Switches FPU state, TLS, kernel stack
 * pointer and temporary kernel maps; not the page table. => interrupts off */
void arch_context_switch(struct arch_context *prev, struct arch_context *next);
void arch_context_destroy(struct arch_context *ctx);

/* May @ctx only resume on the CPU that it left (its temporary kernel maps are in that CPU's window)?
 * => @ctx does not run, or is the caller's: bool arch_context_pinned(const struct arch_context *ctx), inline */

/* Forget FPU and TLS state: exec gives a fresh machine. => @ctx is current's */
void arch_context_exec(struct arch_context *ctx);

/* The frame of the current thread's last entry from ring 3 (fixed place at the top of its stack). */
struct trap_frame *arch_user_frame(void *stack_top);

/* -- frame access ------------------------------------------------------------------------------------ */
vaddr_t frame_ip(const struct trap_frame *tf);
vaddr_t frame_sp(const struct trap_frame *tf);
static inline unsigned long frame_syscall_nr(const struct trap_frame *tf); /* ~0: it was not a system call */
static inline void frame_syscall_args(const struct trap_frame *tf, unsigned long args[6]);
static inline void frame_set_return(struct trap_frame *tf, long value);
long frame_return(const struct trap_frame *tf);
void frame_set_sp(struct trap_frame *tf, vaddr_t sp);
/* Back up over the system-call instruction so that it is executed again, with number @nr. */
void frame_restart_syscall(struct trap_frame *tf, unsigned long nr);
/* Start a fresh program at @ip with stack @sp: all other registers zero. */
void frame_start(struct trap_frame *tf, vaddr_t ip, vaddr_t sp);

/* arch_prctl(2) on x86-64; -EINVAL elsewhere. */
long arch_prctl(struct arch_context *ctx, unsigned long code, unsigned long arg);
/* set_thread_area(2)/get_thread_area(2) on i386 (user_desc at @user); -ENOSYS elsewhere. */
long arch_set_thread_area(struct arch_context *ctx, void *user);
long arch_get_thread_area(struct arch_context *ctx, void *user);
/* CLONE_SETTLS: @tls is the fs base (x86-64) or a user_desc pointer (i386). */
long arch_set_tls(struct arch_context *ctx, unsigned long tls);

/* -- signals: the machine-dependent frame on the user stack ------------------------------------------------ */
struct signal_delivery {
	int signo;
	vaddr_t handler;
	vaddr_t restorer;    /* SA_RESTORER's, or 0 */
	bool siginfo;        /* SA_SIGINFO: three arguments (i386: selects the rt frame) */
	u64 old_mask;        /* to be restored by sigreturn */
	vaddr_t stack_top;   /* alternate stack top, or 0: use the current stack */
	const void *info;    /* 128 bytes of siginfo_t in the machine's own layout */
	u32 trapno, err;     /* for the sigcontext */
	vaddr_t fault_addr;  /* cr2 */
	vaddr_t altstack_sp; /* stack_t for uc_stack */
	u32 altstack_flags;
	size_t altstack_size;
};
/* Push the frame and point @tf at the handler. Returns 0 or -EFAULT (nothing changed in @tf). */
int arch_signal_deliver(struct trap_frame *tf, struct arch_context *ctx, const struct signal_delivery *sd);
/* Undo it: registers from the frame at the user stack pointer. @rt: rt_sigreturn. Fills @mask and the
 * altstack fields of @sd. Returns 0 or -EFAULT; sanitises privileged bits. */
int arch_signal_return(struct trap_frame *tf, struct arch_context *ctx, bool rt, u64 *mask);

#endif
