/*
 * proc_pid.h - the text of the files below /proc/<pid>.  Layer 10.
 */
#ifndef KERNEL_PROC_PROC_PID_H
#define KERNEL_PROC_PROC_PID_H

#include "kernel/lib/types.h"

struct mm;
struct proc_buf;

void proc_pid_init(void); /* sets proc_pid_ops. => after vfs_init() */

/* 0 or -ESRCH. => sleeps */
int proc_pid_stat(struct proc_buf *b, int pid);
int proc_pid_statm(struct proc_buf *b, int pid);
int proc_pid_status(struct proc_buf *b, int pid);
int proc_pid_maps(struct proc_buf *b, int pid);
int proc_pid_smaps(struct proc_buf *b, int pid);
int proc_pid_smaps_rollup(struct proc_buf *b, int pid);
ssize_t proc_pid_pagemap(int pid, u64 pos, void *buf, size_t n); /* also -EINVAL: not whole words */

/* A line of maps for each vma, followed by what @more (or NULL) prints of the vma at @start. */
int proc_maps_each(struct proc_buf *b, int pid, void (*more)(struct proc_buf *b, struct mm *mm, vaddr_t start));
int proc_pid_ptes(struct proc_buf *b, int pid, u64 *cursor);
/* Bytes moved, or -EIO (no such memory), -EFAULT, -ENOMEM, -EINTR, -ESRCH. => sleeps */
ssize_t proc_pid_mem_read(int pid, void *user, size_t n, loff_t pos);
ssize_t proc_pid_mem_write(int pid, const void *user, size_t n, loff_t pos);

#endif
