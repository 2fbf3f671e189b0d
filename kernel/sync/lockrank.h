/*
 * lockrank.h - the one lock order, outermost first, and the validator that enforces it.  Layer 2.
 *
 * In a debug build every thread (and every CPU's interrupt context) keeps a list of the locks it holds.
 * Taking a lock whose rank is not greater than the greatest one held is a panic that names both; the
 * *_nested functions allow an equal rank (the caller then has an order of its own: address, pfn, parent
 * before child).  Also found: releasing what is not held, sleeping under a spinlock or with interrupts off, and
 * a rank that interrupt handlers wait for - because they take it, or because it is taken under one that they take -
 * but that is elsewhere taken with interrupts on.  docs/locking.md is generated from LOCK_RANKS.
 */
#ifndef KERNEL_SYNC_LOCKRANK_H
#define KERNEL_SYNC_LOCKRANK_H

#include "kernel/lib/types.h"

/* RANK(name, what it guards): outermost first. */
#define LOCK_RANKS(RANK)                                                            \
	RANK(NONE, "unranked: held, but not ordered")                                   \
	RANK(FILE_POS, "a file description's position")                                 \
	RANK(MOUNT, "the list of mounts; rename across directories")                    \
	RANK(SWAP_FILES, "which devices and files are swap areas")                      \
	RANK(INODE_PARENT, "a directory, while one of its children is locked too")      \
	RANK(INODE, "an inode: contents of a directory, size, writes")                  \
	RANK(TTY, "a terminal's reader side")                                           \
	RANK(PIPE, "a pipe's buffers")                                                  \
	RANK(PROC, "the tree of processes")                                             \
	RANK(SWAP_SETUP, "which swap areas are in use")                                 \
	RANK(MM_LIST, "the list of address spaces (debug builds)")                      \
	RANK(MMAP, "the ranges of an address space")                                    \
	RANK(INVALIDATE, "a file's size against faults")                                \
	RANK(ANON_FIRST, "an address space's ranges without a family yet")              \
	RANK(PAGE, "the page lock; several: ascending pfn")                             \
	RANK(INODE_LOAD, "a file system's inodes, while one is read in")                \
	RANK(FS_META, "a file system's allocation data")                                \
	RANK(BUFFER, "a cached device block")                                           \
	RANK(MAPS, "who maps an object: links and the nonlinear index")                 \
	RANK(ANON, "an anonymous family")                                               \
	RANK(PT_UPPER, "non-leaf and huge entries of one tree; two: ascending address") \
	RANK(PTL, "the entries of one leaf table; several: ascending address")          \
	RANK(NOTIFIER, "who subscribed to a tree, ranges in flight")                    \
	RANK(SUBSCRIBER, "a secondary MMU's own state")                                 \
	RANK(SWAP, "swap slots")                                                        \
	RANK(PAGES, "an object's page cache tree")                                      \
	RANK(FLUSHER, "the lists of dirty objects, and of those with pages in swap")    \
	RANK(FILES, "a table of file descriptors")                                      \
	RANK(DENTRY, "the tree of cached names")                                        \
	RANK(INODE_TABLE, "a file system's live inodes, dirty lists and the like")      \
	RANK(DEVICE, "a driver's own state")                                            \
	RANK(BLOCK, "block request queues")                                             \
	RANK(FUTEX, "one bucket of waiting futexes")                                    \
	RANK(UFFD, "who waits on a userfaultfd; whose address space it is")             \
	RANK(SIGNAL, "pending signals and handlers")                                    \
	RANK(THREADS, "the list of all threads")                                        \
	RANK(TIMER, "the timer tree")                                                   \
	RANK(LRU, "one CPU's lists of pages by age")                                    \
	RANK(SLAB, "one slab cache")                                                    \
	RANK(BUDDY, "one zone of free pages")                                           \
	RANK(SLEEPLOCK, "the waiters of one mutex or rwsem")                            \
	RANK(WAITQ, "one wait queue")                                                   \
	RANK(RUNQ, "one CPU's run queue")                                               \
	RANK(CONSOLE, "the console; printk")

#define LOCK_RANK_ENUM(name, what) LOCK_##name,
enum lock_rank { LOCK_RANKS(LOCK_RANK_ENUM) LOCK_RANK_COUNT };
#undef LOCK_RANK_ENUM

/* "LOCK_MMAP" */
const char *lock_rank_name(enum lock_rank rank);

#define LOCK_HELD_MAX 40

struct lock_held {
	const void *lock;
	u16 rank;
	u16 how; /* enum lock_how */
};

/* The locks that one thread, or one CPU's interrupt context, holds. Empty in release builds. */
struct lock_context {
	u16 n;
	bool any_irq_state; /* boot code and idle threads: may call what may sleep with interrupts off */
	struct lock_held held[DEBUG ? LOCK_HELD_MAX : 1];
};

enum lock_how {
	LOCK_HOW_SPIN = 1,       /* a spinlock: its use in interrupts is watched */
	LOCK_HOW_NESTED = 2,     /* an equal rank is fine */
	LOCK_HOW_TRY = 4,        /* it was had without waiting: any order is fine */
	LOCK_HOW_SLEEP = 8,      /* may sleep */
	LOCK_HOW_ASCENDING = 16, /* an equal rank is fine if this lock's address is the greater one */
};

/* The bookkeeping; all of it vanishes in release builds. */
void lock_debug_acquire(const void *lock, unsigned rank, unsigned how);
void lock_debug_release(const void *lock);
void lock_debug_disown(const void *lock);
bool lock_debug_held(const void *lock);
void lock_debug_might_sleep(void);
void lock_debug_may_switch(void);
void lock_debug_none_held(const char *where);

static inline void lock_acquire(const void *lock, unsigned rank, unsigned how)
{
	if (DEBUG)
		lock_debug_acquire(lock, rank, how);
}

static inline void lock_release(const void *lock)
{
	if (DEBUG)
		lock_debug_release(lock);
}

/* The same for a lock that another context may let go: nothing if the caller is not its holder. */
static inline void lock_disown(const void *lock)
{
	if (DEBUG)
		lock_debug_disown(lock);
}

/* Does the caller hold it? Release builds do not know and say yes. */
static inline bool lock_held(const void *lock)
{
	return !DEBUG || lock_debug_held(lock);
}

/* To be said by whatever may sleep, also when it happens not to. */
static inline void might_sleep(void)
{
	if (DEBUG)
		lock_debug_might_sleep();
}

/* The scheduler's own: no spinlock held, not in an interrupt; interrupts may be off. */
static inline void lock_assert_may_switch(void)
{
	if (DEBUG)
		lock_debug_may_switch();
}

/* Panic if the current thread holds any lock (way out to ring 3, thread exit). */
static inline void lock_assert_none_held(const char *where)
{
	if (DEBUG)
		lock_debug_none_held(where);
}

/* Print the current context's held locks (panic). */
void lock_dump_held(void);

#endif
