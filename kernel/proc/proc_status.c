/*
 * proc_status.c - /proc/<pid>/stat, statm and status, in Linux's formats.  Layer 10.
 */
#include "kernel/fs/procfs.h"
#include "kernel/lib/string.h"
#include "kernel/proc/proc_pid.h"
#include "kernel/proc/process.h"
#include "mm/service/usage.h"

#define TICK_NS 10000000 /* 1/100 s */
#define KIB(pages) ((unsigned long)(pages) * (PAGE_SIZE / 1024))

/* What the three files print, taken in one go. */
struct snapshot {
	struct process *p; /* reference */
	struct mm *mm;     /* reference, or NULL */
	char state;
	int ppid, threads;
	u64 utime, stime, cutime, cstime;
	sigset_t pending, shared, blocked, ignored, caught;
	unsigned long nvcsw, nivcsw;
	unsigned long total, rss, swap, tables, data, stack, text, locked;
};

static char state_letter(const struct process *p, const struct thread *t)
{
	if (p->state != PROCESS_ALIVE)
		return 'Z';
	if (p->nr_stopped && p->nr_stopped == p->nr_threads)
		return 'T';
	if (!t)
		return 'X';
	return t->state == THREAD_RUNNING ? 'R' : t->state == THREAD_UNINTERRUPTIBLE ? 'D' : 'S';
}

static void take_signals(struct process *p, struct snapshot *s)
{
	struct thread *t, *first = NULL;
	unsigned long flags = spin_lock_irqsave(&p->siglock);

	list_for_each_entry(t, &p->threads, process_link) {
		if (!first || t->state == THREAD_RUNNING)
			first = t;
		s->nvcsw += t->switches;
		s->nivcsw += t->preempted;
		if (t->tid == p->pid) {
			s->pending = t->signals->pending.set;
			s->blocked = t->signals->blocked;
		}
	}
	for (int i = 1; i <= NSIG; i++) {
		if (p->actions[i - 1].handler == SIG_IGN)
			s->ignored |= sigmask(i);
		else if (p->actions[i - 1].handler != SIG_DFL)
			s->caught |= sigmask(i);
	}
	s->shared = p->pending.set;
	s->threads = p->nr_threads;
	s->state = state_letter(p, first);
	spin_unlock_irqrestore(&p->siglock, flags);
}

static void take_memory(struct mm *mm, struct snapshot *s)
{
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	s->total = mm->total_pages;
	s->rss = mm->pt.nr_pages;
	s->tables = mm->pt.nr_tables;
	s->swap = mm->pt.nr_swap;
	s->locked = mm->locked_pages;
	for (vma = vma_first(mm); vma; vma = vma_next(vma)) {
		unsigned long pages = (vma->end - vma->start) >> PAGE_SHIFT;

		if (vma->name && !strcmp(vma->name, "[stack]"))
			s->stack += pages;
		else if ((vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
			s->data += pages;
		else if ((vma->flags & (VM_EXEC | VM_WRITE)) == VM_EXEC)
			s->text += pages;
	}
	rwsem_read_unlock(&mm->lock);
}

static bool take(int pid, struct snapshot *s)
{
	struct process *p = process_find(pid);

	memset(s, 0, sizeof(*s));
	if (!p)
		return false;
	s->p = p;
	s->nvcsw = p->nvcsw;
	s->nivcsw = p->nivcsw;
	spin_lock(&process_lock);
	s->ppid = p->parent ? p->parent->pid : 0;
	s->cutime = p->cutime;
	s->cstime = p->cstime;
	spin_unlock(&process_lock);
	take_signals(p, s);
	process_times(p, &s->utime, &s->stime);
	s->mm = process_mm_get(p);
	if (s->mm)
		take_memory(s->mm, s);
	return true;
}

static void release(struct snapshot *s)
{
	if (s->mm)
		mm_put(s->mm);
	process_put(s->p);
}

int proc_pid_stat(struct proc_buf *b, int pid)
{
	struct snapshot s;
	struct process *p;
	struct mm *mm;

	if (!take(pid, &s))
		return -ESRCH;
	p = s.p;
	mm = s.mm;
	proc_printf(b, "%d (%s) %c %d %d %d %d -1 4194304 %llu %llu %llu %llu ", p->pid, p->comm, s.state, s.ppid, p->pgid,
	            p->sid, p->has_tty ? 0x501 : 0, (unsigned long long)(p->minflt + (mm ? mm->minor_faults : 0)),
	            (unsigned long long)p->cminflt, (unsigned long long)(p->majflt + (mm ? mm->major_faults : 0)),
	            (unsigned long long)p->cmajflt);
	proc_printf(b, "%llu %llu %llu %llu 20 0 %d 0 %llu %lu %lu %lu ", (unsigned long long)(s.utime / TICK_NS),
	            (unsigned long long)(s.stime / TICK_NS), (unsigned long long)(s.cutime / TICK_NS),
	            (unsigned long long)(s.cstime / TICK_NS), s.threads, (unsigned long long)(p->start_ns / TICK_NS),
	            s.total << PAGE_SHIFT, s.rss, ~0UL);
	proc_printf(b, "0 0 %lu 0 0 %lu %lu %lu %lu 0 0 0 17 0 0 0 0 0 0 0 0 %lu %lu %lu %lu %lu %d\n",
	            mm ? mm->stack_top : 0, (unsigned long)(s.pending & 0x7fffffff),
	            (unsigned long)(s.blocked & 0x7fffffff), (unsigned long)(s.ignored & 0x7fffffff),
	            (unsigned long)(s.caught & 0x7fffffff), mm ? mm->brk_start : 0, mm ? mm->arg_start : 0,
	            mm ? mm->arg_end : 0, mm ? mm->env_start : 0, mm ? mm->env_end : 0, p->exit_code);
	release(&s);
	return 0;
}

int proc_pid_statm(struct proc_buf *b, int pid)
{
	struct snapshot s;

	if (!take(pid, &s))
		return -ESRCH;
	proc_printf(b, "%lu %lu 0 %lu 0 %lu 0\n", s.total, s.rss, s.text, s.data + s.stack);
	release(&s);
	return 0;
}

static const char *state_word(char letter)
{
	switch (letter) {
	case 'R':
		return "R (running)";
	case 'T':
		return "T (stopped)";
	case 'Z':
		return "Z (zombie)";
	case 'D':
		return "D (disk sleep)";
	default:
		return "S (sleeping)";
	}
}

/* What is in memory, by kind. */
static struct vma_usage usage_of(struct mm *mm)
{
	struct vma_usage u = {.rss = 0};

	rwsem_read_lock(&mm->lock);
	for (struct vma *vma = vma_first(mm); vma; vma = vma_next(vma))
		vma_usage(vma, &u);
	rwsem_read_unlock(&mm->lock);
	return u;
}

static void print_memory(struct proc_buf *b, const struct snapshot *s)
{
	struct vma_usage u = usage_of(s->mm);

	proc_printf(b, "VmPeak:\t%8lu kB\nVmSize:\t%8lu kB\nVmLck:\t%8lu kB\nVmPin:\t%8u kB\nVmHWM:\t%8lu kB\n",
	            KIB(s->total), KIB(s->total), KIB(s->locked), 0, KIB(max(s->p->maxrss, (u64)s->rss)));
	proc_printf(b, "VmRSS:\t%8lu kB\n", KIB(s->rss));
	proc_printf(b, "RssAnon:\t%8lu kB\nRssFile:\t%8lu kB\nRssShmem:\t%8lu kB\n", KIB(u.anonymous), KIB(u.file),
	            KIB(u.shmem));
	proc_printf(b, "VmData:\t%8lu kB\nVmStk:\t%8lu kB\nVmExe:\t%8lu kB\nVmLib:\t%8u kB\n", KIB(s->data), KIB(s->stack),
	            KIB(s->text), 0);
	proc_printf(b, "VmPTE:\t%8lu kB\nVmSwap:\t%8lu kB\n", KIB(s->tables), KIB(s->swap));
}

int proc_pid_status(struct proc_buf *b, int pid)
{
	struct snapshot s;
	struct process *p;

	if (!take(pid, &s))
		return -ESRCH;
	p = s.p;
	proc_printf(b, "Name:\t%s\nUmask:\t%04o\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n",
	            p->comm, p->umask, state_word(s.state), p->pid, p->pid, s.ppid);
	proc_printf(b, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\nFDSize:\t64\nGroups:\t \n", p->uid, p->euid, p->suid,
	            p->euid, p->gid, p->egid, p->sgid, p->egid);
	if (s.mm)
		print_memory(b, &s);
	proc_printf(b, "Threads:\t%d\nSigQ:\t0/1024\nSigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\n", s.threads,
	            (unsigned long long)s.pending, (unsigned long long)s.shared, (unsigned long long)s.blocked);
	proc_printf(b, "SigIgn:\t%016llx\nSigCgt:\t%016llx\n", (unsigned long long)s.ignored, (unsigned long long)s.caught);
	proc_printf(b, "Cpus_allowed:\t1\nvoluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", s.nvcsw,
	            s.nivcsw);
	release(&s);
	return 0;
}
