/*
 * tmpfs.h - what memfd and /dev share with tmpfs.  Layer 9, private to kernel/fs.
 */
#ifndef KERNEL_FS_TMPFS_H
#define KERNEL_FS_TMPFS_H

#include "kernel/fs/vfs.h"

struct super *tmpfs_make(const char *type, const char *source); /* ERR_PTR(-ENOMEM) */
/* A regular file without a name; refs = 1. NULL: no memory */
struct inode *tmpfs_inode_make(struct super *sb, u32 mode);
extern const struct file_ops tmpfs_file_fops;

#endif
