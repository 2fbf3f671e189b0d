/*
 * debug.c - the instruments as a whole: start, and the end of an owner.  Layer 8 (mm/debug).  Interface: debug.h.
 */
#include "mm/debug/debug.h"

void (*debug_identify)(struct debug_who *who);

void mm_debug_init(void (*identify)(struct debug_who *who))
{
	debug_identify = identify;
	sync_point_init();
	failpoint_init();
	trace_init();
}

void mm_debug_release(const void *owner)
{
	sync_point_disarm_all(owner);
	failpoint_disarm_all(owner);
	trace_stop(owner);
	plant_undo(owner);
}
