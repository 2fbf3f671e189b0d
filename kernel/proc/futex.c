/*
 * futex.c - sleeping on a word of user memory.  Layer 10.
 *
 * A futex is named by (mm, address), or, in a shared mapping, by (object, offset), so that processes meet.
 * Waiters hang in hash buckets.  The word is read with its bucket locked and page faults disabled; a page that is
 * absent is brought in with the lock dropped, and everything starts over.
 *
 * Lock order: mmap lock (released before), bucket (two: by address), run queue.
 */
#include <arch/uaccess.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/hash.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/proc/timespec.h"

#define BUCKET_BITS 7

enum futex_op {
	FUTEX_WAIT,
	FUTEX_WAKE,
	FUTEX_FD,
	FUTEX_REQUEUE,
	FUTEX_CMP_REQUEUE,
	FUTEX_WAKE_OP,
	FUTEX_WAIT_BITSET = 9,
	FUTEX_WAKE_BITSET = 10,
	FUTEX_PRIVATE_FLAG = 128,
	FUTEX_CLOCK_REALTIME = 256,
};
#define BITSET_ANY 0xffffffffu
#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu
#define ROBUST_LIMIT 2048

struct futex_key {
	const void *where;   /* mm or object */
	unsigned long index; /* address, or page in the object */
	unsigned offset;
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

static struct futex_bucket buckets[1 << BUCKET_BITS];

void futex_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_init(&buckets[i].lock, LOCK_FUTEX);
		list_init(&buckets[i].waiters);
	}
}

static struct futex_bucket *bucket_of(const struct futex_key *key)
{
	u64 h = (unsigned long)key->where ^ (u64)key->index * 31 ^ key->offset;

	return &buckets[hash_u64(h, BUCKET_BITS)];
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->where == b->where && a->index == b->index && a->offset == b->offset;
}

/* Names the futex at @uaddr. -EINVAL (not aligned), -EFAULT. => may sleep */
static int key_get(struct futex_key *key, int *uaddr, bool private)
{
	struct mm *mm = current_process()->mm;
	vaddr_t va = (vaddr_t)uaddr;
	struct vma *vma;
	int ret = 0;

	if (va % sizeof(int))
		return -EINVAL;
	if (!user_range_ok(uaddr, sizeof(int)))
		return -EFAULT;
	*key = (struct futex_key){.where = mm, .index = va};
	if (private)
		return 0;
	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (!vma || vma->start > va) {
		ret = -EFAULT;
	} else if (vma->object && (vma->flags & VM_SHARED)) {
		key->where = vma->object;
		key->index = vma->pgoff + ((va - vma->start) >> PAGE_SHIFT);
		key->offset = va % PAGE_SIZE;
	}
	rwsem_read_unlock(&mm->lock);
	return ret;
}

/* The word, without sleeping. => bucket lock */
static int peek(u32 *value, const int *uaddr)
{
	int err;

	pagefault_disable();
	err = get_user(*value, (const u32 *)uaddr);
	pagefault_enable();
	return err;
}

/* Lock @b with *@uaddr == @value: 0, -EAGAIN (it is not), -EFAULT. On error the lock is not held. */
static int lock_if_equal(struct futex_bucket *b, const int *uaddr, u32 value)
{
	u32 now;

	for (;;) {
		spin_lock(&b->lock);
		if (!peek(&now, uaddr)) {
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

/* -- waiting ----------------------------------------------------------------------------------------------------- */

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

/* @ns: how long from now; TIME_FOREVER. */
static long futex_wait(int *uaddr, u32 value, u64 ns, u32 bitset, bool private)
{
	struct futex_waiter w = {.bitset = bitset, .thread = current_thread()};
	struct wait_queue never;
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = key_get(&w.key, uaddr, private);
	if (ret)
		return ret;
	w.bucket = bucket_of(&w.key);
	ret = lock_if_equal(w.bucket, uaddr, value);
	if (ret)
		return ret;
	list_add_tail(&w.link, &w.bucket->waiters);
	spin_unlock(&w.bucket->lock);

	wait_queue_init(&never);
	if (ns == TIME_FOREVER)
		ret = wait_event_interruptible(&never, READ_ONCE(w.woken));
	else
		ret = wait_event_interruptible_timeout(&never, READ_ONCE(w.woken), ns);
	if (unqueue(&w))
		return 0;
	if (ret == -EINTR)
		return ns == TIME_FOREVER ? -ERESTARTSYS : -ERESTARTNOHAND;
	return -ETIMEDOUT;
}

/* -- waking ------------------------------------------------------------------------------------------------------- */

/* => bucket lock; the waiter's stack is good until it is released */
static void wake_waiter(struct futex_waiter *w)
{
	list_del(&w->link);
	WRITE_ONCE(w->woken, true);
	thread_wake(w->thread);
}

static int wake_key(const struct futex_key *key, int n, u32 bitset)
{
	struct futex_bucket *b = bucket_of(key);
	struct futex_waiter *w, *tmp;
	int woken = 0;

	spin_lock(&b->lock);
	list_for_each_entry_safe(w, tmp, &b->waiters, link) {
		if (!key_equal(&w->key, key) || !(w->bitset & bitset))
			continue;
		wake_waiter(w);
		if (++woken >= n)
			break;
	}
	spin_unlock(&b->lock);
	return woken;
}

static long futex_wake(int *uaddr, int n, u32 bitset, bool private)
{
	struct futex_key key;
	int ret;

	if (!bitset)
		return -EINVAL;
	ret = key_get(&key, uaddr, private);
	return ret ? ret : wake_key(&key, n, bitset);
}

int futex_wake_user(int *uaddr, int n)
{
	/* The waiter may have used either form. */
	futex_wake(uaddr, n, BITSET_ANY, true);
	return (int)futex_wake(uaddr, n, BITSET_ANY, false);
}

/* -- moving waiters from one futex to another ------------------------------------------------------------------------- */

static void lock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->lock : &a->lock);
}

static void unlock_two(struct futex_bucket *a, struct futex_bucket *b)
{
	if (a != b)
		spin_unlock(&b->lock);
	spin_unlock(&a->lock);
}

/* => both bucket locks */
static long requeue_locked(struct futex_bucket *from, const struct futex_key *key, struct futex_bucket *to,
                           const struct futex_key *key2, int wake, int move)
{
	struct futex_waiter *w, *tmp;
	int woken = 0, moved = 0;

	list_for_each_entry_safe(w, tmp, &from->waiters, link) {
		if (!key_equal(&w->key, key))
			continue;
		if (woken < wake) {
			wake_waiter(w);
			woken++;
		} else if (moved < move) {
			w->key = *key2;
			w->bucket = to;
			list_move_tail(&w->link, &to->waiters);
			moved++;
		} else {
			break;
		}
	}
	return woken + moved;
}

static long futex_requeue(int *uaddr, int wake, int move, int *uaddr2, const u32 *expected, bool private)
{
	struct futex_bucket *b, *b2;
	struct futex_key key, key2;
	u32 now;
	long ret;

	if (wake < 0 || move < 0)
		return -EINVAL;
	ret = key_get(&key, uaddr, private);
	if (!ret)
		ret = key_get(&key2, uaddr2, private);
	if (ret)
		return ret;
	b = bucket_of(&key);
	b2 = bucket_of(&key2);
	for (;;) {
		lock_two(b, b2);
		if (!expected || !peek(&now, uaddr))
			break;
		unlock_two(b, b2);
		if (get_user(now, (const u32 *)uaddr))
			return -EFAULT;
	}
	ret = expected && now != *expected ? -EAGAIN : 0;
	if (!ret && !key_equal(&key, &key2))
		ret = requeue_locked(b, &key, b2, &key2, wake, move);
	unlock_two(b, b2);
	return ret;
}

/* -- the system call ----------------------------------------------------------------------------------------------------- */

/* @ns: the user's time, relative for WAIT, else absolute. */
static u64 relative(int op, u64 ns, bool realtime)
{
	u64 now = realtime ? wall_clock_ns() : clock_ns();

	if (ns == TIME_FOREVER || op == FUTEX_WAIT)
		return ns;
	return ns > now ? ns - now : 0;
}

static long do_futex(int *uaddr, int op, u32 val, u64 ns, int val2, int *uaddr2, u32 val3)
{
	bool private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;

	op &= ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	if (realtime && op != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (op) {
	case FUTEX_WAIT:
		return futex_wait(uaddr, val, ns, BITSET_ANY, private);
	case FUTEX_WAIT_BITSET:
		return futex_wait(uaddr, val, relative(op, ns, realtime), val3, private);
	case FUTEX_WAKE:
		return futex_wake(uaddr, (int)val, BITSET_ANY, private);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, (int)val, val3, private);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, (int)val, val2, uaddr2, NULL, private);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, (int)val, val2, uaddr2, &val3, private);
	default:
		return -ENOSYS;
	}
}

static bool takes_timeout(int op)
{
	op &= ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	return op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET;
}

long sys_futex(int *uaddr, int op, int val, const struct abi_timespec *ts, int *uaddr2, int val3)
{
	u64 ns = TIME_FOREVER;
	int err = takes_timeout(op) ? timeout_from_user(&ns, ts) : 0;

	return err ? err : do_futex(uaddr, op, (u32)val, ns, (int)(unsigned long)ts, uaddr2, (u32)val3);
}

long sys_futex_time64(int *uaddr, int op, int val, const struct abi_timespec64 *ts, int *uaddr2, int val3)
{
	u64 ns = TIME_FOREVER;
	int err = takes_timeout(op) ? timeout64_from_user(&ns, ts) : 0;

	return err ? err : do_futex(uaddr, op, (u32)val, ns, (int)(unsigned long)ts, uaddr2, (u32)val3);
}

/* -- robust lists: a thread died with locks in its hands -------------------------------------------------------------------- */

/* Mark one lock word as its owner's last. */
static void robust_release(int *uaddr, int tid)
{
	u32 value, now;

	if ((vaddr_t)uaddr % sizeof(int) || get_user(value, (u32 *)uaddr) || (value & FUTEX_TID_MASK) != (u32)tid)
		return;
	now = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
	if (put_user(now, (u32 *)uaddr))
		return;
	if (value & FUTEX_WAITERS)
		futex_wake_user(uaddr, 1);
}

void futex_exit_robust(struct thread_signals *ts)
{
	struct {
		unsigned long next;
		long offset;
		unsigned long pending;
	} head;
	unsigned long entry;
	int tid = ts->thread->tid;

	if (!ts->robust_list || copy_from_user(&head, ts->robust_list, sizeof(head)))
		return;
	entry = head.next & ~1UL;
	for (int i = 0; i < ROBUST_LIMIT && entry && entry != (unsigned long)ts->robust_list; i++) {
		unsigned long next;

		if (get_user(next, (unsigned long *)entry))
			break;
		if (entry != (head.pending & ~1UL))
			robust_release((int *)(entry + (unsigned long)head.offset), tid);
		entry = next & ~1UL;
	}
	if (head.pending & ~1UL)
		robust_release((int *)((head.pending & ~1UL) + (unsigned long)head.offset), tid);
}
