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

static int start(struct block_device *dev, struct bio *bio)
{
	struct nvme_disk *disk = dev->private;
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

static struct bio *reap(struct block_device *dev, int *error)
{
	struct nvme_disk *disk = dev->private;
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

	block_slots_finish(&disk->base);
}

/* -- the watchdog ----------------------------------------------------------------------------------------------- */

static struct bio *abandon(struct block_device *dev)
{
	struct nvme_disk *disk = dev->private;
	unsigned long flags = spin_lock_irqsave(&disk->lock);
	struct bio *bio = NULL;

	for (unsigned i = 0; i < disk->slots && !bio; i++) {
		bio = disk->slot[i].bio;
		disk->slot[i].bio = NULL;
	}
	spin_unlock_irqrestore(&disk->lock, flags);
	return bio;
}

const struct block_slot_ops nvme_slot_ops = {.start = start, .reap = reap, .abandon = abandon};

static void bury(struct nvme_disk *disk, const char *why)
{
	unsigned long flags = spin_lock_irqsave(&disk->lock);

	disk->dead = true;
	nvme_stop(disk);
	spin_unlock_irqrestore(&disk->lock, flags);
	printk("%s: %s: stopped; all further I/O ends with an error\n", disk->base.block.name, why);
	block_slots_abandon(&disk->base);
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
	disk->dead = false;
	timer_init(&disk->watch, watch, disk);
	timer_add(&disk->watch, clock_ns() + WATCH_NS);
	block_register(&disk->base.block);
}
