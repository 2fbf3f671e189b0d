/*
 * trace.h - what happened to entries, TLBs and frames, in order (H.5).
 * Layer 0: the macro and what it reads; mm/debug/trace.c is behind the hook and keeps the rings.
 */
#ifndef KERNEL_LIB_TRACE_H
#define KERNEL_LIB_TRACE_H

#include "kernel/lib/types.h"

/* The numbers and the meaning of the arguments: enum mm_trace_event in kernel/uapi/mm_debug.h. */
enum trace_event {
	TRACE_CLEAR = 1,
	TRACE_FLUSH,
	TRACE_FREE,
	TRACE_SET,
	TRACE_MKCLEAN,
	TRACE_VERDICT,
	TRACE_FAULT,
	TRACE_FAULT_END,
	TRACE_REMAP,
	TRACE_PROTECT,
	TRACE_PIN,
	TRACE_UNPIN,
	TRACE_MARK,
	TRACE_LOCK,
	TRACE_NOTIFY,
	TRACE_EVENTS
};

extern unsigned long trace_events; /* bit n: event n is recorded */
extern void (*trace_hook)(enum trace_event event, const void *mm, u64 va, u64 pfn, u64 old_entry, u64 new_entry);

/* The arguments are evaluated only while @event is recorded.  @mm: the page table, or NULL.  => any context */
#define TRACE(event, mm, va, pfn, old_entry, new_entry)              \
	do {                                                             \
		if (DEBUG && unlikely(READ_ONCE(trace_events) & BIT(event))) \
			trace_hook(event, mm, va, pfn, old_entry, new_entry);    \
	} while (0)

#endif
