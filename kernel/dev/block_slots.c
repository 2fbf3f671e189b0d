/*
 * block_slots.c - waiting for a slot of a disk, and ending what has finished.
 *
 * Layer 9 (kernel/dev).  No lock of its own: the driver's is taken in its functions, and bio->done() is called without it.
 */
#include "kernel/dev/block_slots.h"

#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"

static void submit(struct block_device *dev, struct bio *bio)
{
	struct block_slots *slots = container_of(dev, struct block_slots, block);
	int result;

	if (bio->flush && !slots->volatile_cache) {
		bio_complete(bio, 0);
		return;
	}
	result = slots->ops->start(dev, bio);
	if (result == -EAGAIN) {
		__atomic_fetch_add(&dev->stat.slot_waits, 1, __ATOMIC_RELAXED);
		wait_event(&slots->free, (result = slots->ops->start(dev, bio)) != -EAGAIN);
	}
	if (result)
		bio_complete(bio, result);
}

static const struct block_ops block_ops = {.submit = submit};

void block_slots_init(struct block_slots *slots, const struct block_slot_ops *ops, void *private)
{
	slots->ops = ops;
	slots->block.ops = &block_ops;
	slots->block.private = private;
	wait_queue_init(&slots->free);
}

static const char *what(const struct bio *bio)
{
	if (bio->flush)
		return "flush";
	return bio->write ? "write" : "read";
}

void block_slots_finish(struct block_slots *slots)
{
	struct bio *bio;
	bool any = false;
	int error = 0;

	while ((bio = slots->ops->reap(&slots->block, &error))) {
		if (error)
			printk("%s: %s error at sector %llu\n", slots->block.name, what(bio), (unsigned long long)bio->sector);
		bio_complete(bio, error);
		any = true;
	}
	if (any)
		wake_up_all(&slots->free);
}

void block_slots_abandon(struct block_slots *slots)
{
	struct bio *bio;

	while ((bio = slots->ops->abandon(&slots->block)))
		bio_complete(bio, -EIO);
	wake_up_all(&slots->free);
}
