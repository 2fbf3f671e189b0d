/*
 * virtio_blk.c - disks: virtio-blk over PCI, one queue, several requests in flight.
 *
 * Layer 9 (kernel/dev); virtio 1.1 section 5.2.  A request takes a slot of the queue: header, data pieces,
 * status byte.  Submitters sleep for a slot; the interrupt handler gives slots back and completes requests.
 * A device that breaks is reset and everything it had ends with -EIO; one that merely stays silent is
 * reported on the console every 30 s (its memory may still be written to, so nothing is given up).
 *
 * Lock order: disk->lock (LOCK_BLOCK, interrupts off); done() is called without it.
 */
#include "kernel/dev/virtio_blk.h"

#include "kernel/dev/block_slots.h"
#include "kernel/dev/virtio.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/timer.h"
#include "mm/phys/slab.h"

enum { VIRTIO_BLK_MODERN = 0x1042, VIRTIO_BLK_TRANSITIONAL = 0x1001 };
enum { F_SIZE_MAX = 1, F_SEG_MAX = 2, F_RO = 5, F_FLUSH = 9 };
enum { CONFIG_CAPACITY = 0, CONFIG_SIZE_MAX = 8, CONFIG_SEG_MAX = 12 };
enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPPORTED = 2, S_NEVER = 0xff };

#define SILENCE_NS (30 * NSEC_PER_SEC)
#define WATCH_NS (5 * NSEC_PER_SEC)

/* What the device reads and writes besides data. */
struct request {
	u32 type, reserved;
	u64 sector;
	u8 status;
	u8 pad[15];
};

struct disk {
	struct block_slots base;
	struct virtio_device vd;
	spinlock_t lock;
	struct virtqueue vq;                  /* lock */
	struct bio *bio[VIRTQUEUE_SLOTS_MAX]; /* lock: who uses the slot */
	struct request *request;              /* one a slot, in one page */
	bool dead;                            /* lock: not set up yet, or reset after it broke */
	struct timer watch;
	u64 reported_ns; /* when silence was last reported */
};

/* -- submission ------------------------------------------------------------------------------------------------- */

static paddr_t request_pa(struct disk *disk, unsigned slot)
{
	return page_to_phys(virt_to_page(disk->request)) + slot * sizeof(struct request);
}

static unsigned describe(struct disk *disk, unsigned slot, const struct bio *bio)
{
	struct request *rq = &disk->request[slot];
	paddr_t pa = request_pa(disk, slot);
	unsigned n = 0;

	*rq = (struct request){
		.type = bio->flush   ? T_FLUSH
	            : bio->write ? T_OUT
	                         : T_IN,
		.sector = bio->flush ? 0 : bio->sector,
		.status = S_NEVER,
	};
	virtqueue_describe(&disk->vq, slot, n++, pa, offsetof(struct request, status), false);
	for (unsigned i = 0; i < bio->nr_vec; i++) {
		const struct bio_vec *v = &bio->vec[i];

		virtqueue_describe(&disk->vq, slot, n++, page_to_phys(v->page) + v->offset, v->length, !bio->write);
	}
	virtqueue_describe(&disk->vq, slot, n++, pa + offsetof(struct request, status), 1, true);
	return n;
}

static int start(struct block_device *dev, struct bio *bio)
{
	struct disk *disk = dev->private;
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	int slot = disk->dead ? -1 : virtqueue_take(&disk->vq);
	int result = disk->dead ? -EIO : -EAGAIN;

	if (slot >= 0) {
		disk->bio[slot] = bio;
		virtqueue_post(&disk->vq, slot, describe(disk, slot, bio));
		result = 0;
	}
	spin_unlock_irqrestore(&disk->lock, flags);
	return result;
}

/* -- completion ------------------------------------------------------------------------------------------------- */

static int request_error(u8 status)
{
	return status == S_OK ? 0 : -EIO;
}

static struct bio *reap(struct block_device *dev, int *error)
{
	struct disk *disk = dev->private;
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	int slot = disk->dead ? -1 : virtqueue_pop(&disk->vq);
	struct bio *bio = NULL;

	if (slot >= 0) {
		bio = disk->bio[slot];
		disk->bio[slot] = NULL;
		*error = request_error(READ_ONCE(disk->request[slot].status));
		virtqueue_release(&disk->vq, slot);
	}
	spin_unlock_irqrestore(&disk->lock, flags);
	return bio;
}

static void disk_interrupt(void *ctx)
{
	struct disk *disk = ctx;

	if (disk->vd.pci->irq == PCI_IRQ_LINE && !virtio_isr(&disk->vd))
		return; /* somebody else on this line */
	block_slots_finish(&disk->base);
}

/* -- the watchdog ----------------------------------------------------------------------------------------------- */

static struct bio *abandon(struct block_device *dev)
{
	struct disk *disk = dev->private;
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	struct bio *bio = NULL;

	for (unsigned i = 0; i < disk->vq.slots && !bio; i++) {
		bio = disk->bio[i];
		disk->bio[i] = NULL;
	}
	spin_unlock_irqrestore(&disk->lock, flags);
	return bio;
}

static const struct block_slot_ops slot_ops = {.start = start, .reap = reap, .abandon = abandon};

/* The device says that it is broken: stop it (then it writes to memory no more) and end what it had. */
static void disk_bury(struct disk *disk)
{
	unsigned long flags = spin_lock_irqsave(&disk->lock);

	virtio_reset(&disk->vd);
	disk->dead = true;
	spin_unlock_irqrestore(&disk->lock, flags);
	printk("%s: device failed; all further I/O ends with an error\n", disk->base.block.name);
	block_slots_abandon(&disk->base);
}

/* When the oldest request in flight was submitted, or 0. */
static u64 oldest_request(struct disk *disk, unsigned *count)
{
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	u64 oldest = 0;

	*count = 0;
	for (unsigned i = 0; i < disk->vq.slots; i++)
		if (disk->bio[i]) {
			++*count;
			if (!oldest || disk->bio[i]->submitted_ns < oldest)
				oldest = disk->bio[i]->submitted_ns;
		}
	spin_unlock_irqrestore(&disk->lock, flags);
	return oldest;
}

static void disk_watch(void *arg)
{
	struct disk *disk = arg;
	u64 now = clock_ns(), oldest;
	unsigned count;

	if (virtio_device_status(&disk->vd) & VIRTIO_NEEDS_RESET) {
		disk_bury(disk);
		return;
	}
	disk_interrupt(disk); /* an interrupt that was lost costs five seconds, not the system */
	oldest = oldest_request(disk, &count);
	if (oldest && (s64)(now - max(oldest, disk->reported_ns)) >= (s64)SILENCE_NS) { /* it may be newer than now */
		disk->reported_ns = now;
		printk("%s: no answer for %llu s, %u requests in flight\n", disk->base.block.name,
		       (unsigned long long)((now - oldest) / NSEC_PER_SEC), count);
	}
	timer_add(&disk->watch, now + WATCH_NS);
}

/* -- finding disks ---------------------------------------------------------------------------------------------- */

static int disk_queue_init(struct disk *disk)
{
	struct virtio_device *vd = &disk->vd;
	unsigned segments = virtio_has(vd, F_SEG_MAX) ? virtio_config32(vd, CONFIG_SEG_MAX) : 1;
	struct page *page;
	int error;

	if (virtio_has(vd, F_SIZE_MAX) && virtio_config32(vd, CONFIG_SIZE_MAX) < PAGE_SIZE)
		return -ENODEV;
	segments = max(1u, min(segments, (unsigned)BIO_VECS_MAX));
	error = virtqueue_init(&disk->vq, vd, 0, segments + 2, 3);
	if (error)
		return error;
	disk->base.block.max_segments = min(segments, disk->vq.slot_descs - 2);
	page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
	if (!page)
		return -ENOMEM;
	STATIC_ASSERT(sizeof(struct request) == 32 && VIRTQUEUE_SLOTS_MAX * sizeof(struct request) <= PAGE_SIZE);
	disk->request = page_address(page);
	return 0;
}

static int disk_setup(struct disk *disk, struct pci_device *pci)
{
	u64 wanted = 1ull << F_SIZE_MAX | 1ull << F_SEG_MAX | 1ull << F_RO | 1ull << F_FLUSH | 1ull << VIRTIO_F_INDIRECT;
	int error;

	pci_enable(pci);
	error = virtio_attach(&disk->vd, pci);
	if (!error)
		error = virtio_negotiate(&disk->vd, wanted);
	if (error)
		return error;
	error = pci_irq_request(pci, disk_interrupt, disk);
	if (!error)
		error = disk_queue_init(disk);
	if (error) {
		virtio_reset(&disk->vd);
		virtio_failed(&disk->vd);
		return error;
	}
	disk->base.volatile_cache = virtio_has(&disk->vd, F_FLUSH);
	disk->base.block.sectors = virtio_config64(&disk->vd, CONFIG_CAPACITY);
	disk->base.block.read_only = virtio_has(&disk->vd, F_RO);
	disk->dead = false;
	virtio_ready(&disk->vd);
	return 0;
}

/* @n: the disk's number. An interrupt handler may refer to it for good, so a failed one is not freed. */
static bool disk_create(struct pci_device *pci, unsigned n)
{
	struct disk *disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	int error;

	if (!disk)
		return false;
	spin_init(&disk->lock, LOCK_BLOCK);
	block_slots_init(&disk->base, &slot_ops, disk);
	timer_init(&disk->watch, disk_watch, disk);
	snprintf(disk->base.block.name, sizeof(disk->base.block.name), "vd%c", 'a' + n);
	disk->dead = true;
	error = disk_setup(disk, pci);
	if (error) {
		printk("virtio-blk: %u:%u.%u: cannot be used (error %d)\n", pci->bus, pci->slot, pci->func, -error);
		return false;
	}
	timer_add(&disk->watch, clock_ns() + WATCH_NS);
	block_register(&disk->base.block);
	return true;
}

static bool is_disk(const struct pci_device *pci)
{
	return pci->vendor == VIRTIO_VENDOR && (pci->device == VIRTIO_BLK_MODERN || pci->device == VIRTIO_BLK_TRANSITIONAL);
}

void virtio_blk_init(void)
{
	struct pci_device *pci = NULL;
	unsigned n = 0;

	while ((pci = pci_next(pci))) {
		if (is_disk(pci) && n < 26 && disk_create(pci, n))
			n++;
	}
}
