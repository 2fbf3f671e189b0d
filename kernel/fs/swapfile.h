/*
 * swapfile.h - swap areas on block devices and in files.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_SWAPFILE_H
#define KERNEL_FS_SWAPFILE_H

#include "kernel/fs/vfs.h"

/* swapon(2), @flags those of Linux: 0, -EINVAL (flags, no swap area, holes), -EBUSY, -EPERM (too many), -ENXIO, -EACCES,
 * -EROFS, -EISDIR, -EIO, -ENOMEM. => sleeps, no locks held */
int swapfile_on(struct dentry *dentry, unsigned flags);
/* swapoff(2): 0, -EINVAL (not in use), -ENOMEM, -EINTR. => the same */
int swapfile_off(struct dentry *dentry);
bool swapfile_uses(const char *device); /* "vda" or "/dev/vda" is in use. => may sleep */
void swapfile_shutdown(void);           /* the machine stops: nothing is in use any more. => no process runs */
void swapfile_init(void);               /* /proc/swaps */

#endif
