/*
 * lock_waits.h - how often somebody found a lock taken, by rank: /proc/lock_waits.  Layer 2.
 *
 * Counted where the waiting begins, and only there: what is free costs nothing to count.
 */
#ifndef KERNEL_SYNC_LOCK_WAITS_H
#define KERNEL_SYNC_LOCK_WAITS_H

#include "kernel/sync/lockrank.h"

/* The caller is about to spin, or to queue, for a lock of @rank. => any context */
void lock_wait_count(unsigned rank);

/* Times so far, on all CPUs. */
unsigned long lock_waits(enum lock_rank rank);

#endif
