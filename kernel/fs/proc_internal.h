/*
 * proc_internal.h - what procfs.c and proc_file.c share.  Layer 9, private to kernel/fs.
 */
#ifndef KERNEL_FS_PROC_INTERNAL_H
#define KERNEL_FS_PROC_INTERNAL_H

#include "kernel/fs/procfs.h"
#include "kernel/fs/vfs_internal.h"

/* A registered file, link or directory: never goes away. */
struct proc_entry {
	const char *name;
	u32 mode;
	u64 ino;
	struct list link; /* parent's children */
	struct list children;
	proc_show_t *show;
	proc_store_t *store;
};

/* What an inode of /proc stands for: a registered entry, or something of a process. */
struct proc_node {
	struct proc_entry *entry;
	int pid, fd;
	const struct proc_pid_entry *pid_entry;
};

struct proc_node *proc_node_of(const struct inode *inode);
extern const struct file_ops proc_file_fops; /* text */
extern const struct file_ops proc_raw_fops;  /* bytes at positions */

#endif
