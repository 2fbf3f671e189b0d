/*
 * oom.h - memory is out, and no call can say so: somebody must go.  Layer 10.
 */
#ifndef KERNEL_PROC_OOM_H
#define KERNEL_PROC_OOM_H

#include "kernel/lib/types.h"

struct process;

/*
 * A page fault at @addr of the current process got no memory.  If there is none, the process whose end frees most is
 * killed; its leaving is waited for, a while.  False: the current process is being killed, and must not try again.
 * => no locks held, may sleep
 */
bool oom_resolve(vaddr_t addr);

/* Linux's /proc/<pid>/oom_score: 0 .. 2000, the highest goes first. */
unsigned oom_score(struct process *p);

#endif
