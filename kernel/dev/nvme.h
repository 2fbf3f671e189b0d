/*
 * nvme.h - NVMe disks.  Layer 9 (kernel/dev).
 *
 *   nvme.c        finding controllers, starting them, their first namespace as a block device
 *   nvme_queue.c  a submission queue with its completion queue
 *   nvme_block.c  block requests as commands, their ends, the watchdog
 *
 * References are to the NVM Express Base Specification 1.4.
 */
#ifndef KERNEL_DEV_NVME_H
#define KERNEL_DEV_NVME_H

#include "kernel/dev/block_slots.h"
#include "kernel/dev/nvme_queue.h"
#include "kernel/dev/pci.h"
#include "kernel/sched/timer.h"
#include "kernel/sync/spinlock.h"

/* Register every controller's first namespace as nvme0n1, nvme1n1 ... in PCI order.
 * => after pci_init(), block_init(), sched_init() */
void nvme_init(void);

/* -- between nvme.c and nvme_block.c -------------------------------------------------------------------------- */

#define NVME_SLOTS 32

/* A request under way. What one command cannot say is said by several, one after another. */
struct nvme_slot {
	struct bio *bio; /* NULL: the slot is free */
	unsigned next;   /* the first piece that no command has had yet */
	u64 sector;      /* where that goes */
	u64 *list;       /* page addresses, for commands of more than two pages */
	paddr_t list_pa;
	u64 posted_ns; /* when the device got the command it is at */
};

struct nvme_disk {
	struct block_slots base;
	struct pci_device *pci;
	u8 *regs, *bells;
	u32 bell_stride;
	u64 ready_ns;                      /* how long the controller may take to become ready */
	struct nvme_queue admin;           /* used while it is being started, by polling */
	spinlock_t lock;                   /* LOCK_BLOCK, interrupts off; done() is called without it */
	struct nvme_queue io;              /* lock */
	struct nvme_slot slot[NVME_SLOTS]; /* lock */
	unsigned slots;
	bool dead; /* lock: not set up yet, or stopped for good */
	struct timer watch;
	u64 patience_ns; /* a command that takes longer is the device's last */
};

#define NVME_NAMESPACE 1u

extern const struct block_slot_ops nvme_slot_ops;

/* @disk->io and slots are there: make it a block device. */
void nvme_block_start(struct nvme_disk *disk);
void nvme_interrupt(void *disk);
/* Memory for page lists: 0 or -ENOMEM. */
int nvme_slots_init(struct nvme_disk *disk, unsigned slots);
/* Whatever it is doing, it stops, and reaches no memory any more. => any context */
void nvme_stop(struct nvme_disk *disk);
/* Does it say itself that it cannot go on? */
bool nvme_failed(struct nvme_disk *disk);

#endif
