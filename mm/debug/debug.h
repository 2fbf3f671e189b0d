/*
 * debug.h - the instruments of the concurrency harness, for /dev/mm (kernel/fs/dev_mm.c).
 *
 * Layer 8 (mm/debug).  Debug builds only: a release build compiles nothing of this folder.  Arguments and results are those
 * of kernel/uapi/mm_debug.h; errors are negative errnos.  @owner: the open file; what it armed goes with
 * mm_debug_release().
 */
#ifndef MM_DEBUG_DEBUG_H
#define MM_DEBUG_DEBUG_H

#include "kernel/uapi/mm_debug.h"
#include "mm/space/mm.h"

/* Who is running: what this layer cannot know of threads. */
struct debug_who {
	int tid;
	const struct pgtable *pt; /* NULL: a kernel thread */
};

/* Set the hooks of kernel/lib; before anything is armed.  @identify: => any context */
void mm_debug_init(void (*identify)(struct debug_who *who));
extern void (*debug_identify)(struct debug_who *who);
/* Undo everything that @owner armed or planted. => may sleep */
void mm_debug_release(const void *owner);

/* -- sync points (syncpoint.c) */
int sync_point_arm(const void *owner, const struct mm_sync_arm *arg);
int sync_point_wait(struct mm_sync *arg); /* => sleeps */
int sync_point_release(struct mm_sync *arg);
void sync_point_disarm_all(const void *owner);
void sync_point_init(void);

/* -- failpoints (failpoint.c) */
int failpoint_arm(const void *owner, struct mm_fail *arg);
int failpoint_hits(struct mm_fail *arg);
void failpoint_disarm_all(const void *owner);
void failpoint_init(void);

/* -- trace (trace.c) */
int trace_control(const void *owner, const struct mm_trace_control *arg); /* => sleeps */
int trace_read(struct mm_trace_read *arg);                                /* => sleeps */
void trace_mark(const struct mm_trace_record *arg);
void trace_stop(const void *owner);
void trace_init(void);

/* -- entries (entry.c). => sleep */
int debug_entry(struct mm *mm, struct mm_entry *arg);
int debug_clear_young(struct mm *mm, struct mm_range *arg);
int debug_clean(struct mm *mm, struct mm_range *arg);
int debug_reap(struct mm *mm, struct mm_range *arg);

/* -- moving pages (move.c). => sleep */
int debug_migrate(struct mm *mm, struct mm_move *arg);
int debug_merge(struct mm *mm, struct mm_move *arg);
int debug_compact(struct mm_move *arg);
int debug_split(struct mm *mm, struct mm_move *arg);

/* -- planted faults (plant.c). => sleep */
int plant_set(const void *owner, struct mm *mm, const struct mm_plant *arg);
void plant_undo(const void *owner);

/* -- the auditor (check.c). => sleeps, no lock held */
void mm_audit(struct mm_audit *arg);

#endif
