/*
 * proc_raw.c - files of /proc/<pid> that are no text: bytes at positions, moved by the entry's own functions.
 *
 * Layer 9 (kernel/fs).  Interface: procfs.h.
 */
#include "kernel/fs/proc_internal.h"

static ssize_t raw_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	const struct proc_node *node = proc_node_of(f->inode);
	ssize_t r = node->pid_entry->raw_read(node->pid, user, n, *pos);

	if (r > 0)
		*pos += r;
	return r;
}

static ssize_t raw_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	const struct proc_node *node = proc_node_of(f->inode);
	ssize_t r = node->pid_entry->raw_write(node->pid, user, n, *pos);

	if (r > 0)
		*pos += r;
	return r;
}

const struct file_ops proc_raw_fops = {.read = raw_read, .write = raw_write, .no_mmap = true};
