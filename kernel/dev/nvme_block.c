/*
 * nvme_block.c - block requests as NVMe commands.
 *
 * Layer 9 (kernel/dev); NVM Express 1.4, sections 4.3 (physical region pages) and 6 (NVM command set).
 * Lock order: disk->lock (LOCK_BLOCK, interrupts off); done() is called without it.
 *
 * A request takes a slot, whose number is the command's id.  A command names whole pages, but for the start of the
 * first and the end of the last; a request that has gaps elsewhere is said in several commands, each after the end
 * of the one before.  Submitters sleep for a slot.
 *
 * A device that is silent for too long is stopped, so that it reaches no memory any more, and all that it had, and all
 * that comes, ends with -EIO.
 */
#include "kernel/dev/nvme.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"

enum { FLUSH = 0, WRITE = 1, READ = 2 };

#define WATCH_NS NSEC_PER_SEC
#define LIST_BYTES 512 /* of one slot; none crosses a page */
_Static_assert(BIO_VECS_MAX * sizeof(u64) <= LIST_BYTES, "a list has all of a request's pages");

int nvme_slots_init(struct nvme_disk *disk, unsigned slots)
{
	struct page *page = NULL;

	for (unsigned i = 0; i < slots; i++) {
		unsigned at = i * LIST_BYTES % PAGE_SIZE;

		if (!at)
			page = page_alloc(0, GFP_KERNEL | GFP_ZERO);
		if (!page)
			return -ENOMEM;
		disk->slot[i].list = (u64 *)((char *)page_address(page) + at);
		disk->slot[i].list_pa = page_to_phys(page) + at;
	}
	disk->slots = slots;
	return 0;
}

/* -- submission ------------------------------------------------------------------------------------------------- */

static u64 piece_pa(const struct bio_vec *v)
{
	return page_to_phys(v->page) + v->offset;
}

/* What a command says of memory. */
struct region {
	u64 first; /* where it begins */
	unsigned pages, bytes;
	u64 end;
};

/* Does the piece at @pa go on where the region ends, as a command can say it? */
static bool joins(const struct region *r, u64 pa)
{
	bool same_page = pa == r->end && !IS_ALIGNED(pa, (u64)PAGE_SIZE);

	return same_page || (IS_ALIGNED(pa, (u64)PAGE_SIZE) && IS_ALIGNED(r->end, (u64)PAGE_SIZE));
}

static void add(struct region *r, u64 *list, u64 pa, unsigned length)
{
	if (!r->bytes) {
		r->first = pa;
		r->pages = 1;
	} else if (IS_ALIGNED(pa, (u64)PAGE_SIZE)) {
		list[r->pages++ - 1] = pa;
	}
	r->bytes += length;
	r->end = pa + length;
}

/* As many of the slot's pieces as go into one command; the list of their pages, from the second on. => lock */
static struct region take_pieces(struct nvme_slot *s)
{
	struct region r = {.bytes = 0};
	const struct bio *bio = s->bio;

	for (; s->next < bio->nr_vec; s->next++) {
		u64 pa = piece_pa(&bio->vec[s->next]);

		if (r.bytes && !joins(&r, pa))
			break;
		add(&r, s->list, pa, bio->vec[s->next].length);
	}
	return r;
}

/* The slot's next command. => lock */
static void post(struct nvme_disk *disk, struct nvme_slot *s)
{
	struct nvme_command c = {.opcode = FLUSH, .id = (u16)(s - disk->slot), .namespace = NVME_NAMESPACE};
	struct region r;

	if (!s->bio->flush) {
		r = take_pieces(s);
		c.opcode = s->bio->write ? WRITE : READ;
		c.prp1 = r.first;
		c.prp2 = r.pages == 2 ? s->list[0] : r.pages > 2 ? s->list_pa : 0;
		c.arg[0] = (u32)s->sector;
		c.arg[1] = (u32)(s->sector >> 32);
		c.arg[2] = (r.bytes >> SECTOR_SHIFT) - 1;
		s->sector += r.bytes >> SECTOR_SHIFT;
	}
	s->posted_ns = clock_ns();
	nvme_queue_post(&disk->io, &c);
}

static struct nvme_slot *free_slot(struct nvme_disk *disk)
{
	for (unsigned i = 0; i < disk->slots; i++)
		if (!disk->slot[i].bio)
			return &disk->slot[i];
	return NULL;
}

/* 0: on its way; -EAGAIN: no slot; -EIO: the device is dead. */
static int try_start(struct nvme_disk *disk, struct bio *bio)
{
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	struct nvme_slot *s = disk->dead ? NULL : free_slot(disk);
	int result = disk->dead ? -EIO : -EAGAIN;

	if (s) {
		s->bio = bio;
		s->next = 0;
		s->sector = bio->sector;
		post(disk, s);
		result = 0;
	}
	spin_unlock_irqrestore(&disk->lock, flags);
	return result;
}

static void submit(struct block_device *dev, struct bio *bio)
{
	struct nvme_disk *disk = dev->private;
	int result;

	if (bio->flush && !disk->flush) {
		bio_complete(bio, 0); /* what it completed is durable */
		return;
	}
	result = try_start(disk, bio);
	if (result == -EAGAIN) {
		__atomic_fetch_add(&dev->stat.slot_waits, 1, __ATOMIC_RELAXED);
		wait_event(&disk->slot_free, (result = try_start(disk, bio)) != -EAGAIN);
	}
	if (result)
		bio_complete(bio, result);
}

static const struct block_ops nvme_ops = {.submit = submit};

/* -- completion ------------------------------------------------------------------------------------------------- */

/* @c is the end of a command: the request that has ended with it, or NULL (it goes on, or nobody asked). => lock */
static struct bio *finish(struct nvme_disk *disk, const struct nvme_completion *c, int *error)
{
	struct nvme_slot *s = c->id < disk->slots ? &disk->slot[c->id] : NULL;
	struct bio *bio = s ? s->bio : NULL;

	if (!bio)
		return NULL;
	*error = c->status ? -EIO : 0;
	if (!c->status && !bio->flush && s->next < bio->nr_vec) {
		post(disk, s);
		return NULL;
	}
	s->bio = NULL;
	return bio;
}

/* The next finished request, its slot given back; NULL: none. */
static struct bio *reap(struct nvme_disk *disk, int *error)
{
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	struct nvme_completion c;
	struct bio *bio = NULL;

	while (!bio && !disk->dead && nvme_queue_pop(&disk->io, &c))
		bio = finish(disk, &c, error);
	spin_unlock_irqrestore(&disk->lock, flags);
	return bio;
}

void nvme_interrupt(void *ctx)
{
	struct nvme_disk *disk = ctx;
	struct bio *bio;
	bool any = false;
	int error = 0;

	while ((bio = reap(disk, &error))) {
		if (error)
			printk("%s: %s error at sector %llu\n", disk->block.name,
			       bio->flush   ? "flush"
			       : bio->write ? "write"
			                    : "read",
			       (unsigned long long)bio->sector);
		bio_complete(bio, error);
		any = true;
	}
	if (any)
		wake_up_all(&disk->slot_free);
}

/* -- the watchdog ----------------------------------------------------------------------------------------------- */

/* Any request of a dead device, or NULL. */
static struct bio *take_abandoned(struct nvme_disk *disk)
{
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	struct bio *bio = NULL;

	for (unsigned i = 0; i < disk->slots && !bio; i++) {
		bio = disk->slot[i].bio;
		disk->slot[i].bio = NULL;
	}
	spin_unlock_irqrestore(&disk->lock, flags);
	return bio;
}

static void bury(struct nvme_disk *disk, const char *why)
{
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	struct bio *bio;

	disk->dead = true;
	nvme_stop(disk);
	spin_unlock_irqrestore(&disk->lock, flags);
	printk("%s: %s: stopped; all further I/O ends with an error\n", disk->block.name, why);
	while ((bio = take_abandoned(disk)))
		bio_complete(bio, -EIO);
	wake_up_all(&disk->slot_free);
}

/* Is there a command that the device has had for too long? */
static bool overdue(struct nvme_disk *disk, u64 now)
{
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	bool found = false;

	for (unsigned i = 0; i < disk->slots; i++)
		if (disk->slot[i].bio && now - min(now, disk->slot[i].posted_ns) > disk->patience_ns)
			found = true;
	spin_unlock_irqrestore(&disk->lock, flags);
	return found;
}

static void watch(void *arg)
{
	struct nvme_disk *disk = arg;
	u64 now = clock_ns();

	nvme_interrupt(disk); /* one that was lost costs a second, not the disk */
	if (nvme_failed(disk))
		bury(disk, "device failed");
	else if (overdue(disk, now))
		bury(disk, "no answer");
	else
		timer_add(&disk->watch, now + WATCH_NS);
}

void nvme_block_start(struct nvme_disk *disk)
{
	disk->block.ops = &nvme_ops;
	disk->block.private = disk;
	disk->dead = false;
	timer_init(&disk->watch, watch, disk);
	timer_add(&disk->watch, clock_ns() + WATCH_NS);
	block_register(&disk->block);
}
