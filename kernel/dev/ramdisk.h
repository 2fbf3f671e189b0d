/*
 * ramdisk.h - block devices in memory.  Layer 9 (kernel/dev).
 */
#ifndef KERNEL_DEV_RAMDISK_H
#define KERNEL_DEV_RAMDISK_H

#include "kernel/dev/block.h"

/* Register the boot module, if there is one, as "ram0". => after block_init() */
void ramdisk_init(void);
/* An empty disk of @pages zeroed pages, registered as @name: ERR_PTR(-ENOMEM, -EINVAL). => may sleep */
struct block_device *ramdisk_create(const char *name, unsigned long pages);

#endif
