/*
 * dma_engine.c - a device that stores.
 *
 * Layer 9 (kernel/dev).  Interface: dma_engine.h.  No locks: a flag, a wait queue, a completion.
 *
 * What makes it a device is what it does not do: no user entry, no TLB entry of the program, no fault, no dirty bit.  The only
 * thing between it and somebody else's memory are the pins of who started it.
 */
#include "kernel/dev/dma_engine.h"

#include "kernel/lib/err.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/completion.h"
#include "mm/phys/slab.h"

struct dma_engine {
	struct dma_job job;
	u64 rounds; /* the engine's, until it has ended */
	bool stop;
	struct wait_queue wake;
	struct completion ended;
};

/* A word of its own at a time, as a bus transaction. */
static void store_words(struct page *page, unsigned from, unsigned to, u64 value)
{
	char *va = page_kmap(page);

	for (unsigned at = from; at < to; at += sizeof(value))
		*(volatile u64 *)(va + at) = value;
	page_kunmap(va);
}

void dma_store(struct page **pages, u64 at, u64 value)
{
	unsigned offset = (unsigned)(at & (PAGE_SIZE - 1));

	store_words(pages[at >> PAGE_SHIFT], offset, offset + sizeof(value), value);
}

u64 dma_load(struct page **pages, u64 at)
{
	char *va = page_kmap(pages[at >> PAGE_SHIFT]);
	u64 value = *(volatile u64 *)(va + (at & (PAGE_SIZE - 1)));

	page_kunmap(va);
	return value;
}

static void round(const struct dma_engine *e)
{
	const struct dma_job *job = &e->job;
	u64 at = job->offset, end = job->offset + job->length;

	while (at < end) {
		unsigned offset = (unsigned)(at & (PAGE_SIZE - 1));
		unsigned n = (unsigned)min(end - at, (u64)(PAGE_SIZE - offset));

		store_words(job->pages[at >> PAGE_SHIFT], offset, offset + n, job->first + e->rounds);
		at += n;
		cond_resched();
	}
}

static void run(void *arg)
{
	struct dma_engine *e = arg;

	while (!READ_ONCE(e->stop)) {
		round(e);
		e->rounds++;
		if (e->job.pause_ns)
			(void)wait_event_timeout(&e->wake, READ_ONCE(e->stop), e->job.pause_ns);
	}
	complete(&e->ended);
}

struct dma_engine *dma_engine_start(const struct dma_job *job)
{
	struct dma_engine *e = kzalloc(sizeof(*e), GFP_KERNEL);
	struct thread *t;

	if (!e)
		return ERR_PTR(-ENOMEM);
	e->job = *job;
	wait_queue_init(&e->wake);
	completion_init(&e->ended);
	t = thread_create_kernel("dma", run, e);
	if (!IS_ERR(t))
		return e;
	kfree(e);
	return ERR_CAST(t);
}

u64 dma_engine_first(const struct dma_engine *e)
{
	return e->job.first;
}

u64 dma_engine_stop(struct dma_engine *e)
{
	u64 rounds;

	WRITE_ONCE(e->stop, true);
	wake_up_all(&e->wake);
	completion_wait(&e->ended);
	rounds = e->rounds;
	kfree(e);
	return rounds;
}
