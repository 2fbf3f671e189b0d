/*
 * vmstat.c - the sums of what each CPU counted.  Layer 3 (mm/phys).  Interface: vmstat.h.
 */
#include "mm/phys/vmstat.h"

#include "kernel/lib/assert.h"

unsigned long vm_event_counts[MAX_CPUS][VM_EVENT_COUNT];

#define VM_EVENT_NAME(name, text) text,
static const char *const names[] = {VM_EVENTS(VM_EVENT_NAME)};
#undef VM_EVENT_NAME

const char *vm_event_name(enum vm_event event)
{
	ASSERT(event < VM_EVENT_COUNT);
	return names[event];
}

unsigned long vm_event_sum(enum vm_event event)
{
	unsigned long n = 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		n += READ_ONCE(vm_event_counts[cpu][event]);
	return n;
}
