/*
 * eventfd.h - a counter with a file description.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_EVENTFD_H
#define KERNEL_FS_EVENTFD_H

#include "kernel/fs/vfs.h"

#define EFD_SEMAPHORE 1

/* @flags: EFD_SEMAPHORE, O_NONBLOCK. ERR_PTR(-ENFILE, -ENOMEM). */
struct file *eventfd_make(u32 count, unsigned flags);

#endif
