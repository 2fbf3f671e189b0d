/*
 * dev_edu.h - the node /dev/edu.  Layer 9 (kernel/fs).
 */
#ifndef KERNEL_FS_DEV_EDU_H
#define KERNEL_FS_DEV_EDU_H

/* Set the device up and register the node; neither without the hardware. => after pci_init(), vfs_init() */
void dev_edu_init(void);

#endif
