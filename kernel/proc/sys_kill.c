/*
 * sys_kill.c - the system calls that send signals.  Layer 10.  Everybody is root: no permission checks, but
 * process 1 gets nothing it has no handler for.
 */
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"

static void from_user(struct siginfo *info, int signo, int code)
{
	memset(info, 0, sizeof(*info));
	info->signo = signo;
	info->code = code;
	info->kind = SIGINFO_KILL;
	info->pid = current_process()->pid;
	info->uid = current_process()->uid;
}

/* @signo 0: only look. */
static int kill_process(int pid, int signo, const struct siginfo *info)
{
	struct process *p = process_find(pid);
	int ret = 0;

	if (!p)
		return -ESRCH;
	if (signo)
		ret = signal_send(p, signo, info);
	process_put(p);
	return ret;
}

/* kill(-1): everybody but init and the caller. */
static bool is_another(const struct process *p, int unused)
{
	return !p->is_init && p != current_process();
}

long sys_kill(int pid, int signo)
{
	struct siginfo info;

	if (signo < 0 || signo > NSIG)
		return -EINVAL;
	from_user(&info, signo, SI_USER);
	if (pid > 0)
		return kill_process(pid, signo, &info);
	if (pid == -1)
		return signal_send_where(is_another, 0, signo, &info);
	if (pid == (int)0x80000000)
		return -ESRCH;
	return signal_send_group(pid ? -pid : current_process()->pgid, signo, &info);
}

/* @pid 0: whatever process the thread is in. */
static int kill_thread(int pid, int tid, int signo, const struct siginfo *info)
{
	struct thread *t;
	int ret = -ESRCH;

	if (tid <= 0 || signo < 0 || signo > NSIG)
		return -EINVAL;
	spin_lock(&process_lock);
	t = thread_find_locked(tid);
	if (t && (!pid || t->process->pid == pid))
		ret = signo ? signal_send_thread(t, signo, info) : 0;
	spin_unlock(&process_lock);
	return ret;
}

long sys_tkill(int tid, int signo)
{
	struct siginfo info;

	from_user(&info, signo, SI_TKILL);
	return kill_thread(0, tid, signo, &info);
}

long sys_tgkill(int pid, int tid, int signo)
{
	struct siginfo info;

	if (pid <= 0)
		return -EINVAL;
	from_user(&info, signo, SI_TKILL);
	return kill_thread(pid, tid, signo, &info);
}

/* The sender's own story: it may not claim to be the kernel or kill(2), unless it sends to itself. */
static int info_from_user(struct siginfo *info, const void *user, int pid)
{
	u8 raw[ABI_SIGINFO_SIZE] __aligned(8);

	if (copy_from_user(raw, user, sizeof(raw)))
		return -EFAULT;
	abi_siginfo_from_user(info, raw);
	if ((info->code >= 0 || info->code == SI_TKILL) && pid != current_process()->pid)
		return -EPERM;
	return 0;
}

long sys_rt_sigqueueinfo(int pid, int signo, const void *user)
{
	struct siginfo info;
	int err = info_from_user(&info, user, pid);

	if (err)
		return err;
	if (signo < 0 || signo > NSIG)
		return -EINVAL;
	return kill_process(pid, signo, &info);
}

long sys_rt_tgsigqueueinfo(int pid, int tid, int signo, const void *user)
{
	struct siginfo info;
	int err = info_from_user(&info, user, pid);

	if (err)
		return err;
	if (pid <= 0)
		return -EINVAL;
	return kill_thread(pid, tid, signo, &info);
}
