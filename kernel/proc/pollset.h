/*
 * pollset.h - a set of files to wait for, as poll(2) and select(2) both need it.  Layer 10 (kernel/proc).
 */
#ifndef KERNEL_PROC_POLLSET_H
#define KERNEL_PROC_POLLSET_H

#include "kernel/fs/poll.h"
#include "kernel/fs/vfs.h"

#define POLLSET_INLINE 16

struct poll_item {
	struct file *file; /* reference owned; NULL: revents is what it is */
	int fd;
	u16 wanted; /* events that end the wait */
	u16 revents;
};

struct poll_set {
	unsigned n;
	struct poll_item *items;
	struct poll_item first[POLLSET_INLINE];
};

/* How long: for ever, or until a moment of clock_ns(). */
struct poll_limit {
	bool limited;
	u64 deadline;
};
static const struct poll_limit poll_forever = {.limited = false};
/* From now. -EINVAL: no time. */
int poll_limit_from(struct poll_limit *limit, s64 sec, s64 nsec);
u64 poll_limit_left(const struct poll_limit *limit);

int poll_set_init(struct poll_set *set, unsigned max); /* room for @max items, n = 0. -ENOMEM */
void poll_set_release(struct poll_set *set);           /* drops the files */
/* Add the file behind @fd; false if there is none (the item is there nevertheless, with POLLNVAL). */
bool poll_set_add(struct poll_set *set, int fd, unsigned wanted);
/* Wait for any: the number of items with revents, 0 when time is up, -EINTR, -ENOMEM. => sleeps */
int poll_set_wait(struct poll_set *set, const struct poll_limit *limit);

#endif
