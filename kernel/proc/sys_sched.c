/*
 * sys_sched.c - what a program may say about its threads: yield, affinity, priorities (accepted, unused), names,
 * thread-local storage, robust lists, membarrier.  Layer 10.
 */
#include <arch/context.h>
#include <arch/smp.h>
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"

long sys_sched_yield(void)
{
	thread_yield();
	return 0;
}

/* Is there such a process or thread? 0: current. */
static bool id_exists(int id)
{
	bool found;

	if (!id)
		return true;
	spin_lock(&process_lock);
	found = id > 0 && thread_find_locked(id);
	spin_unlock(&process_lock);
	return found;
}

/* The thread called @id, or the current one for 0; a reference. NULL: there is none. */
static struct thread *thread_of_id(int id)
{
	struct thread *t = current_thread();

	spin_lock(&process_lock);
	if (id)
		t = id > 0 ? thread_find_locked(id) : NULL;
	if (t)
		thread_get(t);
	spin_unlock(&process_lock);
	return t;
}

long sys_sched_getaffinity(int pid, unsigned len, unsigned long *user)
{
	unsigned long mask;
	struct thread *t;

	if (len < sizeof(mask) || len % sizeof(long))
		return -EINVAL;
	t = thread_of_id(pid);
	if (!t)
		return -ESRCH;
	mask = thread_affinity(t);
	thread_put(t);
	return copy_to_user(user, &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

long sys_sched_setaffinity(int pid, unsigned len, const unsigned long *user)
{
	unsigned long mask = 0;
	struct thread *t;
	long err;

	if (copy_from_user(&mask, user, min((size_t)len, sizeof(mask))))
		return -EFAULT;
	t = thread_of_id(pid);
	if (!t)
		return -ESRCH;
	err = thread_set_affinity(t, mask);
	thread_put(t);
	return err;
}

#define SCHED_OTHER 0
#define SCHED_FIFO 1
#define SCHED_RR 2
#define SCHED_BATCH 3
#define SCHED_IDLE 5

long sys_sched_getscheduler(int pid)
{
	return pid < 0 ? -EINVAL : id_exists(pid) ? SCHED_OTHER : -ESRCH;
}

long sys_sched_setscheduler(int pid, int policy, const int *param)
{
	int prio;

	if (pid < 0 || !param)
		return -EINVAL;
	if (get_user(prio, param))
		return -EFAULT;
	if (!id_exists(pid))
		return -ESRCH;
	return (policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE) && !prio ? 0 : -EINVAL;
}

long sys_sched_getparam(int pid, int *param)
{
	if (pid < 0 || !param)
		return -EINVAL;
	return !id_exists(pid) ? -ESRCH : put_user(0, param);
}

long sys_sched_setparam(int pid, const int *param)
{
	int prio;

	if (pid < 0 || !param)
		return -EINVAL;
	if (get_user(prio, param))
		return -EFAULT;
	return !id_exists(pid) ? -ESRCH : prio ? -EINVAL : 0;
}

static long priority_limit(int policy, int real_time)
{
	if (policy == SCHED_FIFO || policy == SCHED_RR)
		return real_time;
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ? 0 : -EINVAL;
}

long sys_sched_get_priority_max(int policy)
{
	return priority_limit(policy, 99);
}

long sys_sched_get_priority_min(int policy)
{
	return priority_limit(policy, 1);
}

/* 20 - nice; nice is always 0. */
long sys_getpriority(int which, int who)
{
	return which < 0 || which > 2 ? -EINVAL : 20;
}

long sys_setpriority(int which, int who, int prio)
{
	return which < 0 || which > 2 ? -EINVAL : 0;
}

long sys_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	unsigned id = this_cpu()->id, zero = 0;

	if (cpu && put_user(id, cpu))
		return -EFAULT;
	return node ? put_user(zero, node) : 0;
}

/* -- one thread's own things ------------------------------------------------------------------------------------------ */
#define PR_SET_PDEATHSIG 1
#define PR_GET_DUMPABLE 3
#define PR_SET_DUMPABLE 4
#define PR_SET_NAME 15
#define PR_GET_NAME 16
#define PR_GET_SECCOMP 21
#define PR_SET_NO_NEW_PRIVS 38
#define PR_GET_NO_NEW_PRIVS 39

static long set_name(const char *user)
{
	struct process *p = current_process();
	char name[COMM_LEN];
	ssize_t n = strncpy_from_user(name, user, sizeof(name) - 1);

	if (n == -EFAULT)
		return -EFAULT;
	name[n < 0 ? (int)sizeof(name) - 1 : n] = '\0';
	thread_set_name(current_thread(), name);
	if (current_thread()->tid == p->pid)
		strlcpy(p->comm, name, sizeof(p->comm));
	return 0;
}

long sys_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	char name[COMM_LEN];

	switch (option) {
	case PR_SET_NAME:
		return set_name((const char *)a);
	case PR_GET_NAME:
		memset(name, 0, sizeof(name));
		strlcpy(name, current_thread()->name, sizeof(name));
		return copy_to_user((void *)a, name, sizeof(name));
	case PR_GET_DUMPABLE:
		return 1;
	case PR_SET_DUMPABLE:
		return a <= 1 ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

long sys_arch_prctl(int code, unsigned long arg)
{
	return arch_prctl(&current_thread()->ctx, (unsigned long)code, arg);
}

long sys_set_thread_area(void *desc)
{
	return arch_set_thread_area(&current_thread()->ctx, desc);
}

long sys_get_thread_area(void *desc)
{
	return arch_get_thread_area(&current_thread()->ctx, desc);
}

long sys_rseq(void *area, u32 len, int flags, u32 sig)
{
	return -ENOSYS; /* the C libraries do without */
}

#define ROBUST_HEAD_SIZE (3 * sizeof(long))

long sys_set_robust_list(void *head, size_t len)
{
	if (len != ROBUST_HEAD_SIZE)
		return -EINVAL;
	current_signals()->robust_list = head;
	current_signals()->robust_len = len;
	return 0;
}

long sys_get_robust_list(int tid, void **head, size_t *len)
{
	void *list = NULL;
	size_t size = ROBUST_HEAD_SIZE;
	struct thread *t;

	spin_lock(&process_lock);
	t = tid ? thread_find_locked(tid) : current_thread();
	if (t)
		list = t->signals->robust_list;
	spin_unlock(&process_lock);
	if (!t)
		return -ESRCH;
	return put_user(size, len) || put_user(list, head) ? -EFAULT : 0;
}

/* An interrupt on every other CPU: what runs there has then had a full barrier. Threads that do not run have had one
 * when they were switched away from. */
static void barrier_here(void *unused)
{
	cpu_mb();
}

#define MEMBARRIER_CMD_QUERY 0
#define MEMBARRIER_SUPPORTED 0x1f /* GLOBAL, GLOBAL_EXPEDITED and its REGISTER, PRIVATE_EXPEDITED and its REGISTER */

long sys_membarrier(int cmd, unsigned flags, int cpu)
{
	if (flags)
		return -EINVAL;
	if (cmd == MEMBARRIER_CMD_QUERY)
		return MEMBARRIER_SUPPORTED;
	if (cmd < 0 || (cmd & (cmd - 1)) || !(cmd & MEMBARRIER_SUPPORTED))
		return -EINVAL;
	cpu_mb();
	ipi_call(cpu_online_mask(), barrier_here, NULL, true);
	cpu_mb();
	return 0;
}
