/*
 * mirror_device.c - a device in software with an MMU of its own.
 *
 * Layer 9 (kernel/dev).  Interface: mirror_device.h.
 * Lock order: device->lock (LOCK_DEVICE, a spinlock: the queue of work) alone; mirror.sub.lock: table and TLB.
 *
 *   an access:   TLB ----miss----> table ----miss----> fault: mirror_fill(), then from the beginning
 *
 * One access is one hold of the subscription's lock, as a bus transaction is one: a flush that has returned has seen the end of
 * those that used the old translation.  The TLB is looked at first and forgets only what it is told to, as hardware's
 * does; so a flush that is missed, or comes too early, is an access to a page that is somebody else's by now.
 */
#include "kernel/dev/mirror_device.h"

#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/completion.h"
#include "mm/phys/slab.h"

#define TLB_SIZE 64

struct tlb_entry {
	vaddr_t va;
	struct page *page; /* NULL: nothing */
	bool write;
};

struct mirror_device {
	struct mirror mirror;
	struct tlb_entry tlb[TLB_SIZE]; /* sub.lock */
	unsigned long tlb_hits, tlb_flushes;
	spinlock_t lock;
	struct list queue; /* struct item */
	bool stop;
	struct wait_queue work;
	struct completion ended;
};

/* Work on its way. */
struct item {
	struct mirror_work w;
	struct list link;
	int refs; /* atomic: who asked, the device */
	int result;
	bool abandoned; /* who asked was killed */
	struct completion done;
};

/* -- TLB and table: sub.lock held ---------------------------------------------------------------------------------------- */

static struct mirror_device *device_of(struct mirror *m)
{
	return container_of(m, struct mirror_device, mirror);
}

static struct tlb_entry *tlb_slot(struct mirror_device *d, vaddr_t va)
{
	return &d->tlb[(va >> PAGE_SHIFT) % TLB_SIZE];
}

static void tlb_flush(struct mirror *m, vaddr_t start, vaddr_t end)
{
	struct mirror_device *d = device_of(m);

	for (struct tlb_entry *e = d->tlb; e < d->tlb + TLB_SIZE; e++)
		if (e->page && e->va >= start && e->va < end)
			e->page = NULL;
	d->tlb_flushes++;
}

/* The device's walk: young, and dirty if it is going to store. */
static struct tlb_entry *tlb_load(struct mirror_device *d, vaddr_t va, bool write)
{
	struct tlb_entry *e = tlb_slot(d, va);
	struct spte *s = mirror_find(&d->mirror, va);

	if (!s || (write && !s->write))
		return NULL;
	s->young = true;
	s->dirty |= write;
	*e = (struct tlb_entry){.va = va, .page = s->page, .write = write};
	return e;
}

static struct tlb_entry *translate(struct mirror_device *d, vaddr_t va, bool write)
{
	struct tlb_entry *e = tlb_slot(d, va);

	if (!e->page || e->va != va || (write && !e->write))
		return tlb_load(d, va, write);
	d->tlb_hits++;
	return e;
}

/* Words in one piece each, or bytes. */
static void move(char *to, const char *from, size_t n)
{
	if (n == sizeof(u32))
		WRITE_ONCE(*(u32 *)to, READ_ONCE(*(const u32 *)from));
	else
		memcpy(to, from, n);
}

static bool try_access(struct mirror_device *d, vaddr_t va, void *bytes, size_t n, bool write)
{
	struct tlb_entry *e;

	spin_lock(&d->mirror.sub.lock);
	e = translate(d, ALIGN_DOWN(va, PAGE_SIZE), write);
	if (e) {
		char *page = page_kmap(e->page);

		if (write)
			move(page + (va & ~PAGE_MASK), bytes, n);
		else
			move(bytes, page + (va & ~PAGE_MASK), n);
		page_kunmap(page);
	}
	spin_unlock(&d->mirror.sub.lock);
	return e;
}

/* => the device's thread; within a page */
static int access(struct mirror_device *d, vaddr_t va, void *bytes, size_t n, bool write, u64 *faults)
{
	while (!try_access(d, va, bytes, n, write)) {
		int err = mirror_fill(&d->mirror, va, write);

		if (err)
			return err;
		++*faults;
	}
	return 0;
}

static const struct mirror_ops device_mirror = {
	.flush = tlb_flush,
};

/* -- work ------------------------------------------------------------------------------------------------------------------ */

static struct item *item_of(struct mirror_work *w)
{
	return container_of(w, struct item, w);
}

struct mirror_work *mirror_work_alloc(void)
{
	struct item *i = kzalloc(sizeof(*i), GFP_KERNEL);

	if (!i)
		return NULL;
	i->refs = 1;
	completion_init(&i->done);
	i->w.bytes = kmalloc(PAGE_SIZE, GFP_KERNEL);
	if (i->w.bytes)
		return &i->w;
	kfree(i);
	return NULL;
}

void mirror_work_put(struct mirror_work *w)
{
	if (__atomic_sub_fetch(&item_of(w)->refs, 1, __ATOMIC_SEQ_CST))
		return;
	kfree(w->bytes);
	kfree(item_of(w));
}

static int do_words(struct mirror_device *d, struct item *i)
{
	struct mirror_work *w = &i->w;
	u32 *words = w->bytes;

	for (; w->done < w->count && !READ_ONCE(i->abandoned); w->done++) {
		vaddr_t va = w->va + (vaddr_t)(w->done % w->span) * w->stride;
		u32 value = w->value + w->done;
		int err = access(d, va, w->write ? &value : &words[w->done], sizeof(u32), w->write, &w->faults);

		if (err)
			return err;
		cond_resched();
	}
	return 0;
}

static int do_work(struct mirror_device *d, struct item *i)
{
	struct mirror_work *w = &i->w;
	int err;

	if (w->stride || w->span)
		return do_words(d, i);
	err = access(d, w->va, w->bytes, w->count, w->write, &w->faults);
	if (!err)
		w->done = w->count;
	return err;
}

static struct item *next_item(struct mirror_device *d)
{
	struct item *i = NULL;

	spin_lock(&d->lock);
	if (!list_empty(&d->queue)) {
		i = list_first_entry(&d->queue, struct item, link);
		list_del(&i->link);
	}
	spin_unlock(&d->lock);
	return i;
}

static void engine(void *arg)
{
	struct mirror_device *d = arg;
	struct item *i;

	while (!READ_ONCE(d->stop)) {
		wait_event(&d->work, READ_ONCE(d->stop) || !list_empty(&d->queue));
		while ((i = next_item(d))) {
			i->result = do_work(d, i);
			complete(&i->done);
			mirror_work_put(&i->w);
		}
	}
	complete(&d->ended);
}

int mirror_device_run(struct mirror_device *d, struct mirror_work *w)
{
	struct item *i = item_of(w);
	int err;

	__atomic_fetch_add(&i->refs, 1, __ATOMIC_RELAXED);
	spin_lock(&d->lock);
	list_add_tail(&i->link, &d->queue);
	spin_unlock(&d->lock);
	wake_up(&d->work);
	err = completion_wait_killable(&i->done);
	if (err)
		WRITE_ONCE(i->abandoned, true);
	return err ? err : i->result;
}

/* -- the device -------------------------------------------------------------------------------------------------------------- */

static struct mirror_device *device_alloc(unsigned flags, u64 ack_ns)
{
	struct mirror_device *d = kzalloc(sizeof(*d), GFP_KERNEL);

	if (!d)
		return NULL;
	d->mirror.ops = &device_mirror;
	d->mirror.acknowledging = flags & MIRROR_ACKNOWLEDGE;
	d->mirror.ack_ns = ack_ns;
	spin_init(&d->lock, LOCK_DEVICE);
	list_init(&d->queue);
	wait_queue_init(&d->work);
	completion_init(&d->ended);
	return d;
}

struct mirror_device *mirror_device_create(struct mm *mm, vaddr_t start, size_t length, unsigned flags, u64 ack_ns)
{
	struct mirror_device *d = device_alloc(flags, ack_ns);
	struct thread *t;
	int err;

	if (!d)
		return ERR_PTR(-ENOMEM);
	err = mirror_open(&d->mirror, mm, start, length);
	if (err) {
		kfree(d);
		return ERR_PTR(err);
	}
	t = thread_create_kernel("mirror", engine, d);
	if (!IS_ERR(t))
		return d;
	mirror_close(&d->mirror);
	kfree(d);
	return ERR_CAST(t);
}

void mirror_device_destroy(struct mirror_device *d)
{
	WRITE_ONCE(d->stop, true);
	wake_up(&d->work);
	completion_wait(&d->ended);
	mirror_close(&d->mirror);
	kfree(d);
}

unsigned mirror_device_look(struct mirror_device *d, vaddr_t va)
{
	unsigned prot = MIRROR_PROT_NONE;
	const struct spte *s;

	spin_lock(&d->mirror.sub.lock);
	s = mirror_find(&d->mirror, va);
	if (s)
		prot = s->write ? MIRROR_PROT_WRITE : s->zero ? MIRROR_PROT_READ | MIRROR_PROT_ZERO : MIRROR_PROT_READ;
	spin_unlock(&d->mirror.sub.lock);
	return prot;
}

void mirror_device_stat(struct mirror_device *d, struct mirror_stat *st)
{
	struct mmu_subscription *sub = &d->mirror.sub;

	spin_lock(&sub->lock);
	*st = (struct mirror_stat){
		.faults = d->mirror.stat.faults,
		.retries = d->mirror.stat.retries,
		.sptes = d->mirror.stat.sptes,
		.releases = d->mirror.stat.releases,
		.invalidations = sub->seq,
		.starts = READ_ONCE(sub->starts),
		.ends = READ_ONCE(sub->ends),
		.refused = READ_ONCE(sub->refused),
		.tlb_hits = d->tlb_hits,
		.tlb_flushes = d->tlb_flushes,
	};
	spin_unlock(&sub->lock);
	st->in_flight = mmu_ranges_in_flight(sub);
	st->subscriptions = READ_ONCE(mmu_notifier_stat.subscriptions);
	st->all_ranges = READ_ONCE(mmu_notifier_stat.ranges);
	st->all_callbacks = READ_ONCE(mmu_notifier_stat.callbacks);
	st->all_retries = READ_ONCE(mmu_notifier_stat.retries);
}
