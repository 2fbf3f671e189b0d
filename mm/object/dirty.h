/*
 * dirty.h - how much is dirty, how much may be, and who has to wait.  Layer 5b (mm/object).
 *
 *   up to the background limit   the flusher writes what has become old
 *   above it                     the flusher writes everything, now
 *   above the hard limit         who makes more dirty waits for the flusher
 */
#ifndef MM_OBJECT_DIRTY_H
#define MM_OBJECT_DIRTY_H

#include "kernel/lib/types.h"

/* Pages; atomic. */
struct dirty_stat {
	long cached;           /* in any page cache */
	long dirty, writeback; /* newer than their file; on their way to it */
	long dirtied, written; /* ever */
	long throttled;        /* times somebody had to wait */
};
extern struct dirty_stat dirty_stat;

static inline void dirty_count(long *counter, long n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

/* What /proc/sys/vm shows. A limit in bytes, if not 0, counts instead of the ratio (percent of all memory). */
struct dirty_limits {
	unsigned long ratio, background_ratio;
	unsigned long bytes, background_bytes;
	unsigned long expire_cs;    /* a page may be dirty this long without anybody asking, in 1/100 s */
	unsigned long writeback_cs; /* how often the flusher looks; 0: only when it is woken */
};
extern struct dirty_limits dirty_limits;

extern unsigned long dirty_background_pages; /* in force */
void dirty_limits_changed(void);             /* work out the limits in force; once at boot, too */

/* To be called by whoever has made a page dirty, when it holds no page lock, no mmap lock and nothing that
 * writing pages back needs: may wait for the flusher, for two of its rounds at most (a page under a write pin,
 * or a broken disk, stays dirty whatever is done). */
void dirty_throttle_slow(void);
static inline void dirty_throttle(void)
{
	if (unlikely((unsigned long)(READ_ONCE(dirty_stat.dirty) + READ_ONCE(dirty_stat.writeback)) >
	             READ_ONCE(dirty_background_pages)))
		dirty_throttle_slow();
}

/* -- for the flusher -------------------------------------------------------------------------------------------- */
bool dirty_over_background(void);
/* Sleep until the period is over or the flusher is wanted. */
void dirty_wait_for_work(void);
void dirty_round_begins(void);
void dirty_round_ends(void);

#endif
