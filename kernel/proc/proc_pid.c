/*
 * proc_pid.c - /proc/<pid>: which files there are, and the short ones.  Layer 10.
 *
 * Every function starts from a process id, takes what references it needs, and prints with no lock held.
 */
#include "kernel/proc/proc_pid.h"

#include "kernel/fs/procfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/oom.h"
#include "kernel/proc/process.h"
#include "mm/phys/slab.h"

/* -- memory images of strings ------------------------------------------------------------------------------------- */

static int show_range(struct proc_buf *b, int pid, bool env)
{
	struct process *p = process_find(pid);
	struct mm *mm = p ? process_mm_get(p) : NULL;
	vaddr_t at, end;
	char buf[256];

	if (mm) {
		at = env ? mm->env_start : mm->arg_start;
		end = env ? mm->env_end : mm->arg_end;
		while (at < end) {
			ssize_t n = mm_access(mm, at, buf, min(sizeof(buf), (size_t)(end - at)), false);

			if (n <= 0)
				break;
			proc_write(b, buf, (size_t)n);
			at += (vaddr_t)n;
		}
		mm_put(mm);
	}
	if (!p)
		return -ESRCH;
	process_put(p);
	return 0;
}

static int show_cmdline(struct proc_buf *b, int pid)
{
	return show_range(b, pid, false);
}

static int show_environ(struct proc_buf *b, int pid)
{
	return show_range(b, pid, true);
}

static int show_comm(struct proc_buf *b, int pid)
{
	struct process *p = process_find(pid);

	if (!p)
		return -ESRCH;
	proc_printf(b, "%s\n", p->comm);
	process_put(p);
	return 0;
}

static int show_oom_score(struct proc_buf *b, int pid)
{
	struct process *p = process_find(pid);

	if (!p)
		return -ESRCH;
	proc_printf(b, "%u\n", oom_score(p));
	process_put(p);
	return 0;
}

static int show_oom_score_adj(struct proc_buf *b, int pid)
{
	struct process *p = process_find(pid);

	if (!p)
		return -ESRCH;
	proc_printf(b, "%d\n", READ_ONCE(p->oom_score_adj));
	process_put(p);
	return 0;
}

/* -1000: never chosen, 1000: first. */
static int store_oom_score_adj(int pid, const char *text, size_t n)
{
	bool negative = *text == '-';
	struct process *p;
	int v = 0;

	text += negative;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9' && v <= 1000; text++)
		v = v * 10 + (*text - '0');
	if (v > 1000 || (*text && *text != '\n'))
		return -EINVAL;
	p = process_find(pid);
	if (!p)
		return -ESRCH;
	WRITE_ONCE(p->oom_score_adj, negative ? -v : v);
	process_put(p);
	return 0;
}

/* -- links ---------------------------------------------------------------------------------------------------------- */

static struct dentry *follow_exe(int pid)
{
	struct process *p = process_find(pid);
	struct mm *mm = p ? process_mm_get(p) : NULL;
	struct dentry *d = ERR_PTR(-ENOENT);

	if (mm && mm->exe && mm->exe->dentry) {
		d = mm->exe->dentry;
		dentry_get(d);
	}
	if (mm)
		mm_put(mm);
	if (!p)
		return ERR_PTR(-ESRCH);
	process_put(p);
	return d;
}

static struct dentry *follow_cwd(int pid)
{
	struct process *p = process_find(pid);
	struct dentry *d;

	if (!p)
		return ERR_PTR(-ESRCH);
	d = process_cwd_get(p);
	process_put(p);
	if (d)
		return d;
	d = vfs_root();
	dentry_get(d);
	return d;
}

static struct dentry *follow_root(int pid)
{
	struct dentry *d = vfs_root();

	dentry_get(d);
	return d;
}

/* -- the hook ----------------------------------------------------------------------------------------------------------- */

static const struct proc_pid_entry entries[] = {
	{.name = "stat", .show = proc_pid_stat},
	{.name = "statm", .show = proc_pid_statm},
	{.name = "status", .show = proc_pid_status},
	{.name = "maps", .show = proc_pid_maps},
	{.name = "mem", .raw_read = proc_pid_mem_read, .raw_write = proc_pid_mem_write},
	{.name = "smaps", .show = proc_pid_smaps},
	{.name = "smaps_rollup", .show = proc_pid_smaps_rollup},
	{.name = "pagemap", .read = proc_pid_pagemap},
	{.name = "ptes", .show_part = proc_pid_ptes},
	{.name = "cmdline", .show = show_cmdline},
	{.name = "environ", .show = show_environ},
	{.name = "comm", .show = show_comm},
	{.name = "oom_score", .show = show_oom_score},
	{.name = "oom_score_adj", .show = show_oom_score_adj, .store = store_oom_score_adj},
	{.name = "exe", .kind = PROC_PID_LINK, .follow = follow_exe},
	{.name = "cwd", .kind = PROC_PID_LINK, .follow = follow_cwd},
	{.name = "root", .kind = PROC_PID_LINK, .follow = follow_root},
	{.name = "fd", .kind = PROC_PID_FD},
};

static int self(void)
{
	struct process *p = current_process();

	return p ? p->pid : 0;
}

static int next(int pid)
{
	struct process *p = process_find_from(pid);
	int found = p ? p->pid : 0;

	if (p)
		process_put(p);
	return found;
}

/* The descriptors of @pid with a reference, or NULL. */
static struct files *files_of(int pid)
{
	struct process *p = process_find(pid);
	struct files *files = NULL;

	if (!p)
		return NULL;
	spin_lock(&p->fs_lock);
	files = p->files;
	if (files)
		files_get(files);
	spin_unlock(&p->fs_lock);
	process_put(p);
	return files;
}

static int next_fd(int pid, int fd)
{
	struct files *files = files_of(pid);
	int found = -1;

	if (files) {
		found = fd_next(files, (unsigned)fd);
		files_put(files);
	}
	return found;
}

static struct file *get_fd(int pid, int fd)
{
	struct files *files = files_of(pid);
	struct file *f = NULL;

	if (files) {
		f = fd_get(files, (unsigned)fd);
		files_put(files);
	}
	return f;
}

static const struct proc_pid_ops ops = {
	.self = self,
	.next = next,
	.next_fd = next_fd,
	.get_fd = get_fd,
	.entries = entries,
	.nr_entries = ARRAY_SIZE(entries),
};

/* Linux's name of a call, or of what is beyond all numbers that are counted apart. */
static const char *unimplemented_name(unsigned nr)
{
	const char *name = nr < nr_syscall_names ? syscall_names[nr] : NULL;

	return nr > ABI_NR_MAX ? "(beyond)" : name ? name : "(unknown)";
}

/* System calls that programs asked for and did not get: width, number, count, name. */
static int show_unimplemented(struct proc_buf *b)
{
	for (unsigned i = 0; i < ARRAY_SIZE(syscall_unknown.count); i++)
		if (syscall_unknown.count[i])
			proc_printf(b, "%s %u %u %s\n", ABI_MACHINE, i, syscall_unknown.count[i], unimplemented_name(i));
	return 0;
}

void proc_pid_init(void)
{
	proc_pid_ops = &ops;
	proc_register("unimplemented", show_unimplemented);
}
