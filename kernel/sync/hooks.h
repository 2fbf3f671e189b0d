/*
 * hooks.h - what sleeping locks need from whoever runs threads.  Layer 2.
 *
 * Implemented by kernel/sched in the kernel and by the seeded scheduler in the host build.  The pattern is
 * always: sync_prepare(state); look at the condition; sync_block().  A wake-up between the first and the
 * last makes sync_block() return at once.
 */
#ifndef KERNEL_SYNC_HOOKS_H
#define KERNEL_SYNC_HOOKS_H

#include "kernel/lib/types.h"

struct thread;
struct lock_context;

/* What a sleep may be ended by, besides sync_wake(). */
enum sync_state {
	SYNC_RUNNING = 0,
	SYNC_INTERRUPTIBLE = 1,   /* any signal */
	SYNC_KILLABLE = 2,        /* a deadly signal */
	SYNC_UNINTERRUPTIBLE = 4, /* nothing */
};

/* Announce that the current thread is about to sleep (or, SYNC_RUNNING, that it will not). Full barrier. */
void sync_prepare(enum sync_state state);
/* Give up the CPU until woken. => no spinlock held, interrupts on (or a deadline of interrupts off is fine) */
void sync_block(void);
/* The same until arch_clock_ns() reaches @deadline at the latest. True if that was (also) the reason. */
bool sync_block_until(u64 deadline);
/* Make @thread runnable if it sleeps; true if it did. => any context */
bool sync_wake(struct thread *thread);

bool sync_signal_pending(void); /* current: a signal wants to be delivered */
bool sync_fatal_pending(void);  /* current: it is being killed */
int sync_thread_id(void);       /* current: what gettid(2) says; of a kernel thread: below 0 */

/* What the current thread may do for memory: a word of its own, of SYNC_MEMORY_* bits. */
enum sync_memory {
	SYNC_MEMORY_RECLAIM = 1, /* it frees memory just now */
	SYNC_MEMORY_DYING = 2,   /* it was killed so that memory becomes free, and must be able to leave */
	/* Either way it may use the reserve, and does not reclaim to get any. */
	SYNC_MEMORY_RESERVE = SYNC_MEMORY_RECLAIM | SYNC_MEMORY_DYING,
};
unsigned *sync_memory_rights(void);

/* Held locks of the current thread (of the boot code before there are threads). Debug builds. */
struct lock_context *sync_lock_context(void);

#endif
