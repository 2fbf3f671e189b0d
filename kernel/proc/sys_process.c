/*
 * sys_process.c - exit and wait.  Layer 10.  (fork.c and exec.c hold the other two.)
 */
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/proc/usage.h"
#include "kernel/proc/wait.h"

#define P_ALL 0
#define P_PID 1
#define P_PGID 2

long sys_exit(int status)
{
	process_thread_exit((status & 0xff) << 8);
}

long sys_exit_group(int status)
{
	process_group_exit(current_process(), (status & 0xff) << 8);
	process_thread_exit(current_process()->exit_code);
}

/* wait4's way of naming children. */
static void select_by_pid(struct wait_request *w, int pid)
{
	w->by = pid == -1 ? WAIT_BY_ANY : pid > 0 ? WAIT_BY_PID : WAIT_BY_GROUP;
	w->id = pid > 0 ? pid : pid == 0 ? current_process()->pgid : -pid;
}

long sys_wait4(int pid, int *status, int options, struct abi_rusage *ru)
{
	struct wait_request w;
	int got;

	if ((unsigned)options & ~(WNOHANG | WUNTRACED | WCONTINUED | WAIT_NOTHREAD | WAIT_ALL | WAIT_CLONE))
		return -EINVAL;
	if (pid == (int)0x80000000)
		return -ESRCH;
	memset(&w, 0, sizeof(w));
	select_by_pid(&w, pid);
	w.options = (unsigned)options | WEXITED;
	got = process_wait(&w);
	if (got <= 0)
		return got;
	if (status && put_user(w.status, status))
		return -EFAULT;
	if (ru && usage_to_user(ru, &w.usage))
		return -EFAULT;
	return got;
}

long sys_waitpid(int pid, int *status, int options)
{
	return sys_wait4(pid, status, options, NULL);
}

static int select_by_type(struct wait_request *w, int which, int id)
{
	w->id = id;
	switch (which) {
	case P_ALL:
		w->by = WAIT_BY_ANY;
		return 0;
	case P_PID:
		w->by = WAIT_BY_PID;
		return id > 0 ? 0 : -EINVAL;
	case P_PGID:
		w->by = WAIT_BY_GROUP;
		if (!id)
			w->id = current_process()->pgid;
		return id >= 0 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int wait_info_to_user(void *user, const struct wait_request *w, bool found)
{
	u8 raw[ABI_SIGINFO_SIZE] __aligned(8);
	struct siginfo info;

	memset(raw, 0, sizeof(raw));
	memset(&info, 0, sizeof(info));
	if (found) {
		info.signo = SIGCHLD;
		info.kind = SIGINFO_CHILD;
		info.code = w->code;
		info.pid = w->pid;
		info.uid = w->uid;
		info.status = w->value;
		abi_fill_siginfo(raw, &info);
	}
	return copy_to_user(user, raw, sizeof(raw));
}

long sys_waitid(int which, int id, void *info, int options, struct abi_rusage *ru)
{
	const unsigned known = WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED;
	struct wait_request w;
	int err, got;

	if (((unsigned)options & ~(known | WAIT_NOTHREAD | WAIT_ALL | WAIT_CLONE)) ||
	    !(options & (WEXITED | WSTOPPED | WCONTINUED)))
		return -EINVAL;
	memset(&w, 0, sizeof(w));
	err = select_by_type(&w, which, id);
	if (err)
		return err;
	w.options = (unsigned)options;
	got = process_wait(&w);
	if (got < 0)
		return got;
	if (got && ru && usage_to_user(ru, &w.usage))
		return -EFAULT;
	return info ? wait_info_to_user(info, &w, got > 0) : 0;
}
