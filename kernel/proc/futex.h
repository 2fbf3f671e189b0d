/*
 * futex.h - what the futex files share.  Layer 10, private to kernel/proc; process.h has the interface.
 *
 * A futex is named by (mm, address), or, in a shared mapping, by (object, offset), so that processes meet.  The latter
 * key holds a reference on the file: its waiters may sleep on after another thread unmapped it, and no new object may
 * get their name.  The former's mm is kept by the waiters themselves.
 * Waiters hang in hash buckets.  The word is read with its bucket locked and page faults disabled; a page that is
 * absent is brought in with the lock dropped, and everything starts over.  Whoever wakes always locks the bucket, so
 * a waiter either sees the new value or is found.
 *
 * Lock order: mmap lock (released before), bucket (two: by address), run queue.
 */
#ifndef KERNEL_PROC_FUTEX_H
#define KERNEL_PROC_FUTEX_H

#include "kernel/lib/list.h"
#include "kernel/sync/spinlock.h"

struct file;
struct thread;

struct futex_key {
	const void *where;   /* mm or object */
	unsigned long index; /* address, or page in the object */
	unsigned offset;
	struct file *file; /* whose object it is, with a reference; NULL: (mm, address) */
};

struct futex_bucket {
	spinlock_t lock;
	struct list waiters;
};

/* On the waiter's stack. */
struct futex_waiter {
	struct list link;            /* bucket lock */
	struct futex_bucket *bucket; /* bucket lock (both, to change it) */
	struct futex_key key;
	u32 bitset;
	bool woken; /* off the list. w: bucket lock */
	struct thread *thread;
};

#define FUTEX_BITSET_ANY 0xffffffffu

/* -- futex_key.c ------------------------------------------------------------------------------------------------- */
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
bool futex_key_equal(const struct futex_key *a, const struct futex_key *b);
/* Names the futex at @uaddr: futex_key_put() it. -EINVAL (not aligned), -EFAULT. => may sleep */
int futex_key_get(struct futex_key *key, int *uaddr, bool private);
void futex_key_put(struct futex_key *key); /* => may sleep */
/* Names two: both or none. */
int futex_keys_get(struct futex_key *a, int *uaddr, struct futex_key *b, int *uaddr2, bool private);
/* Two buckets, which may be one, in the one order there is. */
void futex_lock_two(struct futex_bucket *a, struct futex_bucket *b);
void futex_unlock_two(struct futex_bucket *a, struct futex_bucket *b);
/* The word, without sleeping. => bucket lock */
int futex_peek(u32 *value, const int *uaddr);

/* -- futex_wait.c -------------------------------------------------------------------------------------------------- */
/* @deadline: of clock_ns(), or TIME_FOREVER. */
long futex_wait(int *uaddr, u32 value, u64 deadline, u32 bitset, bool private);

/* -- futex_wake.c -------------------------------------------------------------------------------------------------- */
/* => bucket lock; the waiter's stack is good until it is released */
void futex_wake_waiter(struct futex_waiter *w);
int futex_wake_key(const struct futex_key *key, int n, u32 bitset);
long futex_wake(int *uaddr, int n, u32 bitset, bool private);

/* -- futex_requeue.c, futex_wake_op.c ------------------------------------------------------------------------------- */
long futex_requeue(int *uaddr, int wake, int move, int *uaddr2, const u32 *expected, bool private);
long futex_wake_op(int *uaddr, int n, int *uaddr2, int n2, u32 code, bool private);

#endif
