/*
 * futex_requeue.c - moving waiters from one futex to another.  Layer 10.  Story: futex.h.
 */
#include <arch/uaccess.h>
#include "kernel/fs/vfs.h"
#include "kernel/lib/errno.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"

/* Its reference on the old name is the caller's to put. => both bucket locks */
static void move_waiter(struct futex_waiter *w, struct futex_bucket *to, const struct futex_key *key)
{
	if (key->file)
		file_get(key->file);
	w->key = *key;
	WRITE_ONCE(w->bucket, to);
	list_move_tail(&w->link, &to->waiters);
}

/* @moved: how many left the name @key. => both bucket locks */
static long requeue_locked(struct futex_bucket *from, const struct futex_key *key, struct futex_bucket *to,
                           const struct futex_key *key2, int wake, int move, int *moved)
{
	bool same = futex_key_equal(key, key2);
	struct futex_waiter *w, *tmp;
	int woken = 0, stayed = 0;

	list_for_each_entry_safe(w, tmp, &from->waiters, link) {
		if (!futex_key_equal(&w->key, key))
			continue;
		if (woken < wake) {
			futex_wake_waiter(w);
			woken++;
		} else if (*moved + stayed >= move) {
			break;
		} else if (same) {
			stayed++;
		} else {
			move_waiter(w, to, key2);
			++*moved;
		}
	}
	return woken + *moved + stayed;
}

long futex_requeue(int *uaddr, int wake, int move, int *uaddr2, const u32 *expected, bool private)
{
	struct futex_bucket *b, *b2;
	struct futex_key key, key2;
	int moved = 0;
	u32 now = 0;
	long ret;

	if (wake < 0 || move < 0)
		return -EINVAL;
	ret = futex_keys_get(&key, uaddr, &key2, uaddr2, private);
	if (ret)
		return ret;
	b = futex_bucket_of(&key);
	b2 = futex_bucket_of(&key2);
	for (;;) {
		futex_lock_two(b, b2);
		if (!expected || !futex_peek(&now, uaddr))
			break;
		futex_unlock_two(b, b2);
		if (get_user(now, (const u32 *)uaddr)) {
			ret = -EFAULT;
			goto out;
		}
	}
	if (expected && now != *expected)
		ret = -EAGAIN;
	else
		ret = requeue_locked(b, &key, b2, &key2, wake, move, &moved);
	futex_unlock_two(b, b2);
	while (moved--)
		futex_key_put(&key);
out:
	futex_key_put(&key);
	futex_key_put(&key2);
	return ret;
}
