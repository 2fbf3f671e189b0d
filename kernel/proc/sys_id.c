/*
 * sys_id.c - who am I: process, group, session and user numbers.  Layer 10.
 * Everybody is root, so every change of user numbers is allowed and changes nothing but the numbers.
 */
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"

#define NO_CHANGE (~0u)

long sys_getpid(void)
{
	return current_process()->pid;
}

long sys_gettid(void)
{
	return current_thread()->tid;
}

long sys_getppid(void)
{
	struct process *parent;
	int pid;

	spin_lock(&process_lock);
	parent = current_process()->parent;
	pid = parent ? parent->pid : 0;
	spin_unlock(&process_lock);
	return pid;
}

/* -- groups and sessions ------------------------------------------------------------------------------------------ */

static long group_or_session(int pid, bool session)
{
	struct process *p = pid ? process_find(pid) : current_process();
	long id;

	if (!p)
		return -ESRCH;
	id = session ? p->sid : p->pgid;
	if (pid)
		process_put(p);
	return id;
}

long sys_getpgid(int pid)
{
	return group_or_session(pid, false);
}

long sys_getpgrp(void)
{
	return current_process()->pgid;
}

long sys_getsid(int pid)
{
	return group_or_session(pid, true);
}

/* => process_lock */
static int set_group(struct process *p, int pgid)
{
	struct process *self = current_process();

	if (p != self && p->parent != self)
		return -ESRCH;
	if (p != self && p->sid != self->sid)
		return -EPERM;
	if (p != self && p->did_exec)
		return -EACCES;
	if (p->sid == p->pid)
		return -EPERM;
	if (pgid != p->pid && !group_exists_locked(pgid, self->sid))
		return -EPERM;
	p->pgid = pgid;
	return 0;
}

long sys_setpgid(int pid, int pgid)
{
	struct process *p;
	int ret = -ESRCH;

	if (pgid < 0)
		return -EINVAL;
	p = process_find(pid ? pid : current_process()->pid);
	if (!p)
		return -ESRCH;
	spin_lock(&process_lock);
	if (p->state == PROCESS_ALIVE)
		ret = set_group(p, pgid ? pgid : p->pid);
	spin_unlock(&process_lock);
	process_put(p);
	return ret;
}

long sys_setsid(void)
{
	struct process *p = current_process(), *other;
	int ret = p->pid;

	spin_lock(&process_lock);
	list_for_each_entry(other, &process_list, all_link)
		if (other->pgid == p->pid)
			ret = -EPERM;
	if (ret > 0) {
		p->pgid = p->sid = p->pid;
		p->has_tty = false;
	}
	spin_unlock(&process_lock);
	return ret;
}

/* -- users and groups ---------------------------------------------------------------------------------------------- */

long sys_getuid(void)
{
	return current_process()->uid;
}

long sys_geteuid(void)
{
	return current_process()->euid;
}

long sys_getgid(void)
{
	return current_process()->gid;
}

long sys_getegid(void)
{
	return current_process()->egid;
}

long sys_setresuid(u32 ruid, u32 euid, u32 suid)
{
	struct process *p = current_process();

	if (ruid != NO_CHANGE)
		p->uid = ruid;
	if (euid != NO_CHANGE)
		p->euid = euid;
	if (suid != NO_CHANGE)
		p->suid = suid;
	return 0;
}

long sys_setresgid(u32 rgid, u32 egid, u32 sgid)
{
	struct process *p = current_process();

	if (rgid != NO_CHANGE)
		p->gid = rgid;
	if (egid != NO_CHANGE)
		p->egid = egid;
	if (sgid != NO_CHANGE)
		p->sgid = sgid;
	return 0;
}

long sys_setuid(u32 uid)
{
	return uid == NO_CHANGE ? -EINVAL : sys_setresuid(uid, uid, uid);
}

long sys_setgid(u32 gid)
{
	return gid == NO_CHANGE ? -EINVAL : sys_setresgid(gid, gid, gid);
}

long sys_setreuid(u32 ruid, u32 euid)
{
	return sys_setresuid(ruid, euid, euid);
}

long sys_setregid(u32 rgid, u32 egid)
{
	return sys_setresgid(rgid, egid, egid);
}

static long put_three(const u32 v[3], u32 *a, u32 *b, u32 *c)
{
	return put_user(v[0], a) || put_user(v[1], b) || put_user(v[2], c) ? -EFAULT : 0;
}

long sys_getresuid(u32 *ruid, u32 *euid, u32 *suid)
{
	const struct process *p = current_process();
	const u32 v[3] = {p->uid, p->euid, p->suid};

	return put_three(v, ruid, euid, suid);
}

long sys_getresgid(u32 *rgid, u32 *egid, u32 *sgid)
{
	const struct process *p = current_process();
	const u32 v[3] = {p->gid, p->egid, p->sgid};

	return put_three(v, rgid, egid, sgid);
}

/* Supplementary groups: there are none. */
long sys_getgroups(int n, u32 *list)
{
	return n < 0 ? -EINVAL : 0;
}

long sys_setgroups(int n, const u32 *list)
{
	return n < 0 || n > 65536 ? -EINVAL : 0;
}

long sys_setfsuid(u32 uid)
{
	return current_process()->euid;
}

long sys_setfsgid(u32 gid)
{
	return current_process()->egid;
}

long sys_umask(int mask)
{
	struct process *p = current_process();
	u32 old = p->umask;

	p->umask = (u32)mask & 0777;
	return old;
}

/* -- capabilities: root has them all, and keeps them ------------------------------------------------------------------ */
#define CAP_VERSION_1 0x19980330u
#define CAP_VERSION_3 0x20080522u

long sys_capget(u32 *header, u32 *data)
{
	const u32 all[6] = {~0u, ~0u, 0, 0x1ff, 0x1ff, 0};
	u32 version;

	if (get_user(version, header))
		return -EFAULT;
	if (version != CAP_VERSION_1 && version != CAP_VERSION_3) {
		if (put_user(CAP_VERSION_3, header))
			return -EFAULT;
		return data ? -EINVAL : 0;
	}
	if (!data)
		return 0;
	return copy_to_user(data, all, version == CAP_VERSION_1 ? 12 : sizeof(all));
}

long sys_capset(u32 *header, const u32 *data)
{
	u32 version;

	if (get_user(version, header))
		return -EFAULT;
	return version == CAP_VERSION_1 || version == CAP_VERSION_3 ? 0 : -EINVAL;
}
