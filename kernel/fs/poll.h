/*
 * poll.h - waiting for any of several files: the table through which file_ops.poll registers the caller.
 * Layer 9 (kernel/fs).
 *
 * A poller makes one pass over its files with an armed table: every ->poll() calls poll_wait() on the queue
 * that will be woken when its answer may change.  Later passes use a NULL table: the entries stay queued
 * until poll_table_release(), and any wake-up makes the poller's thread look again.
 */
#ifndef KERNEL_FS_POLL_H
#define KERNEL_FS_POLL_H

#include "kernel/sync/wait.h"
#include "kernel/uapi/poll.h"

#define POLL_INLINE 8

struct poll_entry {
	struct wait_entry wait;
	struct wait_queue *wq;
};

struct poll_chunk {
	struct poll_chunk *next;
	unsigned used;
	struct poll_entry entries[32];
};

/* Lives on the poller's stack. */
struct poll_table {
	unsigned used; /* of first[] */
	int error;     /* -ENOMEM: an entry could not be queued */
	struct poll_chunk *chunks;
	struct poll_entry first[POLL_INLINE];
};

void poll_table_init(struct poll_table *pt);
/* Leave every queue. => the files that were polled are still referenced */
void poll_table_release(struct poll_table *pt);

#endif
