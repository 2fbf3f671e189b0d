/*
 * futex_robust.c - robust lists: a thread died with locks in its hands.  Layer 10.
 */
#include <arch/uaccess.h>
#include "kernel/proc/process.h"

#define FUTEX_WAITERS 0x80000000u
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK 0x3fffffffu
#define ROBUST_LIMIT 2048

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
