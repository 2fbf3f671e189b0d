/*
 * sigdeliver.c - the way to ring 3: deliver signals, restart interrupted calls, stop, die.  Layer 10.
 *
 *   return value of the call      a handler runs                     no handler runs
 *   -ERESTARTSYS                  SA_RESTART ? again : -EINTR        again
 *   -ERESTARTNOINTR               again                              again
 *   -ERESTARTNOHAND               -EINTR                             again
 *   -ERESTART_RESTARTBLOCK        -EINTR                             restart_syscall(2)
 */
#include <arch/context.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/proc/signal.h"

/* A handler with @flags is about to run: what becomes of the call that was interrupted? */
static void restart_for_handler(struct trap_frame *tf, struct thread_signals *ts, u32 flags)
{
	if (!ts->restart)
		return;
	ts->restart = false;
	switch (frame_return(tf)) {
	case -ERESTARTSYS:
		if (flags & SA_RESTART)
			break;
		frame_set_return(tf, -EINTR);
		return;
	case -ERESTARTNOINTR:
		break;
	default:
		frame_set_return(tf, -EINTR);
		return;
	}
	frame_restart_syscall(tf, ts->restart_nr);
}

static void restart_without_handler(struct trap_frame *tf, struct thread_signals *ts)
{
	if (!ts->restart)
		return;
	ts->restart = false;
	frame_restart_syscall(tf, frame_return(tf) == -ERESTART_RESTARTBLOCK ? ABI_NR_RESTART : ts->restart_nr);
}

static bool on_altstack(const struct thread_signals *ts, vaddr_t sp)
{
	return ts->altstack_size && sp - ts->altstack_sp <= ts->altstack_size && sp != ts->altstack_sp;
}

/* Push the frame. 0 or -EFAULT. */
static int call_handler(struct trap_frame *tf, int signo, const struct sigaction *sa, const struct siginfo *info)
{
	struct thread_signals *ts = current_signals();
	u8 user_info[ABI_SIGINFO_SIZE] __aligned(8);
	bool inside = on_altstack(ts, frame_sp(tf));
	struct signal_delivery sd = {
		.signo = signo,
		.handler = sa->handler,
		.restorer = sa->flags & SA_RESTORER ? sa->restorer : 0,
		.siginfo = sa->flags & SA_SIGINFO,
		.old_mask = ts->restore_mask ? ts->saved_mask : ts->blocked,
		.info = user_info,
		.trapno = info->trapno,
		.err = info->error_code,
		.fault_addr = info->trapno == ABI_TRAP_PAGE_FAULT ? info->addr : 0,
		.altstack_sp = ts->altstack_sp,
		.altstack_size = ts->altstack_size,
		.altstack_flags = !ts->altstack_size ? SS_DISABLE
	                      : inside           ? SS_ONSTACK
	                                         : 0,
	};
	sigset_t mask = ts->blocked | sa->mask;
	int err;

	if ((sa->flags & SA_ONSTACK) && ts->altstack_size && !inside)
		sd.stack_top = ts->altstack_sp + ts->altstack_size;
	abi_fill_siginfo(user_info, info);
	err = arch_signal_deliver(tf, &current_thread()->ctx, &sd);
	if (err)
		return err;
	if (!(sa->flags & SA_NODEFER))
		mask |= sigmask(signo);
	ts->restore_mask = false;
	signal_set_mask(mask);
	return 0;
}

/* The frame does not fit where the user's stack pointer points: SIGSEGV, and if that was it, the end. */
static void frame_failed(struct process *p, int signo)
{
	unsigned long flags;

	if (signo == SIGSEGV) {
		flags = spin_lock_irqsave(&p->siglock);
		p->actions[SIGSEGV - 1].handler = SIG_DFL;
		spin_unlock_irqrestore(&p->siglock, flags);
	}
	signal_force(SIGSEGV);
}

/* -- job control ------------------------------------------------------------------------------------------------ */

static void tell_parent(struct process *p, int code, int status)
{
	spin_lock(&process_lock);
	process_notify_parent_locked(p, code, status);
	spin_unlock(&process_lock);
}

/* Nothing keeps a stopped thread any more: the stop it is in is over (there may be a new one), or it is to leave. */
static bool may_go_on(const struct process *p, unsigned seq)
{
	struct thread *survivor = READ_ONCE(p->group_exec);

	return READ_ONCE(p->stop_seq) != seq || READ_ONCE(p->group_exit) || (survivor && survivor != current_thread());
}

/* Stand still until SIGCONT or death. => siglock on entry, released */
static void stop_here(struct process *p, unsigned long flags)
{
	unsigned seq = p->stop_seq;
	bool last, tell;

	last = ++p->nr_stopped == p->nr_threads;
	if (last)
		p->stop_report = true;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (last)
		tell_parent(p, CLD_STOPPED, p->stop_signal);
	wait_event_killable(&p->stop_wait, may_go_on(p, seq));

	flags = spin_lock_irqsave(&p->siglock);
	if (p->stop_seq == seq) /* else whoever ended it has cleared the count */
		p->nr_stopped--;
	tell = p->tell_continued;
	p->tell_continued = false;
	spin_unlock_irqrestore(&p->siglock, flags);
	if (tell)
		tell_parent(p, CLD_CONTINUED, SIGCONT);
}

static void begin_stop(struct process *p, int signo)
{
	struct thread *t;

	p->stopping = true;
	p->stop_signal = signo;
	p->continue_report = p->tell_continued = false;
	list_for_each_entry(t, &p->threads, process_link) {
		thread_work_set(t, THREAD_WORK_SIGNAL);
		thread_wake_signal(t, false);
	}
}

/* -- the loop -------------------------------------------------------------------------------------------------------- */

/* Default action of @signo, not ignored by default. => siglock */
static void default_action(struct process *p, int signo, bool forced)
{
	if (p->is_init && !forced)
		return;
	if (sigmask(signo) & SIG_STOPS) {
		begin_stop(p, signo);
		return;
	}
	if (p->is_init)
		printk("init: killed by %s\n", signal_name(signo));
	process_group_exit_locked(p, signo);
}

/* The next signal with a handler of its own, its action in @sa; 0: none (left). Stops and dies by itself. */
static int next_handled(struct process *p, struct sigaction *sa, struct siginfo *info)
{
	struct thread_signals *ts = current_signals();

	for (;;) {
		unsigned long flags = spin_lock_irqsave(&p->siglock);
		bool forced = ts->fault.signo;
		int signo;

		if (p->group_exit || (p->group_exec && p->group_exec != current_thread())) {
			spin_unlock_irqrestore(&p->siglock, flags);
			process_thread_exit(p->exit_code);
		}
		if (p->stopping) {
			stop_here(p, flags);
			continue;
		}
		if (forced) {
			*info = ts->fault;
			signo = info->signo;
			ts->fault.signo = 0;
		} else {
			signo = signal_dequeue(~ts->blocked, info);
		}
		if (signo) {
			*sa = p->actions[signo - 1];
			if (sa->handler == SIG_DFL && !(sigmask(signo) & SIG_IGNORED_BY_DEFAULT))
				default_action(p, signo, forced);
			if (sa->handler > SIG_IGN && (sa->flags & SA_RESETHAND))
				p->actions[signo - 1].handler = SIG_DFL;
		}
		signal_recalc(current_thread());
		spin_unlock_irqrestore(&p->siglock, flags);
		if (!signo || sa->handler > SIG_IGN)
			return signo;
	}
}

void signal_deliver(struct trap_frame *tf)
{
	struct thread *t = current_thread();
	struct thread_signals *ts = t->signals;
	struct process *p = t->process;
	struct sigaction sa;
	struct siginfo info;
	int signo;

	ASSERT(irqs_enabled());
	thread_work_clear(t, SIGNAL_WORK_RESUME);
	signo = next_handled(p, &sa, &info);
	if (signo) { /* are there more? Then there is work left, and this is called again */
		restart_for_handler(tf, ts, sa.flags);
		if (call_handler(tf, signo, &sa, &info) < 0)
			frame_failed(p, signo);
	}
	restart_without_handler(tf, ts);
	signal_restore_mask();
}
