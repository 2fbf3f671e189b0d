/*
 * pipe.h - pipes and fifos.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_PIPE_H
#define KERNEL_FS_PIPE_H

#include "kernel/fs/vfs.h"

#define PIPE_BUF 4096   /* writes up to this size are atomic */
#define PIPE_SIZE 65536 /* what a pipe holds */

/* Two new descriptions joined by a pipe: ends[0] reads, ends[1] writes. @flags: O_NONBLOCK, O_DIRECT (ignored).
 * 0, -ENFILE, -ENOMEM. */
int pipe_make(struct file *ends[2], unsigned flags);
bool file_is_pipe(const struct file *f);
/* Bytes the pipe behind @f holds at most (F_GETPIPE_SZ). */
long pipe_size(const struct file *f);

/* For inodes of type S_IFIFO: vfs_open() must use these instead of the file system's own operations. */
extern const struct file_ops fifo_file_ops;

#endif
