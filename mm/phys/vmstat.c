/*
 * vmstat.c - the sums of what each CPU counted.  Layer 3 (mm/phys).  Interface: vmstat.h.
 */
#include "mm/phys/vmstat.h"

#include "kernel/lib/assert.h"
#include "mm/phys/page.h"

unsigned long vm_event_counts[MAX_CPUS][VM_EVENT_COUNT];

#define VM_EVENT_NAME(name, text) text,
static const char *const names[] = {VM_EVENTS(VM_EVENT_NAME)};
#undef VM_EVENT_NAME

const char *vm_event_name(enum vm_event event)
{
	ASSERT(event < VM_EVENT_COUNT);
	return names[event];
}

static void count_frame(struct vm_census *c, const struct page *page)
{
	unsigned long flags = READ_ONCE(page->flags);
	bool mapped = READ_ONCE(page->mapcount) > 0;

	if (flags & (BIT(PG_TABLE) | BIT(PG_SLAB) | BIT(PG_BUDDY) | BIT(PG_RESERVED)))
		return;
	if (flags & BIT(PG_ANON)) {
		c->anon += mapped;
	} else if (flags & BIT(PG_LRU)) {
		c->mapped += mapped;
		c->shmem += !!(flags & BIT(PG_SWAPBACKED));
	}
}

void vm_census(struct vm_census *census)
{
	*census = (struct vm_census){.anon = 0};
	for (pfn_t pfn = 0; pfn < max_pfn; pfn++)
		count_frame(census, pfn_to_page(pfn));
}

unsigned long vm_event_sum(enum vm_event event)
{
	unsigned long n = 0;

	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
		n += READ_ONCE(vm_event_counts[cpu][event]);
	return n;
}
