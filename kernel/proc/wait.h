/*
 * wait.h - waiting for children: what wait4(2) and waitid(2) ask of exit.c.  Layer 10.
 */
#ifndef KERNEL_PROC_WAIT_H
#define KERNEL_PROC_WAIT_H

#include "kernel/lib/types.h"

#define WNOHANG 1
#define WUNTRACED 2
#define WSTOPPED 2
#define WEXITED 4
#define WCONTINUED 8
#define WNOWAIT 0x1000000
#define WAIT_NOTHREAD 0x20000000u /* __WNOTHREAD */
#define WAIT_ALL 0x40000000u      /* __WALL */
#define WAIT_CLONE 0x80000000u    /* __WCLONE */

struct usage {
	u64 utime, stime; /* ns */
	u64 minflt, majflt;
	u64 maxrss; /* pages */
	unsigned long nvcsw, nivcsw;
};

struct wait_request {
	enum { WAIT_BY_ANY, WAIT_BY_PID, WAIT_BY_GROUP } by;
	int id;
	unsigned options;
	/* the answer */
	int pid; /* 0: nobody (WNOHANG) */
	u32 uid;
	int status;      /* as wait4(2) gives it */
	int code, value; /* si_code, si_status */
	int error;
	struct usage usage;
};

/* The child's pid, 0, -ECHILD, -ERESTARTSYS. => sleeps */
int process_wait(struct wait_request *w);

#endif
