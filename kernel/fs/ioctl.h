/*
 * ioctl.h - the ioctls of a device as a table.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_IOCTL_H
#define KERNEL_FS_IOCTL_H

#include "kernel/lib/types.h"

#define IOCTL_ARGUMENT_MAX 256 /* bytes; a request with more: -ENOTTY */

struct ioctl_request {
	u32 cmd; /* with direction and size, as user space makes it: _IOWR() and its like */
	long (*fn)(void *ctx, void *argument);
};

/*
 * Copy the argument in, call, copy it out: also after an error, which may have left in it how far things came.
 * The result of the call; -ENOTTY: not in the table; -EFAULT. => may sleep
 */
long ioctl_dispatch(const struct ioctl_request *requests, unsigned n, void *ctx, unsigned cmd, unsigned long user);

#endif
