/*
 * virtio.h - virtio 1.x devices over PCI: the transport and its queues.
 *
 * Layer 9 (kernel/dev).  Neither locks anything: a driver calls every function on one queue under its own
 * lock.  Requests are *slots*: slot i has a descriptor table of its own, either indirect (one descriptor of
 * the ring points to it) or a fixed slice of the ring, so nothing has to be searched for or can fragment.
 */
#ifndef KERNEL_DEV_VIRTIO_H
#define KERNEL_DEV_VIRTIO_H

#include "kernel/dev/pci.h"
#include "kernel/lib/types.h"
#include "mm/phys/page.h"

#define VIRTIO_VENDOR 0x1af4

enum virtio_feature {
	VIRTIO_F_INDIRECT = 28,
	VIRTIO_F_VERSION_1 = 32,
	VIRTIO_F_ACCESS_PLATFORM = 33,
};

enum virtio_status {
	VIRTIO_ACKNOWLEDGE = 1,
	VIRTIO_DRIVER = 2,
	VIRTIO_DRIVER_OK = 4,
	VIRTIO_FEATURES_OK = 8,
	VIRTIO_NEEDS_RESET = 64,
	VIRTIO_FAILED = 128,
};

struct virtio_device {
	struct pci_device *pci;
	u8 *common, *notify, *isr, *config; /* mapped registers; config: the device type's own */
	size_t config_length, notify_length;
	u32 notify_multiplier;
	u64 features; /* agreed */
};

/* Find and map the transport's registers and reset the device: 0, -ENODEV (not a modern device, or out of
 * reach). => pci_enable() came before */
int virtio_attach(struct virtio_device *vd, struct pci_device *pci);
/* Agree on VERSION_1 and what of @wanted there is: 0 or -ENODEV. */
int virtio_negotiate(struct virtio_device *vd, u64 wanted);
static inline bool virtio_has(const struct virtio_device *vd, unsigned feature)
{
	return (vd->features >> feature) & 1;
}
void virtio_ready(struct virtio_device *vd);  /* queues are set up: go */
void virtio_reset(struct virtio_device *vd);  /* it forgets all and stops all DMA */
void virtio_failed(struct virtio_device *vd); /* tell it we gave up */
u8 virtio_device_status(struct virtio_device *vd);
/* Read and, on a shared line, quiet the interrupt cause: 0 means it was not this device. */
u8 virtio_isr(struct virtio_device *vd);
/* Device configuration; 0 beyond its end. The 64-bit one is consistent. */
u32 virtio_config32(struct virtio_device *vd, unsigned offset);
u64 virtio_config64(struct virtio_device *vd, unsigned offset);

/* -- queues ----------------------------------------------------------------------------------------------------- */

/* As in memory; little-endian. */
struct vring_desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};
enum { VRING_NEXT = 1, VRING_WRITE = 2, VRING_INDIRECT = 4 };

#define VIRTQUEUE_SLOTS_MAX 32

struct virtqueue {
	struct virtio_device *vd;
	unsigned index;
	u16 size;       /* of the rings; a power of two */
	u16 avail_next; /* free-running */
	u16 used_next;  /* free-running */
	bool indirect;
	unsigned slots;      /* requests that may be in flight */
	unsigned slot_descs; /* descriptors a request may have */
	u32 busy;            /* bit per slot */
	struct vring_desc *desc;
	u16 *avail; /* flags, index, ring[size], used_event */
	u16 *used;  /* flags, index, { u32 id, len } ring[size], avail_event */
	struct vring_desc *table[VIRTQUEUE_SLOTS_MAX];
	void *doorbell;
};

/* Registers of queue @index: its greatest size (0: no such queue), and starting it. For virtqueue.c. */
u16 virtio_queue_size(struct virtio_device *vd, unsigned index);
int virtio_queue_start(struct virtio_device *vd, struct virtqueue *vq, paddr_t desc, paddr_t avail, paddr_t used);

/* Set up queue @index for requests of up to @descs descriptors each (less may be granted: ->slot_descs, never
 * below @least). 0, -ENODEV, -ENOMEM. => between virtio_negotiate() and virtio_ready() */
int virtqueue_init(struct virtqueue *vq, struct virtio_device *vd, unsigned index, unsigned descs, unsigned least);
/* A free slot, now busy, or -1. */
int virtqueue_take(struct virtqueue *vq);
void virtqueue_release(struct virtqueue *vq, unsigned slot);
/* Descriptor @n of @slot: @length bytes at @pa; @device_writes: the device stores there. */
void virtqueue_describe(struct virtqueue *vq, unsigned slot, unsigned n, paddr_t pa, u32 length, bool device_writes);
/* Hand over the first @n descriptors of @slot, and knock. */
void virtqueue_post(struct virtqueue *vq, unsigned slot, unsigned n);
/* A slot that the device is done with (still busy), or -1. Ids that make no sense are dropped. */
int virtqueue_pop(struct virtqueue *vq);

#endif
