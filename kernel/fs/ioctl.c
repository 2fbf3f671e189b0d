/*
 * ioctl.c - the ioctls of a device as a table.  Layer 9 (kernel/fs).  Interface: ioctl.h.
 */
#include "kernel/fs/ioctl.h"

#include <arch/uaccess.h>

#include "kernel/lib/errno.h"

static long call(const struct ioctl_request *request, void *ctx, unsigned long user)
{
	u64 argument[IOCTL_ARGUMENT_MAX / sizeof(u64)];
	size_t size = request->cmd >> 16 & 0x3fff;
	long result;

	if (size > sizeof(argument))
		return -ENOTTY;
	if (copy_from_user(argument, (const void *)user, size))
		return -EFAULT;
	result = request->fn(ctx, argument);
	if (copy_to_user((void *)user, argument, size))
		return -EFAULT;
	return result;
}

long ioctl_dispatch(const struct ioctl_request *requests, unsigned n, void *ctx, unsigned cmd, unsigned long user)
{
	for (unsigned i = 0; i < n; i++)
		if (requests[i].cmd == cmd)
			return call(requests + i, ctx, user);
	return -ENOTTY;
}
