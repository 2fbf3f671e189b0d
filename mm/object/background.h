/*
 * background.h - the threads that work on pages without being asked (the flusher, kswapd) can be made to stand still.
 *
 * Layer 5b (mm/object).  A round of such a thread holds pages, inodes and names that no system call accounts for.  Who must
 * see the machine without that (the auditor) stops them: they end their rounds first.
 * Lock order: outermost; a round is begun, and stopping is asked for, with no lock held.
 */
#ifndef MM_OBJECT_BACKGROUND_H
#define MM_OBJECT_BACKGROUND_H

#include "kernel/sync/rwsem.h"

extern struct rwsem background_rounds;

/* Around a round. => may sleep */
static inline void background_begin(void)
{
	rwsem_read_lock(&background_rounds);
}

static inline void background_end(void)
{
	rwsem_read_unlock(&background_rounds);
}

/* No round is under way, and none begins, until background_go(). Meanwhile nobody should need memory: who reclaims directly
 * waits for the background for some time, and then fails. => may sleep */
static inline void background_stop(void)
{
	rwsem_write_lock(&background_rounds);
}

static inline void background_go(void)
{
	rwsem_write_unlock(&background_rounds);
}

#endif
