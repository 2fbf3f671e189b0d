/*
 * futex_wake.c - waking those who sleep on a word.  Layer 10.  Story: futex.h.
 */
#include "kernel/lib/errno.h"
#include "kernel/proc/futex.h"
#include "kernel/proc/process.h"

/* => bucket lock; the waiter's stack is good until it is released */
void futex_wake_waiter(struct futex_waiter *w)
{
	list_del(&w->link);
	WRITE_ONCE(w->woken, true);
	thread_wake(w->thread);
}

int futex_wake_key(const struct futex_key *key, int n, u32 bitset)
{
	struct futex_bucket *b = futex_bucket_of(key);
	struct futex_waiter *w, *tmp;
	int woken = 0;

	spin_lock(&b->lock);
	list_for_each_entry_safe(w, tmp, &b->waiters, link) {
		if (!futex_key_equal(&w->key, key) || !(w->bitset & bitset))
			continue;
		futex_wake_waiter(w);
		if (++woken >= n)
			break;
	}
	spin_unlock(&b->lock);
	return woken;
}

long futex_wake(int *uaddr, int n, u32 bitset, bool private)
{
	struct futex_key key;
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = futex_key_get(&key, uaddr, private);
	if (ret)
		return ret;
	ret = futex_wake_key(&key, n, bitset);
	futex_key_put(&key);
	return ret;
}

/* In private memory both forms have one key. */
int futex_wake_user(int *uaddr, int n)
{
	return (int)futex_wake(uaddr, n, FUTEX_BITSET_ANY, false);
}
