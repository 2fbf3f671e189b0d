/*
 * futex_wait.c - sleeping on a word of user memory.  Layer 10.  Story: futex.h.
 */
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"
#include "kernel/proc/timespec.h"

/* Lock @b with *@uaddr == @value: 0, -EAGAIN (it is not), -EFAULT. On error the lock is not held. */
static int lock_if_equal(struct futex_bucket *b, const int *uaddr, u32 value)
{
	u32 now;

	for (;;) {
		spin_lock(&b->lock);
		if (!futex_peek(&now, uaddr)) {
			if (now == value)
				return 0;
			spin_unlock(&b->lock);
			return -EAGAIN;
		}
		spin_unlock(&b->lock);
		if (get_user(now, (const u32 *)uaddr))
			return -EFAULT;
	}
}

/* Off whatever list it is on now; true if it had been woken. */
static bool unqueue(struct futex_waiter *w)
{
	struct futex_bucket *b;
	bool woken;

	for (;;) {
		b = READ_ONCE(w->bucket);
		spin_lock(&b->lock);
		if (b == w->bucket)
			break;
		spin_unlock(&b->lock);
	}
	woken = w->woken;
	if (!woken)
		list_del(&w->link);
	spin_unlock(&b->lock);
	return woken;
}

static long futex_wait_again(struct thread_signals *ts);

/* @deadline: of clock_ns(), or TIME_FOREVER. */
static long wait_on_key(struct futex_waiter *w, int *uaddr, u32 value, u64 deadline)
{
	struct wait_queue never;
	u64 now;
	int ret;

	w->bucket = futex_bucket_of(&w->key);
	ret = lock_if_equal(w->bucket, uaddr, value);
	if (ret)
		return ret;
	list_add_tail(&w->link, &w->bucket->waiters);
	spin_unlock(&w->bucket->lock);

	wait_queue_init(&never);
	now = clock_ns();
	if (deadline == TIME_FOREVER)
		ret = wait_event_interruptible(&never, READ_ONCE(w->woken));
	else
		ret = wait_event_interruptible_timeout(&never, READ_ONCE(w->woken), deadline > now ? deadline - now : 0);
	if (unqueue(w))
		return 0;
	return ret == -EINTR ? -EINTR : -ETIMEDOUT;
}

long futex_wait(int *uaddr, u32 value, u64 deadline, u32 bitset, bool private)
{
	struct futex_waiter w = {.bitset = bitset, .thread = current_thread()};
	struct thread_signals *ts = current_signals();
	long ret;

	if (!bitset)
		return -EINVAL;
	ret = futex_key_get(&w.key, uaddr, private);
	if (ret)
		return ret;
	ret = wait_on_key(&w, uaddr, value, deadline);
	futex_key_put(&w.key);
	if (ret != -EINTR)
		return ret;
	if (deadline == TIME_FOREVER)
		return -ERESTARTSYS;
	/* Made again, a relative time must not start anew. */
	ts->restart_fn = futex_wait_again;
	ts->restart_user = uaddr;
	ts->restart_deadline = deadline;
	ts->restart_flags = private;
	ts->restart_value = value;
	ts->restart_bitset = bitset;
	return -ERESTART_RESTARTBLOCK;
}

static long futex_wait_again(struct thread_signals *ts)
{
	return futex_wait(ts->restart_user, ts->restart_value, ts->restart_deadline, ts->restart_bitset, ts->restart_flags);
}
