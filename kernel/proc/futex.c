/*
 * futex.c - sleeping on a word of user memory.  Layer 10.
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
#include <arch/uaccess.h>
#include "kernel/fs/vfs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/hash.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/proc/timespec.h"
#include "mm/service/pin.h"

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

/* What the shared mapping at @va maps there: object, page (the linear one), and a reference. False: it is private
 * memory after all. -EFAULT: nothing. => may sleep */
static int key_of_mapping(struct futex_key *key, struct mm *mm, vaddr_t va, bool *nonlinear)
{
	struct vma *vma;
	int ret = 0;

	*nonlinear = false;
	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (!vma || vma->start > va) {
		ret = -EFAULT;
	} else if (vma->object && vma->file && (vma->flags & VM_MAYSHARE)) {
		key->where = vma->object;
		key->index = vma->pgoff + ((va - vma->start) >> PAGE_SHIFT);
		key->offset = va % PAGE_SIZE;
		key->file = vma->file;
		file_get(key->file);
		*nonlinear = vma->flags & VM_NONLINEAR;
	}
	rwsem_read_unlock(&mm->lock);
	return ret;
}

/* Entries of their own offset: the page that is mapped there knows which. False: another file's meanwhile. */
static int key_of_page(struct futex_key *key, struct mm *mm, vaddr_t va, bool *same)
{
	struct page *page;
	long n = pin_user_pages(mm, va & PAGE_MASK, 1, 0, &page);

	if (n != 1)
		return n < 0 ? (int)n : -EFAULT;
	*same = page->object == key->where;
	key->index = page->index;
	unpin_user_pages(&page, 1, 0, false);
	return 0;
}

/* => may sleep */
static void key_put(struct futex_key *key)
{
	if (key->file)
		file_put(key->file);
}

/* Names the futex at @uaddr: key_put() it. -EINVAL (not aligned), -EFAULT. => may sleep */
static int key_get(struct futex_key *key, int *uaddr, bool private)
{
	struct mm *mm = current_process()->mm;
	vaddr_t va = (vaddr_t)uaddr;
	bool nonlinear, same = true;
	int ret;

	if (va % sizeof(int))
		return -EINVAL;
	if (!user_range_ok(uaddr, sizeof(int)))
		return -EFAULT;
	do {
		*key = (struct futex_key){.where = mm, .index = va};
		if (private)
			return 0;
		ret = key_of_mapping(key, mm, va, &nonlinear);
		if (!ret && nonlinear)
			ret = key_of_page(key, mm, va, &same);
		if (ret || !same)
			key_put(key);
	} while (!ret && !same);
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

static long futex_wait_again(struct thread_signals *ts);

/* @deadline: of clock_ns(), or TIME_FOREVER. */
static long wait_on_key(struct futex_waiter *w, int *uaddr, u32 value, u64 deadline)
{
	struct wait_queue never;
	u64 now;
	int ret;

	w->bucket = bucket_of(&w->key);
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

static long futex_wait(int *uaddr, u32 value, u64 deadline, u32 bitset, bool private)
{
	struct futex_waiter w = {.bitset = bitset, .thread = current_thread()};
	struct thread_signals *ts = current_signals();
	long ret;

	if (!bitset)
		return -EINVAL;
	ret = key_get(&w.key, uaddr, private);
	if (ret)
		return ret;
	ret = wait_on_key(&w, uaddr, value, deadline);
	key_put(&w.key);
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
	if (ret)
		return ret;
	ret = wake_key(&key, n, bitset);
	key_put(&key);
	return ret;
}

/* In private memory both forms have one key. */
int futex_wake_user(int *uaddr, int n)
{
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

/* Two names; on error neither is held. */
static int keys_get(struct futex_key *a, int *uaddr, struct futex_key *b, int *uaddr2, bool private)
{
	int ret = key_get(a, uaddr, private);

	if (ret)
		return ret;
	ret = key_get(b, uaddr2, private);
	if (ret)
		key_put(a);
	return ret;
}

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
	bool same = key_equal(key, key2);
	struct futex_waiter *w, *tmp;
	int woken = 0, stayed = 0;

	list_for_each_entry_safe(w, tmp, &from->waiters, link) {
		if (!key_equal(&w->key, key))
			continue;
		if (woken < wake) {
			wake_waiter(w);
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

static long futex_requeue(int *uaddr, int wake, int move, int *uaddr2, const u32 *expected, bool private)
{
	struct futex_bucket *b, *b2;
	struct futex_key key, key2;
	int moved = 0;
	u32 now = 0;
	long ret;

	if (wake < 0 || move < 0)
		return -EINVAL;
	ret = keys_get(&key, uaddr, &key2, uaddr2, private);
	if (ret)
		return ret;
	b = bucket_of(&key);
	b2 = bucket_of(&key2);
	for (;;) {
		lock_two(b, b2);
		if (!expected || !peek(&now, uaddr))
			break;
		unlock_two(b, b2);
		if (get_user(now, (const u32 *)uaddr)) {
			ret = -EFAULT;
			goto out;
		}
	}
	if (expected && now != *expected)
		ret = -EAGAIN;
	else
		ret = requeue_locked(b, &key, b2, &key2, wake, move, &moved);
	unlock_two(b, b2);
	while (moved--)
		key_put(&key);
out:
	key_put(&key);
	key_put(&key2);
	return ret;
}

/* -- an operation on a second word, and two wake-ups (pthread condition variables of old) ------------------------------ */

enum wake_op { OP_SET, OP_ADD, OP_OR, OP_ANDN, OP_XOR, OP_LAST = OP_XOR, OP_SHIFT = 8 };
enum wake_cmp { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE, CMP_LAST = CMP_GE };

struct word_op {
	enum wake_op op;
	enum wake_cmp cmp;
	int arg, cmp_arg;
};

static int sign_extend_12(u32 v)
{
	return (int)(v << 20) >> 20;
}

static int word_op_decode(struct word_op *w, u32 code)
{
	unsigned op = code >> 28, cmp = code >> 24 & 15;

	w->arg = sign_extend_12(code >> 12);
	w->cmp_arg = sign_extend_12(code);
	if (op & OP_SHIFT)
		w->arg = (int)(1u << (w->arg & 31));
	w->op = op & ~(unsigned)OP_SHIFT;
	w->cmp = cmp;
	return w->op > OP_LAST || cmp > CMP_LAST ? -ENOSYS : 0;
}

static u32 word_op_apply(const struct word_op *w, u32 v)
{
	switch (w->op) {
	case OP_SET:
		return (u32)w->arg;
	case OP_ADD:
		return v + (u32)w->arg;
	case OP_OR:
		return v | (u32)w->arg;
	case OP_ANDN:
		return v & ~(u32)w->arg;
	default:
		return v ^ (u32)w->arg;
	}
}

static bool word_op_compare(const struct word_op *w, int v)
{
	switch (w->cmp) {
	case CMP_EQ:
		return v == w->cmp_arg;
	case CMP_NE:
		return v != w->cmp_arg;
	case CMP_LT:
		return v < w->cmp_arg;
	case CMP_LE:
		return v <= w->cmp_arg;
	case CMP_GT:
		return v > w->cmp_arg;
	default:
		return v >= w->cmp_arg;
	}
}

/* Do it in one atomic step; *@old: the value before. */
static int word_op_do(const struct word_op *w, u32 *uaddr, u32 *old)
{
	u32 expected;

	if (get_user(*old, uaddr))
		return -EFAULT;
	do {
		expected = *old;
		if (cmpxchg_user(uaddr, old, word_op_apply(w, expected)))
			return -EFAULT;
	} while (*old != expected);
	return 0;
}

static long futex_wake_op(int *uaddr, int n, int *uaddr2, int n2, u32 code, bool private)
{
	struct futex_key key, key2;
	struct word_op w;
	u32 old;
	long ret = word_op_decode(&w, code);

	if (!ret)
		ret = keys_get(&key, uaddr, &key2, uaddr2, private);
	if (ret)
		return ret;
	/* No need for the buckets to be locked meanwhile: who waits looks at its word under its bucket's lock, which we
	 * take after the store. */
	ret = word_op_do(&w, (u32 *)uaddr2, &old);
	if (!ret) {
		ret = wake_key(&key, n, BITSET_ANY);
		if (word_op_compare(&w, (int)old))
			ret += wake_key(&key2, n2, BITSET_ANY);
	}
	key_put(&key);
	key_put(&key2);
	return ret;
}

/* -- the system call ----------------------------------------------------------------------------------------------------- */

/* When, on clock_ns(). @ns: the user's time, relative for WAIT, else absolute on its clock. */
static u64 futex_deadline(int op, u64 ns, bool realtime)
{
	u64 now = clock_ns(), wall;

	if (ns == TIME_FOREVER)
		return TIME_FOREVER;
	if (op == FUTEX_WAIT)
		return now + ns;
	if (!realtime)
		return ns;
	wall = wall_clock_ns();
	return now + (ns > wall ? ns - wall : 0);
}

static long do_futex(int *uaddr, int op, u32 val, u64 ns, int val2, int *uaddr2, u32 val3)
{
	bool private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;

	op &= ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	if (realtime && op != FUTEX_WAIT_BITSET)
		return -ENOSYS;
	switch (op) {
	case FUTEX_WAIT:
		val3 = BITSET_ANY;
		/* fall through */
	case FUTEX_WAIT_BITSET:
		return futex_wait(uaddr, val, futex_deadline(op, ns, realtime), val3, private);
	case FUTEX_WAKE:
		return futex_wake(uaddr, (int)val, BITSET_ANY, private);
	case FUTEX_WAKE_BITSET:
		return futex_wake(uaddr, (int)val, val3, private);
	case FUTEX_REQUEUE:
		return futex_requeue(uaddr, (int)val, val2, uaddr2, NULL, private);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(uaddr, (int)val, val2, uaddr2, &val3, private);
	case FUTEX_WAKE_OP:
		return futex_wake_op(uaddr, (int)val, uaddr2, val2, val3, private);
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

/* Mark one lock word as its owner's last. Other threads change it meanwhile (they announce that they wait), so only
 * an atomic exchange will do. @pending: the thread was about to lock or unlock it: when it is free, the wake-up may
 * have been what was still to do. False: the memory is not there. */
static bool robust_release(unsigned long entry, long offset, int tid, bool pending)
{
	int *uaddr = (int *)((entry & ~1UL) + (unsigned long)offset);
	bool pi = entry & 1;
	u32 value, old;

	if ((vaddr_t)uaddr % sizeof(int) || get_user(value, (u32 *)uaddr))
		return false;
	do {
		old = value;
		if (pending && !pi && !(old & FUTEX_TID_MASK)) {
			futex_wake_user(uaddr, 1);
			return true;
		}
		if ((old & FUTEX_TID_MASK) != (u32)tid)
			return true;
		if (cmpxchg_user((u32 *)uaddr, &value, (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
			return false;
	} while (value != old);
	if (!pi && (old & FUTEX_WAITERS))
		futex_wake_user(uaddr, 1);
	return true;
}

/* The list is the user's: it may be anything, also a circle. */
void futex_exit_robust(struct thread_signals *ts)
{
	struct {
		unsigned long next;
		long offset;
		unsigned long pending;
	} head;
	void *list = ts->robust_list;
	unsigned long entry, next;
	int tid = ts->thread->tid;

	ts->robust_list = NULL;
	if (!list || copy_from_user(&head, list, sizeof(head)))
		return;
	entry = head.next;
	for (int i = 0; i < ROBUST_LIMIT && (entry & ~1UL) != (unsigned long)list; i++) {
		bool more = !get_user(next, (unsigned long *)(entry & ~1UL)); /* first: the lock goes to others */

		if ((entry ^ head.pending) & ~1UL && !robust_release(entry, head.offset, tid, false))
			return;
		if (!more)
			break;
		entry = next;
		cond_resched();
	}
	if (head.pending & ~1UL)
		robust_release(head.pending, head.offset, tid, true);
}
