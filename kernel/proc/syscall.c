/*
 * syscall.c - the system-call table of our width, and dispatch.  Layer 10; implements upcall_syscall().
 *
 * This path is counted in instructions (issue 2: a null call costs at most 160): no locks, no accounting.
 */
#include <arch/context.h>
#include <arch/upcall.h>
#include "kernel/lib/errno.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"

typedef long syscall_fn(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long);

#define SYSCALL(n64, n32, name) [ABI_NR(n64, n32)] = (syscall_fn *)(void *)sys_##name,
#define SYSCALL_64(n64, name) ABI_IF64([n64] = (syscall_fn *)(void *)sys_##name, )
#define SYSCALL_32(n32, name) ABI_IF32([n32] = (syscall_fn *)(void *)sys_##name, )

static syscall_fn *const syscall_table[ABI_NR_MAX + 1] = {
#include "kernel/proc/syscall_list.h"
};

struct syscall_counts syscall_unknown;

static void unknown_syscall(struct trap_frame *tf, unsigned long nr)
{
	syscall_unknown.count[min(nr, (unsigned long)ABI_NR_MAX + 1)]++;
	frame_set_return(tf, -ENOSYS);
}

/* The call wants to be restarted: remember it for the way out, which decides. */
static __attribute__((noinline)) void note_restart(unsigned long nr)
{
	struct thread_signals *ts = current_signals();

	if (syscall_table[nr] == (syscall_fn *)(void *)sys_rt_sigreturn ||
	    syscall_table[nr] == (syscall_fn *)(void *)sys_sigreturn)
		return; /* that is the interrupted program's own register */
	ts->restart = true;
	ts->restart_nr = nr;
	thread_work_set(current_thread(), SIGNAL_WORK_RESUME);
}

void upcall_syscall(struct trap_frame *tf)
{
	unsigned long nr = frame_syscall_nr(tf);
	unsigned long a[6];
	long ret;

	if (unlikely(nr > ABI_NR_MAX || !syscall_table[nr])) {
		unknown_syscall(tf, nr);
		return;
	}
	frame_syscall_args(tf, a);
	ret = syscall_table[nr](a[0], a[1], a[2], a[3], a[4], a[5]);
	frame_set_return(tf, ret);
	if (unlikely((unsigned long)ret + ERESTART_RESTARTBLOCK <= ERESTART_RESTARTBLOCK - ERESTARTSYS))
		note_restart(nr);
}
