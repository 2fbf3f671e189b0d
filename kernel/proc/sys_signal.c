/*
 * sys_signal.c - the system calls about dispositions, masks, alternate stacks, and the return from a handler.
 * Layer 10.  Sending is in sys_kill.c.
 */
#include <arch/context.h>
#include <arch/uaccess.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/proc/timespec.h"

static sigset_t set_from_words(const u32 w[2])
{
	return w[0] | (u64)w[1] << 32;
}

static bool action_refused(int signo, bool change)
{
	return signo < 1 || signo > NSIG || (change && (signo == SIGKILL || signo == SIGSTOP));
}

long sys_rt_sigaction(int signo, const struct abi_sigaction *act, struct abi_sigaction *old, size_t size)
{
	struct abi_sigaction ua;
	struct sigaction new, was;

	if (size != sizeof(sigset_t) || action_refused(signo, act))
		return -EINVAL;
	if (act) {
		if (get_user(ua, act))
			return -EFAULT;
		new = (struct sigaction){
			.handler = ua.handler, .restorer = ua.restorer, .flags = (u32)ua.flags, .mask = set_from_words(ua.mask)};
	}
	signal_action_set(current_process(), signo, act ? &new : NULL, &was);
	if (!old)
		return 0;
	memset(&ua, 0, sizeof(ua));
	ua.handler = was.handler;
	ua.flags = was.flags;
	ua.restorer = was.restorer;
	ua.mask[0] = (u32)was.mask;
	ua.mask[1] = (u32)(was.mask >> 32);
	return copy_to_user(old, &ua, sizeof(ua));
}

long sys_old_sigaction(int signo, const struct abi_old_sigaction *act, struct abi_old_sigaction *old)
{
	struct abi_old_sigaction ua;
	struct sigaction new, was;

	if (action_refused(signo, act))
		return -EINVAL;
	if (act) {
		if (get_user(ua, act))
			return -EFAULT;
		new = (struct sigaction){
			.handler = ua.handler, .restorer = ua.restorer, .flags = (u32)ua.flags, .mask = (u32)ua.mask};
	}
	signal_action_set(current_process(), signo, act ? &new : NULL, &was);
	if (!old)
		return 0;
	ua = (struct abi_old_sigaction){was.handler, (u32)was.mask, was.flags, was.restorer};
	return copy_to_user(old, &ua, sizeof(ua));
}

long sys_old_signal(int signo, unsigned long handler)
{
	struct sigaction new = {.handler = handler, .flags = SA_RESETHAND | SA_NODEFER}, was;

	if (action_refused(signo, true))
		return -EINVAL;
	signal_action_set(current_process(), signo, &new, &was);
	return (long)was.handler;
}

/* -- masks ------------------------------------------------------------------------------------------------------ */

static int change_mask(int how, sigset_t set)
{
	sigset_t now = current_signals()->blocked;

	switch (how) {
	case SIG_BLOCK:
		set = now | set;
		break;
	case SIG_UNBLOCK:
		set = now & ~set;
		break;
	case SIG_SETMASK:
		break;
	default:
		return -EINVAL;
	}
	signal_set_mask(set);
	return 0;
}

long sys_rt_sigprocmask(int how, const void *set, void *old, size_t size)
{
	sigset_t was = current_signals()->blocked, new;
	int err;

	if (size != sizeof(sigset_t))
		return -EINVAL;
	if (set) {
		if (copy_from_user(&new, set, sizeof(new)))
			return -EFAULT;
		err = change_mask(how, new);
		if (err)
			return err;
	}
	return old ? copy_to_user(old, &was, sizeof(was)) : 0;
}

long sys_old_sigprocmask(int how, const u32 *set, u32 *old)
{
	sigset_t was = current_signals()->blocked;
	u32 new, low = (u32)was;
	int err;

	if (set) {
		if (get_user(new, set))
			return -EFAULT;
		err = change_mask(how, how == SIG_SETMASK ? (was & ~0xffffffffULL) | new : new);
		if (err)
			return err;
	}
	return old ? copy_to_user(old, &low, sizeof(low)) : 0;
}

static sigset_t pending_set(void)
{
	struct process *p = current_process();
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	sigset_t set = p->pending.set | current_signals()->pending.set;

	spin_unlock_irqrestore(&p->siglock, flags);
	return set & current_signals()->blocked;
}

long sys_rt_sigpending(void *set, size_t size)
{
	sigset_t pending = pending_set();

	if (size > sizeof(pending))
		return -EINVAL;
	return copy_to_user(set, &pending, size);
}

long sys_old_sigpending(u32 *set)
{
	u32 pending = (u32)pending_set();

	return copy_to_user(set, &pending, sizeof(pending));
}

static long wait_for_signal(void)
{
	struct wait_queue never;

	wait_queue_init(&never);
	(void)wait_event_interruptible(&never, false);
	return -ERESTARTNOHAND;
}

long sys_pause(void)
{
	return wait_for_signal();
}

long sys_rt_sigsuspend(const void *mask, size_t size)
{
	sigset_t set;

	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, mask, sizeof(set)))
		return -EFAULT;
	signal_set_temporary_mask(set);
	return wait_for_signal();
}

long sys_old_sigsuspend(int unused0, int unused1, u32 mask)
{
	signal_set_temporary_mask(mask);
	return wait_for_signal();
}

/* -- waiting for a signal without a handler -------------------------------------------------------------------------- */

static int dequeue_now(sigset_t set, struct siginfo *info)
{
	struct process *p = current_process();
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	int signo = signal_dequeue(set, info);

	signal_recalc(current_thread());
	spin_unlock_irqrestore(&p->siglock, flags);
	return signo;
}

static void set_waiting(sigset_t set)
{
	struct process *p = current_process();
	struct thread_signals *ts = current_signals();
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	sigset_t was = ts->waiting;

	ts->waiting = set;
	if (!set) /* one that came after our last look woke us in vain, and nobody else */
		signal_retarget(p, current_thread(), p->pending.set & was & ts->blocked);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* @ns: how long; ~0: for ever. The signal's number, -EAGAIN, -EINTR. */
static long sigtimedwait(sigset_t set, u64 ns, struct siginfo *info)
{
	struct wait_queue never;
	int signo = 0;
	long ret;

	set &= ~SIG_UNBLOCKABLE;
	signo = dequeue_now(set, info);
	if (signo || !ns)
		return signo ? signo : -EAGAIN;
	wait_queue_init(&never);
	set_waiting(set);
	ret = wait_event_interruptible_timeout(&never, (signo = dequeue_now(set, info)), ns);
	set_waiting(0);
	if (signo)
		return signo;
	return ret == -EINTR ? -EINTR : -EAGAIN;
}

static long sigtimedwait_user(const void *user_set, void *user_info, u64 ns, size_t size)
{
	u8 raw[ABI_SIGINFO_SIZE] __aligned(8);
	struct siginfo info;
	sigset_t set;
	long signo;

	if (size != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, user_set, sizeof(set)))
		return -EFAULT;
	signo = sigtimedwait(set, ns, &info);
	if (signo > 0 && user_info) {
		abi_fill_siginfo(raw, &info);
		if (copy_to_user(user_info, raw, sizeof(raw)))
			return -EFAULT;
	}
	return signo;
}

long sys_rt_sigtimedwait(const void *set, void *info, const struct abi_timespec *ts, size_t size)
{
	u64 ns;
	int err = timeout_from_user(&ns, ts);

	return err ? err : sigtimedwait_user(set, info, ns, size);
}

long sys_rt_sigtimedwait_time64(const void *set, void *info, const struct abi_timespec64 *ts, size_t size)
{
	u64 ns;
	int err = timeout64_from_user(&ns, ts);

	return err ? err : sigtimedwait_user(set, info, ns, size);
}

/* -- the alternate stack ------------------------------------------------------------------------------------------------- */

long sys_sigaltstack(const struct abi_stack *ss, struct abi_stack *old)
{
	struct thread_signals *ts = current_signals();
	vaddr_t sp = frame_sp(arch_user_frame((void *)current_thread()->stack_top));
	bool inside = ts->altstack_size && sp - ts->altstack_sp - 1 < ts->altstack_size;
	struct abi_stack new, was;

	memset(&was, 0, sizeof(was));
	was.ss_sp = (void *)ts->altstack_sp;
	was.ss_size = ts->altstack_size;
	was.ss_flags = !ts->altstack_size ? SS_DISABLE : inside ? SS_ONSTACK : 0;
	if (ss) {
		if (get_user(new, ss))
			return -EFAULT;
		if (inside)
			return -EPERM;
		if (new.ss_flags & ~(SS_ONSTACK | SS_DISABLE))
			return -EINVAL;
		if (new.ss_flags & SS_DISABLE)
			new.ss_sp = NULL, new.ss_size = 0;
		else if (new.ss_size < MINSIGSTKSZ)
			return -ENOMEM;
		ts->altstack_sp = (vaddr_t) new.ss_sp;
		ts->altstack_size = new.ss_size;
	}
	return old ? copy_to_user(old, &was, sizeof(was)) : 0;
}

/* -- back from a handler ---------------------------------------------------------------------------------------------------- */

static long return_from_handler(bool rt)
{
	struct thread *t = current_thread();
	struct trap_frame *tf = arch_user_frame((void *)t->stack_top);
	sigset_t mask;

	if (arch_signal_return(tf, &t->ctx, rt, &mask) < 0) {
		signal_force(SIGSEGV);
		return 0;
	}
	signal_set_mask(mask);
	return frame_return(tf);
}

long sys_rt_sigreturn(void)
{
	return return_from_handler(true);
}

long sys_sigreturn(void)
{
	return return_from_handler(false);
}

/* Continue a call that a signal without a handler interrupted (nanosleep with what is left). */
long sys_restart_syscall(void)
{
	struct thread_signals *ts = current_signals();

	return ts->restart_fn ? ts->restart_fn(ts) : -EINTR;
}
