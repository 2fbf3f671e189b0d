/*
 * counters.c - how many cached pages are dirty, under writeback, and were written.
 *
 * Layer 5b (mm/object).  Interface: object.h, pagecache.h.  Each CPU counts what it did, so one CPU's numbers alone
 * mean nothing; their sum does.
 */
#include "mm/object/pagecache.h"

#include "kernel/lib/assert.h"

static struct {
	unsigned long n[OBJECT_COUNTERS];
} __aligned(64) counters[MAX_CPUS];

void object_count(enum object_counter which, long n)
{
	ASSERT(!irqs_enabled());
	counters[this_cpu()->id].n[which] += (unsigned long)n;
}

unsigned long object_counter(enum object_counter which)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		sum += READ_ONCE(counters[i].n[which]);
	return (long)sum < 0 ? 0 : sum; /* a page was marked by a CPU already added, unmarked by one that was not yet */
}

static enum object_counter counter_of(unsigned mark)
{
	return mark == RADIX_MARK_DIRTY ? OBJECT_DIRTY : OBJECT_WRITEBACK;
}

void pagecache_mark(struct vm_object *obj, pgoff_t index, unsigned mark)
{
	if (radix_mark(&obj->pages, index, mark))
		object_count(counter_of(mark), 1);
}

void pagecache_unmark(struct vm_object *obj, pgoff_t index, unsigned mark)
{
	if (radix_unmark(&obj->pages, index, mark))
		object_count(counter_of(mark), -1);
}
