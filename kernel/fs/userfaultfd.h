/*
 * userfaultfd.h - a userfaultfd context as a file: read(2), poll(2), ioctl(2).  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_USERFAULTFD_H
#define KERNEL_FS_USERFAULTFD_H

#include "kernel/fs/vfs.h"
#include "mm/space/uffd.h"

/* What processes know and files do not; set once by kernel/proc. */
struct userfaultfd_hooks {
	bool (*privileged)(void); /* current may trace others */
	/* A descriptor of current's: a free number or an error; then one of the two others. */
	int (*reserve)(bool close_on_exec);
	void (*commit)(int fd, struct file *f); /* takes over the reference */
	void (*cancel)(int fd);
};
extern const struct userfaultfd_hooks *userfaultfd_hooks;

/* A descriptor for the current address space's faults. @flags: UFFDX_USER_MODE_ONLY, O_CLOEXEC, O_NONBLOCK. -EPERM, -EINVAL,
 * -EMFILE, -ENFILE, -ENOMEM. */
int userfaultfd_make(unsigned flags);
void userfaultfd_init(void); /* /dev/userfaultfd, /proc/sys/vm/unprivileged_userfaultfd */

/* Of uffd_ioctl.c: file_ops.ioctl of such a file. */
long userfaultfd_ioctl(struct file *f, unsigned cmd, unsigned long arg);

#endif
