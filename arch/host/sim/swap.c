/*
 * swap.c - swap areas of the simulated machine: slots in the memory of the process.  Beside the layers; sim.h.
 *
 * The device is a thread: requests wait in a list, so that writeback and reading take their time and the seed has a say in when
 * they end.
 */
#include "arch/host/os/os.h"
#include "arch/host/sim.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/sync/wait.h"
#include "mm/object/swap.h"
#include "mm/phys/slab.h"
#include "mm/service/swapoff.h"

struct request {
	struct list link;
	unsigned long slot;
	unsigned n;
	bool write;
	struct page *pages[SWAP_BATCH];
};

struct sim_swap {
	unsigned type;
	u8 *bytes;
	spinlock_t lock; /* rank LOCK_DEVICE: what follows */
	struct list queue;
	unsigned fail_reads, fail_writes; /* so many requests from now on */
	unsigned long requests;
	bool over;
	struct wait_queue wait;
	struct sim_thread *device;
};

/* => @s->lock */
static struct request *next_request(struct sim_swap *s)
{
	struct request *r = list_empty(&s->queue) ? NULL : container_of(s->queue.next, struct request, link);

	if (r)
		list_del(&r->link);
	return r;
}

static bool take_failure(unsigned *left)
{
	if (*left == 0)
		return false;
	--*left;
	return true;
}

static void carry_out(struct sim_swap *s, struct request *r)
{
	unsigned long flags = spin_lock_irqsave(&s->lock);
	int error = take_failure(r->write ? &s->fail_writes : &s->fail_reads) ? -EIO : 0;

	spin_unlock_irqrestore(&s->lock, flags);
	for (unsigned i = 0; i < r->n; i++) {
		u8 *at = s->bytes + ((r->slot + i) << PAGE_SHIFT);
		void *va = page_kmap(r->pages[i]);

		if (!error)
			memcpy(r->write ? (void *)at : va, r->write ? va : (void *)at, PAGE_SIZE);
		page_kunmap(va);
		sim_point();
		(r->write ? swap_write_done : swap_read_done)(r->pages[i], error);
	}
	kfree(r);
}

static void device(void *arg)
{
	struct sim_swap *s = arg;
	struct request *r;

	do {
		unsigned long flags;

		wait_event(&s->wait, !list_empty(&s->queue) || READ_ONCE(s->over));
		flags = spin_lock_irqsave(&s->lock);
		r = next_request(s);
		spin_unlock_irqrestore(&s->lock, flags);
		if (r)
			carry_out(s, r);
	} while (r || !READ_ONCE(s->over));
}

static void enqueue(struct sim_swap *s, unsigned long slot, struct page **pages, unsigned n, bool write)
{
	struct request *r = kmalloc(sizeof(*r), GFP_ATOMIC);
	unsigned long flags;

	if (!r) {
		for (unsigned i = 0; i < n; i++)
			(write ? swap_write_done : swap_read_done)(pages[i], -ENOMEM);
		return;
	}
	r->slot = slot;
	r->n = n;
	r->write = write;
	memcpy(r->pages, pages, n * sizeof(*pages));
	flags = spin_lock_irqsave(&s->lock);
	list_add_tail(&r->link, &s->queue);
	s->requests++;
	spin_unlock_irqrestore(&s->lock, flags);
	wake_up(&s->wait);
}

static void swap_read_slots(void *host, unsigned long slot, struct page **pages, unsigned n)
{
	enqueue(host, slot, pages, n, false);
}

static void swap_write_slots(void *host, unsigned long slot, struct page **pages, unsigned n)
{
	enqueue(host, slot, pages, n, true);
}

static const struct swap_ops ops = {.read = swap_read_slots, .write = swap_write_slots};

static void swap_free(struct sim_swap *s)
{
	os_free(s->bytes);
	os_free(s);
}

struct sim_swap *sim_swap_on(unsigned long pages, int prio)
{
	struct sim_swap *s = os_alloc(sizeof(*s));
	struct swap_setup setup = {.ops = &ops, .host = s, .pages = pages, .prio = prio};
	int type;

	s->bytes = os_alloc(pages << PAGE_SHIFT);
	spin_init(&s->lock, LOCK_DEVICE);
	list_init(&s->queue);
	wait_queue_init(&s->wait);
	type = swap_area_start(&setup);
	if (type < 0) {
		swap_free(s);
		return NULL;
	}
	s->type = (unsigned)type;
	s->device = sim_spawn(NULL, -1, device, s);
	return s;
}

int sim_swap_off(struct sim_swap *s)
{
	int err = swap_off(s->type);

	if (err)
		return err;
	WRITE_ONCE(s->over, true);
	wake_up(&s->wait);
	sim_join(s->device);
	swap_free(s);
	return 0;
}

unsigned sim_swap_type(const struct sim_swap *s)
{
	return s->type;
}

unsigned long sim_swap_requests(const struct sim_swap *s)
{
	return READ_ONCE(s->requests);
}

void sim_swap_fail(struct sim_swap *s, unsigned reads, unsigned writes)
{
	unsigned long flags = spin_lock_irqsave(&s->lock);

	s->fail_reads = reads;
	s->fail_writes = writes;
	spin_unlock_irqrestore(&s->lock, flags);
}
