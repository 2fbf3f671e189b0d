/*
 * disk.c - a block device over a file of the real machine, and the VFS on top.
 *
 * Beside the layers, in the place of kernel/main and of the virtio driver.  Half of the requests, by the seed, end inside
 * submit(), the other half later in the thread "disk", in any order, as a device's interrupt would: interrupts off.
 */
#include "arch/host/disk/disk.h"

#include "arch/host/os/os.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sync/wait.h"
#include "mm/phys/slab.h"

#define SEEK_NS 20000

struct disk {
	struct block_device block;
	struct os_image *image;
	spinlock_t lock; /* LOCK_BLOCK, irqsave: what follows */
	struct list waiting;
	bool stopping;
	struct wait_queue wq; /* the thread */
	struct sim_thread *thread;
	struct disk *next;
};

static struct disk *disks;

/* -- requests ---------------------------------------------------------------------------------------------------- */
static bool move_piece(struct disk *d, u64 at, const struct bio_vec *v, bool write)
{
	u8 *va = page_kmap(v->page);
	bool ok = write ? os_image_write(d->image, at, va + v->offset, v->length)
	                : os_image_read(d->image, at, va + v->offset, v->length);

	page_kunmap(va);
	return ok;
}

static int carry_out(struct disk *d, const struct bio *bio)
{
	u64 at = bio->sector << SECTOR_SHIFT;

	if (bio->flush)
		return os_image_sync(d->image) ? 0 : -EIO;
	for (unsigned i = 0; i < bio->nr_vec; i++) {
		if (!move_piece(d, at, &bio->vec[i], bio->write))
			return -EIO;
		at += bio->vec[i].length;
	}
	return 0;
}

static void disk_submit(struct block_device *dev, struct bio *bio)
{
	struct disk *d = dev->private;
	unsigned long flags;

	if (sim_below(2)) {
		bio_complete(bio, carry_out(d, bio));
		return;
	}
	flags = spin_lock_irqsave(&d->lock);
	if (sim_below(2))
		list_add(&bio->link, &d->waiting);
	else
		list_add_tail(&bio->link, &d->waiting);
	spin_unlock_irqrestore(&d->lock, flags);
	wake_up(&d->wq);
}

static const struct block_ops disk_ops = {.submit = disk_submit};

static struct bio *next_request(struct disk *d)
{
	unsigned long flags = spin_lock_irqsave(&d->lock);
	struct bio *bio = NULL;

	if (!list_empty(&d->waiting)) {
		bio = list_first_entry(&d->waiting, struct bio, link);
		list_del(&bio->link);
	}
	spin_unlock_irqrestore(&d->lock, flags);
	return bio;
}

static void disk_thread(void *arg)
{
	struct disk *d = arg;

	for (;;) {
		struct bio *bio = next_request(d);

		if (bio) {
			int err = carry_out(d, bio);
			unsigned long flags;

			sim_sleep(SEEK_NS);
			flags = irq_save();
			bio_complete(bio, err);
			irq_restore(flags);
		} else if (READ_ONCE(d->stopping)) {
			return;
		} else {
			wait_event(&d->wq, !list_empty(&d->waiting) || READ_ONCE(d->stopping));
		}
	}
}

/* -- for tests ----------------------------------------------------------------------------------------------------- */
struct block_device *disk_attach(const char *name, const char *path)
{
	struct os_image *image = os_image_open(path, true);
	struct disk *d;

	if (!image)
		return NULL;
	d = os_alloc(sizeof(*d));
	d->image = image;
	strlcpy(d->block.name, name, sizeof(d->block.name));
	d->block.sectors = os_image_size(image) >> SECTOR_SHIFT;
	d->block.max_segments = BIO_VECS_MAX;
	d->block.ops = &disk_ops;
	d->block.private = d;
	spin_init(&d->lock, LOCK_BLOCK);
	list_init(&d->waiting);
	wait_queue_init(&d->wq);
	d->thread = sim_spawn(NULL, -1, disk_thread, d);
	d->next = disks;
	disks = d;
	block_register(&d->block);
	return &d->block;
}

void disk_start(void)
{
	block_init();
	vfs_init();
}

long disk_mmap(struct mm *mm, struct file *f, size_t length, unsigned prot, unsigned flags, pgoff_t pgoff)
{
	struct mmap_request req = {.length = length, .prot = prot, .flags = flags, .pgoff = pgoff};
	int err = file_mmap_prepare(f, &req);

	return err ? err : mm_mmap(mm, &req);
}

void disk_stop(void)
{
	vfs_shutdown();
	for (struct disk *d = disks; d; d = d->next) {
		WRITE_ONCE(d->stopping, true);
		wake_up_all(&d->wq);
		sim_join(d->thread);
		os_image_sync(d->image);
	}
}
