/*
 * virtio_blk.h - start-up of the virtio-blk driver.  Layer 9 (kernel/dev).
 */
#ifndef KERNEL_DEV_VIRTIO_BLK_H
#define KERNEL_DEV_VIRTIO_BLK_H

/* Register every virtio disk as vda, vdb ... in PCI order. => after pci_init(), block_init(), sched_init() */
void virtio_blk_init(void);

#endif
