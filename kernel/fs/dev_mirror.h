/*
 * dev_mirror.h - the node /dev/mirror.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_DEV_MIRROR_H
#define KERNEL_FS_DEV_MIRROR_H

/* Register the node. => after vfs_init() */
void dev_mirror_init(void);

#endif
