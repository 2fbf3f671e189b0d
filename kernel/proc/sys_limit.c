/*
 * sys_limit.c - resource limits and usage.  Layer 10.  Only NOFILE (descriptors) is enforced so far.
 */
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/proc/timespec.h"
#include "kernel/proc/usage.h"

#define RUSAGE_SELF 0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD 1
#define LONG_INFINITY (~0UL)

/* -- limits ------------------------------------------------------------------------------------------------------- */

static u64 widen(unsigned long v)
{
	return v == LONG_INFINITY ? RLIM_INFINITY : v;
}

static unsigned long narrow(u64 v)
{
	return v >= LONG_INFINITY ? LONG_INFINITY : (unsigned long)v;
}

/* Two numbers that belong together: siglock. */
static struct rlimit limit_get(struct process *p, unsigned resource)
{
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	struct rlimit lim = p->rlimits[resource];

	spin_unlock_irqrestore(&p->siglock, flags);
	return lim;
}

static int limit_set(struct process *p, unsigned resource, u64 cur, u64 max)
{
	unsigned long flags;

	if (resource >= RLIM_NLIMITS || cur > max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && max > 65536)
		return -EPERM;
	flags = spin_lock_irqsave(&p->siglock);
	p->rlimits[resource] = (struct rlimit){cur, max};
	spin_unlock_irqrestore(&p->siglock, flags);
	return 0;
}

long sys_getrlimit(unsigned resource, struct abi_rlimit *user)
{
	struct abi_rlimit lim;
	struct rlimit now;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	now = limit_get(current_process(), resource);
	lim.rlim_cur = narrow(now.cur);
	lim.rlim_max = narrow(now.max);
	return copy_to_user(user, &lim, sizeof(lim));
}

/* i386's first getrlimit: infinity is the largest positive number. */
long sys_old_getrlimit(unsigned resource, struct abi_rlimit *user)
{
	struct abi_rlimit lim;
	struct rlimit now;

	if (resource >= RLIM_NLIMITS)
		return -EINVAL;
	now = limit_get(current_process(), resource);
	lim.rlim_cur = (unsigned long)min(now.cur, (u64)(LONG_INFINITY >> 1));
	lim.rlim_max = (unsigned long)min(now.max, (u64)(LONG_INFINITY >> 1));
	return copy_to_user(user, &lim, sizeof(lim));
}

long sys_setrlimit(unsigned resource, const struct abi_rlimit *user)
{
	struct abi_rlimit lim;

	if (get_user(lim, user))
		return -EFAULT;
	return limit_set(current_process(), resource, widen(lim.rlim_cur), widen(lim.rlim_max));
}

long sys_prlimit64(int pid, unsigned resource, const struct abi_rlimit64 *new, struct abi_rlimit64 *old)
{
	struct process *p = process_find(pid ? pid : current_process()->pid);
	struct abi_rlimit64 lim, was;
	struct rlimit now;
	int err = 0;

	if (!p)
		return -ESRCH;
	if (resource >= RLIM_NLIMITS)
		err = -EINVAL;
	else if (new &&get_user(lim, new))
		err = -EFAULT;
	if (!err) {
		now = limit_get(p, resource);
		was = (struct abi_rlimit64){now.cur, now.max};
		if (new)
			err = limit_set(p, resource, lim.rlim_cur, lim.rlim_max);
	}
	process_put(p);
	if (!err && old)
		err = copy_to_user(old, &was, sizeof(was));
	return err;
}

/* -- usage ----------------------------------------------------------------------------------------------------------- */

int usage_to_user(struct abi_rusage *user, const struct usage *u)
{
	struct abi_rusage ru;

	memset(&ru, 0, sizeof(ru));
	ru.ru_utime = timeval_of(u->utime);
	ru.ru_stime = timeval_of(u->stime);
	ru.ru_maxrss = (long)(u->maxrss * (PAGE_SIZE / 1024));
	ru.ru_minflt = (long)u->minflt;
	ru.ru_majflt = (long)u->majflt;
	ru.ru_nvcsw = (long)u->nvcsw;
	ru.ru_nivcsw = (long)u->nivcsw;
	return copy_to_user(user, &ru, sizeof(ru));
}

static void usage_self(struct process *p, struct usage *u)
{
	struct thread *t;
	unsigned long flags;

	process_times(p, &u->utime, &u->stime);
	u->minflt = p->minflt + p->mm->minor_faults;
	u->majflt = p->majflt + p->mm->major_faults;
	u->maxrss = max(p->maxrss, (u64)p->mm->pt.nr_pages);
	flags = spin_lock_irqsave(&p->siglock);
	u->nvcsw = p->nvcsw;
	u->nivcsw = p->nivcsw;
	list_for_each_entry(t, &p->threads, process_link) {
		u->nvcsw += t->switches;
		u->nivcsw += t->preempted;
	}
	spin_unlock_irqrestore(&p->siglock, flags);
}

long sys_getrusage(int who, struct abi_rusage *ru)
{
	struct process *p = current_process();
	struct usage u;

	memset(&u, 0, sizeof(u));
	if (who == RUSAGE_SELF) {
		usage_self(p, &u);
	} else if (who == RUSAGE_THREAD) {
		usage_self(p, &u);
		thread_times(current_thread(), &u.utime, &u.stime);
	} else if (who == RUSAGE_CHILDREN) {
		u.utime = p->cutime;
		u.stime = p->cstime;
		u.minflt = p->cminflt;
		u.majflt = p->cmajflt;
	} else {
		return -EINVAL;
	}
	return usage_to_user(ru, &u);
}

long sys_times(struct abi_tms *user)
{
	struct process *p = current_process();
	struct abi_tms t;
	u64 utime, stime;

	process_times(p, &utime, &stime);
	t.tms_utime = (long)(utime / 10000000);
	t.tms_stime = (long)(stime / 10000000);
	t.tms_cutime = (long)(p->cutime / 10000000);
	t.tms_cstime = (long)(p->cstime / 10000000);
	if (user && copy_to_user(user, &t, sizeof(t)))
		return -EFAULT;
	return (long)(clock_ns() / 10000000);
}
