/*
 * usage.h - resource usage for getrusage(2) and wait4(2).  Layer 10.
 */
#ifndef KERNEL_PROC_USAGE_H
#define KERNEL_PROC_USAGE_H

#include <arch/abi.h>
#include "kernel/proc/wait.h"

int usage_to_user(struct abi_rusage *user, const struct usage *u); /* 0 or -EFAULT */

#endif
