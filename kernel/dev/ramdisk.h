/*
 * ramdisk.h - a block device in memory.  Layer 9 (kernel/dev).
 */
#ifndef KERNEL_DEV_RAMDISK_H
#define KERNEL_DEV_RAMDISK_H

#include "kernel/dev/block.h"

/* Register the boot module, if there is one, as "ram0". => after block_init() */
void ramdisk_init(void);

#endif
