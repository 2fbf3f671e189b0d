/*
 * harness.c - what the macros of syncpoint.h, failpoint.h, trace.h and mutation.h read.  Layer 0.
 * The hooks are set by mm/debug before the switches beside them can become true.
 */
#include "kernel/lib/failpoint.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/trace.h"

unsigned sync_points_armed;
void (*sync_point_hook)(const char *name);

unsigned failpoints_armed;
bool (*failpoint_hook)(const char *name);

unsigned long trace_events;
void (*trace_hook)(enum trace_event event, const void *mm, u64 va, u64 pfn, u64 old_entry, u64 new_entry);

unsigned mutation_active;
