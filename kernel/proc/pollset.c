/*
 * pollset.c - waiting for any of several files.  Layer 10 (kernel/proc).
 *
 * One pass with the table armed, then sleep and look again after every wake-up.  The sleeper waits on a queue of its
 * own that nobody wakes: the entries in the files' queues wake its thread.
 */
#include "kernel/proc/pollset.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/file_arg.h"
#include "kernel/sched/timer.h"
#include "mm/phys/slab.h"

int poll_limit_from(struct poll_limit *limit, s64 sec, s64 nsec)
{
	const s64 sec_max = 1000000000; /* 31 years: for ever */

	if (sec < 0 || nsec < 0 || nsec >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	limit->limited = true;
	limit->deadline = clock_ns() + (u64)min(sec, sec_max) * NSEC_PER_SEC + (u64)nsec;
	return 0;
}

u64 poll_limit_left(const struct poll_limit *limit)
{
	u64 now = clock_ns();

	return limit->deadline > now ? limit->deadline - now : 0;
}

int poll_set_init(struct poll_set *set, unsigned max)
{
	set->n = 0;
	set->items = set->first;
	if (max > POLLSET_INLINE)
		set->items = kmalloc(max * sizeof(struct poll_item), GFP_KERNEL);
	return set->items ? 0 : -ENOMEM;
}

void poll_set_release(struct poll_set *set)
{
	for (unsigned i = 0; i < set->n; i++)
		if (set->items[i].file)
			file_put(set->items[i].file);
	if (set->items != set->first)
		kfree(set->items);
}

bool poll_set_add(struct poll_set *set, int fd, unsigned wanted)
{
	struct poll_item *item = &set->items[set->n++];

	item->fd = fd;
	item->wanted = (u16)wanted;
	item->file = file_arg(fd, FILE_OPEN);
	item->revents = item->file ? 0 : POLLNVAL;
	return item->file != NULL;
}

/* Look at every file. Once one is ready there is no need to be woken by the others. */
static int poll_set_scan(struct poll_set *set, struct poll_table *pt)
{
	int ready = 0;

	for (unsigned i = 0; i < set->n; i++) {
		struct poll_item *item = &set->items[i];

		if (item->file)
			item->revents = (u16)(file_poll(item->file, ready ? NULL : pt) & item->wanted);
		ready += item->revents != 0;
	}
	return ready;
}

static int poll_set_sleep(struct poll_set *set, const struct poll_limit *limit, int *ready)
{
	struct wait_queue own;
	int ret;

	wait_queue_init(&own);
	if (!limit->limited)
		return wait_event_interruptible(&own, (*ready = poll_set_scan(set, NULL)) > 0);
	ret = wait_event_interruptible_timeout(&own, (*ready = poll_set_scan(set, NULL)) > 0, poll_limit_left(limit));
	return ret < 0 ? ret : 0;
}

int poll_set_wait(struct poll_set *set, const struct poll_limit *limit)
{
	bool may_sleep = !limit->limited || poll_limit_left(limit) > 0;
	struct poll_table pt;
	int ready, err = 0;

	poll_table_init(&pt);
	ready = poll_set_scan(set, may_sleep ? &pt : NULL);
	if (!ready && may_sleep)
		err = pt.error ? pt.error : poll_set_sleep(set, limit, &ready);
	poll_table_release(&pt);
	return ready ? ready : err;
}
