/*
 * sys_uffd.c - userfaultfd(2), and what its files ask of processes.  Layer 10 (kernel/proc).  No locks here.
 */
#include "kernel/fs/userfaultfd.h"
#include "kernel/proc/fdtable.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"

static bool privileged(void)
{
	return current_process()->euid == 0;
}

static int reserve(bool close_on_exec)
{
	return fd_alloc_from(current_process()->files, 0, close_on_exec);
}

static void commit(int fd, struct file *f)
{
	fd_commit(current_process()->files, fd, f);
}

static void cancel(int fd)
{
	fd_cancel(current_process()->files, fd);
}

static const struct userfaultfd_hooks hooks = {
	.privileged = privileged, .reserve = reserve, .commit = commit, .cancel = cancel};

void process_uffd_init(void)
{
	userfaultfd_hooks = &hooks;
	userfaultfd_init();
}

long sys_userfaultfd(int flags)
{
	return userfaultfd_make((unsigned)flags);
}
