/*
 * proc_pid.h - the text of the files below /proc/<pid>.  Layer 10.
 */
#ifndef KERNEL_PROC_PROC_PID_H
#define KERNEL_PROC_PROC_PID_H

#include "kernel/lib/types.h"

struct proc_buf;

void proc_pid_init(void); /* sets proc_pid_ops. => after vfs_init() */

/* 0 or -ESRCH. => sleeps */
int proc_pid_stat(struct proc_buf *b, int pid);
int proc_pid_statm(struct proc_buf *b, int pid);
int proc_pid_status(struct proc_buf *b, int pid);
int proc_pid_maps(struct proc_buf *b, int pid);
/* Bytes moved, or -EIO (no such memory), -EFAULT, -ENOMEM, -EINTR, -ESRCH. => sleeps */
ssize_t proc_pid_mem_read(int pid, void *user, size_t n, loff_t pos);
ssize_t proc_pid_mem_write(int pid, const void *user, size_t n, loff_t pos);

#endif
