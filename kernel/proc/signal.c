/*
 * signal.c - sending: who gets a signal, when it is dropped, when it kills at once.  Layer 10.
 *
 * A deadly signal (default action, not blocked) becomes a group exit at the moment it is sent, so that
 * killable sleeps end; everything else is queued and looked at on the way to ring 3 (sigdeliver.c).
 *
 * Lock order: process_lock (groups only), siglock.
 */
#include "kernel/proc/signal.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "mm/phys/slab.h"

struct sigqueue {
	struct list link;
	struct siginfo info;
};

void thread_work_set(struct thread *t, unsigned bits)
{
	atomic_or(&t->work, bits);
}

void thread_work_clear(struct thread *t, unsigned bits)
{
	if (t->work & bits)
		atomic_and(&t->work, ~bits);
}

const char *signal_name(int signo)
{
	static const char *const names[] = {"0",       "SIGHUP",  "SIGINT",  "SIGQUIT", "SIGILL",  "SIGTRAP",
	                                    "SIGABRT", "SIGBUS",  "SIGFPE",  "SIGKILL", "SIGUSR1", "SIGSEGV",
	                                    "SIGUSR2", "SIGPIPE", "SIGALRM", "SIGTERM"};

	return signo >= 0 && signo < (int)ARRAY_SIZE(names) ? names[signo] : "signal";
}

/* -- the queues ------------------------------------------------------------------------------------------------ */

void sigpending_init(struct sigpending *sp)
{
	sp->set = 0;
	sp->n = 0;
	list_init(&sp->queue);
}

static void drop_set(struct sigpending *sp, sigset_t set)
{
	struct sigqueue *q, *tmp;

	if (!(sp->set & set))
		return;
	sp->set &= ~set;
	list_for_each_entry_safe(q, tmp, &sp->queue, link) {
		if (sigmask(q->info.signo) & set) {
			list_del(&q->link);
			sp->n--;
			kfree(q);
		}
	}
}

void sigpending_flush(struct sigpending *sp)
{
	drop_set(sp, ~0ULL);
}

/* Forget @set in all queues of @p. => siglock */
static void drop_everywhere(struct process *p, sigset_t set)
{
	struct thread *t;

	drop_set(&p->pending, set);
	list_for_each_entry(t, &p->threads, process_link)
		drop_set(&t->signals->pending, set);
}

static void default_info(struct siginfo *info, int signo)
{
	memset(info, 0, sizeof(*info));
	info->signo = signo;
	info->code = SI_KERNEL;
	info->kind = SIGINFO_KILL;
}

static void take(struct sigpending *sp, int signo, struct siginfo *info)
{
	struct sigqueue *q, *tmp, *found = NULL;
	bool more = false;

	list_for_each_entry_safe(q, tmp, &sp->queue, link) {
		if (q->info.signo != signo)
			continue;
		if (found) {
			more = true;
			break;
		}
		found = q;
	}
	if (!more)
		sp->set &= ~sigmask(signo);
	if (!found) {
		default_info(info, signo);
		return;
	}
	*info = found->info;
	list_del(&found->link);
	sp->n--;
	kfree(found);
}

int signal_dequeue(sigset_t set, struct siginfo *info)
{
	struct thread_signals *ts = current_signals();
	struct process *p = current_process();
	struct sigpending *sp = &ts->pending;
	sigset_t ready = sp->set & set;
	int signo;

	ASSERT(spin_held(&p->siglock));
	if (!ready) {
		sp = &p->pending;
		ready = sp->set & set;
	}
	if (!ready)
		return 0;
	signo = (u32)ready ? __builtin_ctz((u32)ready) + 1 : __builtin_ctz((u32)(ready >> 32)) + 33;
	take(sp, signo, info);
	return signo;
}

/* During exec all threads but one only live to leave. */
static bool stays(const struct process *p, const struct thread *t)
{
	return !p->group_exec || p->group_exec == t;
}

void signal_recalc(struct thread *t)
{
	struct thread_signals *ts = t->signals;
	struct process *p = t->process;

	ASSERT(spin_held(&p->siglock));
	if (((ts->pending.set | p->pending.set) & ~ts->blocked) || ts->fault.signo || p->stopping || p->group_exit ||
	    !stays(p, t))
		thread_work_set(t, THREAD_WORK_SIGNAL);
	else
		thread_work_clear(t, THREAD_WORK_SIGNAL);
}

bool signal_pending(struct thread *t)
{
	return READ_ONCE(t->work) & (THREAD_WORK_SIGNAL | THREAD_WORK_KILL);
}

/* -- sending ------------------------------------------------------------------------------------------------------ */

static bool ignored(const struct process *p, int signo)
{
	unsigned long handler = p->actions[signo - 1].handler;

	if (handler == SIG_IGN)
		return true;
	return handler == SIG_DFL && (sigmask(signo) & SIG_IGNORED_BY_DEFAULT || p->is_init);
}

static bool deadly(const struct process *p, int signo)
{
	return p->actions[signo - 1].handler == SIG_DFL && !(sigmask(signo) & (SIG_IGNORED_BY_DEFAULT | SIG_STOPS)) &&
	       !p->is_init;
}

/* SIGCONT and the stop signals cancel each other. => siglock */
static void job_control(struct process *p, int signo)
{
	if (sigmask(signo) & SIG_STOPS) {
		drop_everywhere(p, sigmask(SIGCONT));
	} else if (signo == SIGCONT) {
		drop_everywhere(p, SIG_STOPS);
		if (p->stopping) {
			p->stopping = false;
			p->nr_stopped = 0;
			p->stop_seq++;
			p->stop_report = false;
			p->continue_report = p->tell_continued = true;
			wake_up_all(&p->stop_wait);
		}
	}
}

static bool wants(const struct thread *t, int signo)
{
	sigset_t m = sigmask(signo);

	return !(t->signals->blocked & m) || (t->signals->waiting & m);
}

static struct thread *choose_thread(struct process *p, int signo)
{
	struct thread *t;

	list_for_each_entry(t, &p->threads, process_link)
		if (stays(p, t) && wants(t, signo))
			return t;
	return NULL;
}

void signal_retarget(struct process *p, struct thread *except, sigset_t set)
{
	struct thread *t;

	ASSERT(spin_held(&p->siglock));
	if (likely(!set))
		return;
	list_for_each_entry(t, &p->threads, process_link) {
		sigset_t takes = set & (~t->signals->blocked | t->signals->waiting);

		if (t == except || !takes || !stays(p, t))
			continue;
		if (takes & ~t->signals->blocked)
			thread_work_set(t, THREAD_WORK_SIGNAL);
		thread_wake_signal(t, false);
		set &= ~takes;
	}
}

/* Queue @signo for @p or, if given, for its thread @only. @q: its record, consumed if *used; @exact: not without one.
 * 0, -EAGAIN. => siglock */
static int send_locked(struct process *p, struct thread *only, int signo, struct sigqueue *q, bool exact, bool *used)
{
	struct sigpending *sp = only ? &only->signals->pending : &p->pending;
	struct thread *t;

	ASSERT(spin_held(&p->siglock));
	if (p->group_exit || list_empty(&p->threads))
		return 0;
	job_control(p, signo);
	t = only ? only : list_first_entry(&p->threads, struct thread, process_link);
	if (ignored(p, signo) && !(t->signals->blocked & sigmask(signo)))
		return 0;
	if (signo < SIGRTMIN && (sp->set & sigmask(signo)))
		return 0;
	if (sp->n >= p->rlimits[RLIMIT_SIGPENDING].cur)
		q = NULL;
	if (exact && !q)
		return -EAGAIN;
	sp->set |= sigmask(signo);
	if (q) {
		list_add_tail(&q->link, &sp->queue);
		sp->n++;
		*used = true;
	}
	if (!only)
		t = choose_thread(p, signo);
	if (!t || !wants(t, signo))
		return 0;
	if (t->signals->waiting & sigmask(signo)) {
		thread_wake(t);
	} else if (deadly(p, signo)) {
		process_group_exit_locked(p, signo);
	} else {
		thread_work_set(t, THREAD_WORK_SIGNAL);
		thread_wake_signal(t, false);
	}
	return 0;
}

static int send(struct process *p, struct thread *only, int signo, const struct siginfo *info)
{
	bool exact = info && signo >= SIGRTMIN && info->code < 0, used = false;
	struct sigqueue *q = info ? kmalloc(sizeof(*q), GFP_ATOMIC | GFP_NOWARN) : NULL;
	unsigned long flags;
	int ret;

	ASSERT(signo >= 1 && signo <= NSIG);
	if (q) {
		q->info = *info;
		q->info.signo = signo;
	}
	flags = spin_lock_irqsave(&p->siglock);
	ret = send_locked(p, only, signo, q, exact, &used);
	spin_unlock_irqrestore(&p->siglock, flags);
	if (q && !used)
		kfree(q);
	return ret;
}

int signal_send(struct process *p, int signo, const struct siginfo *info)
{
	return send(p, NULL, signo, info);
}

int signal_send_thread(struct thread *t, int signo, const struct siginfo *info)
{
	return send(t->process, t, signo, info);
}

void signal_send_current(int signo)
{
	struct siginfo info;

	default_info(&info, signo);
	info.code = SI_USER;
	info.pid = current_process()->pid;
	signal_send_thread(current_thread(), signo, &info);
}

int signal_send_where(bool (*meant)(const struct process *p, int arg), int arg, int signo, const struct siginfo *info)
{
	struct process *p;
	int ret = -ESRCH;

	spin_lock(&process_lock);
	list_for_each_entry(p, &process_list, all_link) {
		if (!meant(p, arg))
			continue;
		ret = 0;
		if (!signo)
			continue;
		p->group_signals++;
		signal_send(p, signo, info);
	}
	spin_unlock(&process_lock);
	return ret;
}

static bool in_group(const struct process *p, int pgid)
{
	return p->pgid == pgid;
}

int signal_send_group(int pgid, int signo, const struct siginfo *info)
{
	return signal_send_where(in_group, pgid, signo, info);
}

/* -- exceptions ------------------------------------------------------------------------------------------------------ */

static void force(const struct siginfo *info)
{
	struct thread_signals *ts = current_signals();
	struct process *p = current_process();
	struct sigaction *sa = &p->actions[info->signo - 1];
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	if (sa->handler == SIG_IGN || (ts->blocked & sigmask(info->signo))) {
		sa->handler = SIG_DFL;
		ts->blocked &= ~sigmask(info->signo);
	}
	ts->fault = *info;
	thread_work_set(current_thread(), THREAD_WORK_SIGNAL);
	spin_unlock_irqrestore(&p->siglock, flags);
}

void signal_force_fault(int signo, int code, vaddr_t addr, u32 trapno, u32 error_code)
{
	struct siginfo info;

	memset(&info, 0, sizeof(info));
	info.signo = signo;
	info.code = code;
	info.kind = SIGINFO_FAULT;
	info.addr = addr;
	info.trapno = trapno;
	info.error_code = error_code;
	force(&info);
}

void signal_force(int signo)
{
	struct siginfo info;

	default_info(&info, signo);
	force(&info);
}

bool signal_blocked_or_ignored(int signo)
{
	return (current_signals()->blocked & sigmask(signo)) || current_process()->actions[signo - 1].handler == SIG_IGN;
}

/* -- masks and dispositions --------------------------------------------------------------------------------------------- */

void signal_set_mask(sigset_t mask)
{
	struct thread_signals *ts = current_signals();
	struct process *p = current_process();
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	sigset_t was = ts->blocked;

	ts->blocked = mask & ~SIG_UNBLOCKABLE;
	/* The process's signals that came for us, and that we now will not take, are somebody else's. */
	signal_retarget(p, current_thread(), p->pending.set & ts->blocked & ~was);
	signal_recalc(current_thread());
	spin_unlock_irqrestore(&p->siglock, flags);
}

void signal_set_temporary_mask(sigset_t mask)
{
	struct thread_signals *ts = current_signals();

	ts->saved_mask = ts->blocked;
	ts->restore_mask = true;
	thread_work_set(current_thread(), SIGNAL_WORK_RESUME);
	signal_set_mask(mask);
}

void signal_restore_mask(void)
{
	struct thread_signals *ts = current_signals();

	if (!ts->restore_mask)
		return;
	ts->restore_mask = false;
	signal_set_mask(ts->saved_mask);
}

void signal_default_handlers(struct process *p)
{
	for (int i = 0; i < NSIG; i++) {
		struct sigaction *sa = &p->actions[i];

		if (sa->handler != SIG_IGN)
			sa->handler = SIG_DFL;
		sa->flags = 0;
		sa->mask = 0;
		sa->restorer = 0;
	}
}

void signal_exec(struct process *p)
{
	struct thread_signals *ts = current_signals();
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	signal_default_handlers(p);
	ts->altstack_sp = 0;
	ts->altstack_size = 0;
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* Install an action; whatever it ignores is no longer pending. => siglock not held */
void signal_action_set(struct process *p, int signo, const struct sigaction *new, struct sigaction *old)
{
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	struct sigaction *sa = &p->actions[signo - 1];

	*old = *sa;
	if (new) {
		*sa = *new;
		sa->mask &= ~SIG_UNBLOCKABLE;
		if (sa->handler == SIG_IGN || (sa->handler == SIG_DFL && (sigmask(signo) & SIG_IGNORED_BY_DEFAULT)))
			drop_everywhere(p, sigmask(signo));
	}
	spin_unlock_irqrestore(&p->siglock, flags);
}
