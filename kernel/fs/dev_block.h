/*
 * dev_block.h - block devices as files.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_DEV_BLOCK_H
#define KERNEL_FS_DEV_BLOCK_H

/* A node in /dev for every registered block device. => after the drivers and vfs_init() */
void dev_block_init(void);

#endif
