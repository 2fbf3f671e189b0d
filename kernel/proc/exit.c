/*
 * exit.c - threads and processes leave; children are waited for.  Layer 10.
 *
 *   alive --last thread leaves--> zombie --wait4, or the parent does not care--> dead (record freed by refs)
 *
 * Lock order: process_lock, siglock.  The address space and files go before the process becomes a zombie.
 */
#include <arch/uaccess.h>
#include "kernel/fs/vfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/tty_file.h"
#include "kernel/proc/process.h"
#include "kernel/proc/wait.h"
#include "mm/phys/slab.h"

int init_exit_status;
void (*machine_stop_hook)(enum machine_stop why, int status);

void machine_stop(enum machine_stop why, int status)
{
	if (machine_stop_hook)
		machine_stop_hook(why, status);
	vfs_sync();
	if (why == MACHINE_RESTART)
		cpu_reboot();
	if (why == MACHINE_INIT_EXITED)
		cpu_exit(status ? EXIT_FAIL : EXIT_PASS);
	cpu_poweroff();
}

/* -- leaving as a group ------------------------------------------------------------------------------------------ */

void process_group_exit_locked(struct process *p, int code)
{
	struct thread *t;

	ASSERT(spin_held(&p->siglock));
	if (p->group_exit)
		return;
	p->group_exit = true;
	p->exit_code = code;
	p->stopping = false;
	list_for_each_entry(t, &p->threads, process_link) {
		thread_work_set(t, THREAD_WORK_SIGNAL | THREAD_WORK_KILL);
		thread_wake_signal(t, true);
	}
	wake_up_all(&p->stop_wait);
}

void process_group_exit(struct process *p, int code)
{
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	process_group_exit_locked(p, code);
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* -- telling the parent --------------------------------------------------------------------------------------------- */

void process_times(struct process *p, u64 *utime, u64 *stime)
{
	struct thread *t;
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	*utime = p->utime;
	*stime = p->stime;
	list_for_each_entry(t, &p->threads, process_link) {
		u64 user, system;

		thread_times(t, &user, &system);
		*utime += user;
		*stime += system;
	}
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* SIGCHLD's story: how @p ended (a wait status) or stopped. */
static void child_info(struct process *p, int code, int status, struct siginfo *info)
{
	u64 utime, stime;

	process_times(p, &utime, &stime);
	memset(info, 0, sizeof(*info));
	info->signo = SIGCHLD;
	info->kind = SIGINFO_CHILD;
	info->code = code;
	info->pid = p->pid;
	info->uid = p->uid;
	info->status = status;
	info->utime = (long)(utime / 10000000);
	info->stime = (long)(stime / 10000000);
}

void process_notify_parent_locked(struct process *p, int code, int status)
{
	struct process *parent = p->parent;
	struct siginfo info;
	int signo = code <= CLD_DUMPED ? p->exit_signal : SIGCHLD;
	bool stop = code > CLD_DUMPED;

	ASSERT(spin_held(&process_lock));
	if (!parent)
		return;
	if (signo && !(stop && (READ_ONCE(parent->actions[SIGCHLD - 1].flags) & SA_NOCLDSTOP))) {
		child_info(p, code, status, &info);
		info.signo = signo;
		signal_send(parent, signo, &info);
	}
	wake_up_all(&parent->child_wait);
}

/* -- the end of a process ---------------------------------------------------------------------------------------------- */

static bool parent_ignores(const struct process *p)
{
	const struct sigaction *sa = &p->parent->actions[SIGCHLD - 1];

	return p->exit_signal == SIGCHLD && (READ_ONCE(sa->handler) == SIG_IGN || (READ_ONCE(sa->flags) & SA_NOCLDWAIT));
}

/* Out of the tree; the table's reference is the caller's to put. => process_lock */
static void release_locked(struct process *p)
{
	ASSERT(p->state == PROCESS_ZOMBIE);
	id_free_locked(p->pid);
	p->state = PROCESS_DEAD;
	list_del_init(&p->sibling);
	list_del_init(&p->hash_link);
	list_del_init(&p->all_link);
	p->parent = NULL;
}

static int exit_cause(int status)
{
	return status & 0x7f ? CLD_KILLED : CLD_EXITED;
}

static int exit_value(int status)
{
	return status & 0x7f ? status & 0x7f : (status >> 8) & 0xff;
}

/* Children go to process 1; zombies among them are its to reap. => process_lock */
static void give_children_away(struct process *p)
{
	struct process *c, *tmp;

	list_for_each_entry_safe(c, tmp, &p->children, sibling) {
		c->parent = init_process;
		c->exit_signal = SIGCHLD;
		list_move_tail(&c->sibling, &init_process->children);
		if (c->state == PROCESS_ZOMBIE)
			process_notify_parent_locked(c, exit_cause(c->exit_code), exit_value(c->exit_code));
	}
}

/* The parent, who may reap it at once, needs process_lock: what comes after is done with @p as with any reference. */
static void become_zombie(struct process *p)
{
	bool gone;

	spin_lock(&process_lock);
	give_children_away(p);
	p->state = PROCESS_ZOMBIE;
	gone = !p->parent || parent_ignores(p);
	process_notify_parent_locked(p, exit_cause(p->exit_code), exit_value(p->exit_code));
	if (gone)
		release_locked(p);
	spin_unlock(&process_lock);
	if (gone)
		process_put(p);
}

/* What a process owns, except its record. => by its last thread, which has left the address space */
static void release_resources(struct process *p)
{
	struct files *files = p->files;
	struct mm *mm;

	timer_cancel(&p->real_timer);
	spin_lock(&p->fs_lock);
	mm = p->mm;
	p->mm = NULL;
	p->files = NULL;
	spin_unlock(&p->fs_lock);
	if (mm) {
		p->maxrss = max(p->maxrss, (u64)mm->pt.nr_pages);
		p->minflt += mm->minor_faults;
		p->majflt += mm->major_faults;
		mm_put(mm);
	}
	if (files)
		files_put(files);
	tty_disassociate(p);
	process_cwd_set(p, NULL);
	sigpending_flush(&p->pending);
}

void process_vfork_done(struct process *p)
{
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	if (p->vfork_done)
		complete(p->vfork_done);
	p->vfork_done = NULL;
	spin_unlock_irqrestore(&p->siglock, flags);
}

/* Memory that goes with this thread has no readers: fork's children are spared the copy of a page. */
static void clear_child_tid(struct thread_signals *ts)
{
	int *uaddr = ts->clear_child_tid;
	struct process *p = current_process();

	ts->clear_child_tid = NULL;
	if (!uaddr || (READ_ONCE(p->nr_threads) == 1 && atomic_read(&p->mm->users) == 1))
		return;
	if (put_user(0, uaddr) == 0)
		futex_wake_user(uaddr, 1);
}

void thread_leave_memory(struct thread_signals *ts)
{
	futex_exit_robust(ts);
	clear_child_tid(ts);
}

/* Off the lists, times added up; true if it was the last thread. */
static bool leave_group(struct process *p, struct thread *t, int code)
{
	struct thread_signals *ts = t->signals;
	unsigned long flags;
	bool last, all_stopped;

	spin_lock(&process_lock);
	thread_unhash(t);
	if (t->tid != p->pid) /* that number is the process's until it is reaped */
		id_free_locked(t->tid);
	flags = spin_lock_irqsave(&p->siglock);
	list_del_init(&t->process_link);
	last = --p->nr_threads == 0;
	signal_retarget(p, t, p->pending.set & ~ts->blocked);
	if (last && !p->group_exit) {
		p->group_exit = true;
		p->exit_code = code;
	}
	p->utime += t->utime;
	p->stime += t->stime;
	p->nvcsw += t->switches;
	p->nivcsw += t->preempted;
	sigpending_flush(&ts->pending);
	all_stopped = p->stopping && !last && p->nr_stopped == p->nr_threads; /* they waited for us alone */
	if (all_stopped)
		p->stop_report = true;
	wake_up_all(&p->stop_wait);
	spin_unlock_irqrestore(&p->siglock, flags);
	if (all_stopped)
		process_notify_parent_locked(p, CLD_STOPPED, p->stop_signal);
	spin_unlock(&process_lock);
	return last;
}

__noreturn void process_thread_exit(int code)
{
	struct thread *t = current_thread();
	struct thread_signals *ts = t->signals;
	struct process *p = t->process;
	bool last;

	lock_assert_none_held("exit");
	thread_leave_memory(ts);
	thread_set_pgtable(NULL);
	last = leave_group(p, t, code);
	if (last) {
		process_vfork_done(p);
		release_resources(p);
	}
	if (last && p->is_init) {
		init_exit_status = p->exit_code;
		machine_stop(MACHINE_INIT_EXITED, p->exit_code);
	}
	t->signals = NULL;
	t->process = NULL;
	kfree(ts);
	if (last)
		become_zombie(p);
	process_put(p);
	thread_exit();
}

/* -- waiting ------------------------------------------------------------------------------------------------------------ */

static bool selected(const struct process *c, const struct wait_request *w)
{
	bool other = c->exit_signal != SIGCHLD;

	if (!(w->options & WAIT_ALL) && other != !!(w->options & WAIT_CLONE))
		return false;
	switch (w->by) {
	case WAIT_BY_PID:
		return c->pid == w->id;
	case WAIT_BY_GROUP:
		return c->pgid == w->id;
	default:
		return true;
	}
}

static void child_rusage(struct process *c, struct wait_request *w)
{
	process_times(c, &w->usage.utime, &w->usage.stime);
	w->usage.utime += c->cutime;
	w->usage.stime += c->cstime;
	w->usage.minflt = c->minflt + c->cminflt;
	w->usage.majflt = c->majflt + c->cmajflt;
	w->usage.maxrss = c->maxrss;
	w->usage.nvcsw = c->nvcsw;
	w->usage.nivcsw = c->nivcsw;
}

static void add_child_usage(struct process *p, const struct wait_request *w)
{
	p->cutime += w->usage.utime;
	p->cstime += w->usage.stime;
	p->cminflt += w->usage.minflt;
	p->cmajflt += w->usage.majflt;
}

static void answer(struct process *c, struct wait_request *w, int status, int code, int value)
{
	w->status = status;
	w->code = code;
	w->value = value;
	w->pid = c->pid;
	w->uid = c->uid;
	child_rusage(c, w);
}

/* Has child @c something to tell? Fills the answer and, unless it is only to look, takes it from @c. => process_lock */
static bool tells(struct process *c, struct wait_request *w)
{
	bool stopped, continued, keep = w->options & WNOWAIT;
	unsigned long flags;

	if (c->state == PROCESS_ZOMBIE) {
		if (w->options & WEXITED)
			answer(c, w, c->exit_code, exit_cause(c->exit_code), exit_value(c->exit_code));
		return w->options & WEXITED;
	}
	flags = spin_lock_irqsave(&c->siglock);
	stopped = c->stop_report && (w->options & WSTOPPED);
	continued = !stopped && c->continue_report && (w->options & WCONTINUED);
	if ((stopped || continued) && !keep)
		c->stop_report = c->continue_report = false;
	spin_unlock_irqrestore(&c->siglock, flags);
	if (stopped)
		answer(c, w, c->stop_signal << 8 | 0x7f, CLD_STOPPED, c->stop_signal);
	else if (continued)
		answer(c, w, 0xffff, CLD_CONTINUED, SIGCONT);
	return stopped || continued;
}

/* One look at the children: true if the wait is over (w->error, w->pid). */
static bool wait_look(struct process *p, struct wait_request *w)
{
	struct process *c, *dead = NULL;
	bool any = false;

	w->error = 0;
	w->pid = 0;
	spin_lock(&process_lock);
	list_for_each_entry(c, &p->children, sibling) {
		if (!selected(c, w))
			continue;
		any = true;
		if (!tells(c, w))
			continue;
		if (c->state == PROCESS_ZOMBIE && !(w->options & WNOWAIT)) {
			add_child_usage(p, w);
			release_locked(c);
			dead = c;
		}
		break;
	}
	spin_unlock(&process_lock);
	if (dead)
		process_put(dead);
	if (!any)
		w->error = -ECHILD;
	return w->pid || w->error || (w->options & WNOHANG);
}

int process_wait(struct wait_request *w)
{
	struct process *p = current_process();

	if (wait_event_interruptible(&p->child_wait, wait_look(p, w)) < 0)
		return -ERESTARTSYS;
	return w->error ? w->error : w->pid;
}
