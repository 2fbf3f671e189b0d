/*
 * completion.h - "it is done": one side waits, the other says so once (or once per waiter).  Layer 2.
 *
 * May lie on the waiter's stack: when completion_wait() returns, the completing side no longer touches it.
 */
#ifndef KERNEL_SYNC_COMPLETION_H
#define KERNEL_SYNC_COMPLETION_H

#include "kernel/sync/wait.h"

struct completion {
	struct wait_queue wq;
	unsigned done; /* wq.lock */
};

#define COMPLETION_INIT(name)         \
	{                                 \
		WAIT_QUEUE_INIT((name).wq), 0 \
	}

void completion_init(struct completion *c);
void completion_wait(struct completion *c);         /* => may sleep; takes one completion */
int completion_wait_killable(struct completion *c); /* 0 or -EINTR (the other side may still complete!) */
void complete(struct completion *c);                /* => any context */

#endif
