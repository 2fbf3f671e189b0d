/*
 * block.c - the block layer: the list of devices, checking and counting of requests, synchronous helpers.
 *
 * Layer 9 (kernel/dev).  There is no scheduler and no merging: file systems build large requests themselves.
 * Lock order: devices_lock (LOCK_BLOCK, interrupts off) is taken alone.
 */
#include "kernel/dev/block.h"

#include <arch/irq.h>
#include "kernel/dev/stable.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/failpoint.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sync/wait.h"
#include "mm/phys/slab.h"

static struct slab_cache bio_cache;
/* One queue for all synchronous requests: a waiter may leave as soon as it sees that it is done, so the waker
 * must not touch a queue on the waiter's stack after that. */
static struct wait_queue sync_queue;
static struct list devices = LIST_INIT(devices);
static spinlock_t devices_lock = SPINLOCK_INIT(LOCK_BLOCK);

static void stat_add(unsigned long *counter, unsigned long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

void block_init(void)
{
	slab_cache_init(&bio_cache, "bio", sizeof(struct bio));
	wait_queue_init(&sync_queue);
}

/* -- requests --------------------------------------------------------------------------------------------------- */

struct bio *bio_alloc(enum gfp gfp)
{
	struct bio *bio = slab_alloc(&bio_cache, gfp);

	if (bio) {
		/* The vector is the bulk of it and is written before it is read. */
		memset(bio, 0, offsetof(struct bio, vec));
		bio->done = NULL;
		bio->ctx = NULL;
		list_init(&bio->link);
		bio->submitted_ns = 0;
	}
	return bio;
}

void bio_free(struct bio *bio)
{
	slab_free(&bio_cache, bio);
}

bool bio_add(struct bio *bio, struct page *page, unsigned offset, unsigned length)
{
	if (bio->nr_vec == bio->dev->max_segments)
		return false;
	bio->vec[bio->nr_vec++] = (struct bio_vec){.page = page, .offset = offset, .length = length};
	return true;
}

unsigned bio_bytes(const struct bio *bio)
{
	unsigned bytes = 0;

	for (unsigned i = 0; i < bio->nr_vec; i++)
		bytes += bio->vec[i].length;
	return bytes;
}

static bool vec_ok(const struct bio_vec *v)
{
	return v->length && IS_ALIGNED(v->length, SECTOR_SIZE) && IS_ALIGNED(v->offset, 4) && v->length <= PAGE_SIZE &&
	       v->offset <= PAGE_SIZE - v->length;
}

static int bio_check(const struct bio *bio)
{
	const struct block_device *dev = bio->dev;
	u64 sectors = bio_bytes(bio) >> SECTOR_SHIFT;

	if (bio->flush)
		return bio->nr_vec ? -EINVAL : 0;
	if (bio->nr_vec == 0 || bio->nr_vec > dev->max_segments)
		return -EINVAL;
	for (unsigned i = 0; i < bio->nr_vec; i++)
		if (!vec_ok(&bio->vec[i]))
			return -EINVAL;
	if (bio->sector > dev->sectors || sectors > dev->sectors - bio->sector)
		return -EIO;
	return bio->write && dev->read_only ? -EROFS : 0;
}

static unsigned size_class(unsigned sectors)
{
	static const unsigned most[BLOCK_SIZES - 1] = {8, 32, 128, 255};
	unsigned i = 0;

	while (i < BLOCK_SIZES - 1 && sectors > most[i])
		i++;
	return i;
}

static void bio_account(struct bio *bio)
{
	struct block_stat *st = &bio->dev->stat;
	unsigned sectors = bio_bytes(bio) >> SECTOR_SHIFT;

	stat_add(&st->in_flight, 1);
	if (!bio->flush)
		stat_add(&st->sizes[size_class(sectors)], 1);
	if (bio->meta) {
		stat_add(&st->meta_requests, 1);
		stat_add(&st->meta_sectors, sectors);
	}
	if (bio->flush) {
		stat_add(&st->flushes, 1);
	} else if (bio->write) {
		stat_add(&st->writes, 1);
		stat_add(&st->sectors_written, sectors);
	} else {
		stat_add(&st->reads, 1);
		stat_add(&st->sectors_read, sectors);
	}
}

void block_submit(struct bio *bio)
{
	int error = bio_check(bio);

	ASSERT(bio->done);
	if (!error && !bio->flush && FAILPOINT(bio->write ? "block_write" : "block_read"))
		error = -EIO;
	if (!error)
		error = stable_begin(bio);
	bio->submitted_ns = arch_clock_ns();
	bio_account(bio);
	if (error)
		bio_complete(bio, error);
	else
		bio->dev->ops->submit(bio->dev, bio);
}

void bio_complete(struct bio *bio, int error)
{
	struct block_stat *st = &bio->dev->stat;

	stat_add(&st->in_flight, -1UL);
	if (error)
		stat_add(&st->errors, 1);
	stable_end(bio);
	bio->done(bio, error);
}

/* -- waiting for one -------------------------------------------------------------------------------------------- */

struct sync_wait {
	int error;
	bool done;
};

static void sync_done(struct bio *bio, int error)
{
	struct sync_wait *wait = bio->ctx;

	wait->error = error;
	__atomic_store_n(&wait->done, true, __ATOMIC_RELEASE);
	wake_up_all(&sync_queue);
}

static int submit_and_wait(struct bio *bio)
{
	struct sync_wait wait = {0};

	bio->done = sync_done;
	bio->ctx = &wait;
	block_submit(bio);
	wait_event(&sync_queue, __atomic_load_n(&wait.done, __ATOMIC_ACQUIRE));
	bio_free(bio);
	return wait.error;
}

/* A request for one piece, or NULL. */
static struct bio *bio_for(struct block_device *dev, u64 sector, struct page *page, unsigned offset, unsigned length,
                           bool write)
{
	struct bio *bio = bio_alloc(GFP_KERNEL);

	if (!bio)
		return NULL;
	bio->dev = dev;
	bio->sector = sector;
	bio->write = write;
	bio_add(bio, page, offset, length);
	return bio;
}

int block_rw_sync(struct block_device *dev, u64 sector, struct page *page, unsigned offset, unsigned length, bool write)
{
	struct bio *bio = bio_for(dev, sector, page, offset, length, write);

	return bio ? submit_and_wait(bio) : -ENOMEM;
}

int block_rw_meta(struct block_device *dev, u64 sector, struct page *page, unsigned offset, unsigned length, bool write)
{
	struct bio *bio = bio_for(dev, sector, page, offset, length, write);

	if (!bio)
		return -ENOMEM;
	bio->meta = true;
	return submit_and_wait(bio);
}

int block_flush(struct block_device *dev)
{
	struct bio *bio = bio_alloc(GFP_KERNEL);

	if (!bio)
		return -ENOMEM;
	bio->dev = dev;
	bio->flush = true;
	return submit_and_wait(bio);
}

/* -- the list of devices ---------------------------------------------------------------------------------------- */

void block_register(struct block_device *dev)
{
	struct block_device *other;
	unsigned long flags;

	ASSERT(dev->max_segments >= 1 && dev->max_segments <= BIO_VECS_MAX);
	flags = spin_lock_irqsave(&devices_lock);
	dev->minor = 0;
	list_for_each_entry(other, &devices, link)
		dev->minor++;
	list_add_tail(&dev->link, &devices);
	spin_unlock_irqrestore(&devices_lock, flags);
	printk("%s: %llu KiB%s\n", dev->name, (unsigned long long)(dev->sectors / 2), dev->read_only ? ", read-only" : "");
}

/* The first device for which @name matches or, without a name, the one with @minor. */
static struct block_device *device_search(const char *name, unsigned minor)
{
	struct block_device *dev, *found = NULL;
	unsigned long flags = spin_lock_irqsave(&devices_lock);

	list_for_each_entry(dev, &devices, link)
		if (!found && (name ? strcmp(dev->name, name) == 0 : dev->minor == minor))
			found = dev;
	spin_unlock_irqrestore(&devices_lock, flags);
	return found;
}

struct block_device *block_find(const char *name)
{
	if (strncmp(name, "/dev/", 5) == 0)
		name += 5;
	return device_search(name, 0);
}

struct block_device *block_nth(unsigned n)
{
	return device_search(NULL, n);
}
