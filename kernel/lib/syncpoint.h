/*
 * syncpoint.h - named places where a test may make a thread wait, so that a race runs in a chosen order (H.1).
 * Layer 0: the macro and what it reads; mm/debug/syncpoint.c is behind the hook.
 *
 * Legal anywhere but in interrupt handlers and under the scheduler's and wait queues' own locks.  In sleeping context a
 * paused thread sleeps, under a spinlock or with interrupts off it spins; both end after MM_SYNC_LIMIT_MS.
 * Costs one load and a branch that is never taken in debug builds, nothing in release builds.
 */
#ifndef KERNEL_LIB_SYNCPOINT_H
#define KERNEL_LIB_SYNCPOINT_H

#include "kernel/lib/types.h"

extern unsigned sync_points_armed; /* how many; atomic */
extern void (*sync_point_hook)(const char *name);

/* @name: as in kernel/uapi/mm_debug.h, which lists the places. */
#define SYNC_POINT(name)                                     \
	do {                                                     \
		if (DEBUG && unlikely(READ_ONCE(sync_points_armed))) \
			sync_point_hook(name);                           \
	} while (0)

#endif
