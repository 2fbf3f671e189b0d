/*
 * dev_vmm.h - the node /dev/vmm.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_DEV_VMM_H
#define KERNEL_FS_DEV_VMM_H

/* Register the node. => after vfs_init() */
void dev_vmm_init(void);

#endif
