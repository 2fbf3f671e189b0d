/*
 * block_slots.h - what disks with a fixed number of requests in flight share: waiting for a slot, and ending what has finished.
 *
 * Layer 9 (kernel/dev).  A driver embeds struct block_slots, whose block_device it registers, and says how a request is started,
 * how a finished one is found, and how one is taken from a device that is dead.
 */
#ifndef KERNEL_DEV_BLOCK_SLOTS_H
#define KERNEL_DEV_BLOCK_SLOTS_H

#include "kernel/dev/block.h"
#include "kernel/sync/wait.h"

/* Each takes the driver's own lock. => any context */
struct block_slot_ops {
	/* 0: on its way; -EAGAIN: no slot; -EIO: the device is dead. */
	int (*start)(struct block_device *dev, struct bio *bio);
	/* The next finished request and how it ended, its slot given back; NULL: none. */
	struct bio *(*reap)(struct block_device *dev, int *error);
	/* Any request of a dead device, its slot given back; NULL: none. */
	struct bio *(*abandon)(struct block_device *dev);
};

struct block_slots {
	struct block_device block;
	const struct block_slot_ops *ops;
	bool volatile_cache;    /* what it completed is durable only after a flush */
	struct wait_queue free; /* for a slot */
};

/* @private: the driver's. The rest of @slots->block is the driver's to fill, but for its ops. */
void block_slots_init(struct block_slots *slots, const struct block_slot_ops *ops, void *private);
/* End every request that has finished. => any context that bio->done() may be called in */
void block_slots_finish(struct block_slots *slots);
/* End every request of a device that is dead, which writes to memory no more. => the same */
void block_slots_abandon(struct block_slots *slots);

#endif
