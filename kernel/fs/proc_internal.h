/*
 * proc_internal.h - what procfs.c, proc_file.c and sysfs.c share.  Layer 9, private to kernel/fs.
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
	const struct file_ops *fops; /* instead of the two: what a device's node does */
};

/* What an inode of /proc stands for: a registered entry, or something of a process. */
struct proc_node {
	struct proc_entry *entry;
	int pid, fd;
	const struct proc_pid_entry *pid_entry;
};

/* -- a tree of registered entries, which may be another file system's (sysfs.c) -------------------------------------- */

/* The entry at @path below @at; what is missing is made, the last component with @mode. => at boot */
struct proc_entry *proc_add_path(struct proc_entry *at, const char *path, u32 mode);
struct super *proc_mount_tree(const char *type, const struct super_ops *ops, struct proc_entry *tree,
                              const char *source);
void proc_evict(struct inode *inode); /* of its inodes */

struct proc_node *proc_node_of(const struct inode *inode);
extern const struct file_ops proc_file_fops; /* text */
extern const struct file_ops proc_raw_fops;  /* bytes at positions */

#endif
