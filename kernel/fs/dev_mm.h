/*
 * dev_mm.h - the node /dev/mm.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_DEV_MM_H
#define KERNEL_FS_DEV_MM_H

/* Register the node and set the hooks of the instruments. Debug builds only. => after vfs_init() */
void dev_mm_init(void);

#endif
