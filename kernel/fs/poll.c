/*
 * poll.c - the table behind poll(2) and select(2).  Layer 9 (kernel/fs).
 * Used by one thread; the queues' own locks are all the locking there is.
 */
#include "kernel/fs/poll.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/errno.h"
#include "mm/phys/slab.h"

void poll_table_init(struct poll_table *pt)
{
	pt->used = 0;
	pt->error = 0;
	pt->chunks = NULL;
}

/* Room for one entry more, or NULL. */
static struct poll_entry *poll_entry_new(struct poll_table *pt)
{
	struct poll_chunk *chunk = pt->chunks;

	if (pt->used < POLL_INLINE)
		return &pt->first[pt->used++];
	if (!chunk || chunk->used == ARRAY_SIZE(chunk->entries)) {
		chunk = kmalloc(sizeof(*chunk), GFP_KERNEL);
		if (!chunk)
			return NULL;
		chunk->next = pt->chunks;
		chunk->used = 0;
		pt->chunks = chunk;
	}
	return &chunk->entries[chunk->used++];
}

void poll_wait(struct poll_table *pt, struct wait_queue *wq)
{
	struct poll_entry *e;

	if (!pt)
		return;
	e = poll_entry_new(pt);
	if (!e) {
		pt->error = -ENOMEM;
		return;
	}
	wait_entry_init(&e->wait);
	e->wq = wq;
	wait_queue_add(wq, &e->wait);
}

void poll_table_release(struct poll_table *pt)
{
	for (unsigned i = 0; i < pt->used; i++)
		wait_queue_remove(pt->first[i].wq, &pt->first[i].wait);
	while (pt->chunks) {
		struct poll_chunk *chunk = pt->chunks;

		for (unsigned i = 0; i < chunk->used; i++)
			wait_queue_remove(chunk->entries[i].wq, &chunk->entries[i].wait);
		pt->chunks = chunk->next;
		kfree(chunk);
	}
	pt->used = 0;
}

unsigned file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops->poll) /* regular files and the like never make anybody wait */
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f, pt);
}
