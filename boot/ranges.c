/*
 * ranges.c - sorted lists of physical ranges: merge and subtract.  Layer 1 (boot).
 */
#include <arch/phys.h>
#include "boot/bootinfo.h"

/* False if the list is full. */
bool ranges_add(struct phys_range *list, unsigned *count, paddr_t start, paddr_t end)
{
	if (start >= end)
		return true;
	if (*count == PHYS_RANGES_MAX)
		return false;
	list[(*count)++] = (struct phys_range){start, end};
	return true;
}

void ranges_sort_merge(struct phys_range *list, unsigned *count)
{
	unsigned n = 0;

	for (unsigned i = 1; i < *count; i++)
		for (unsigned j = i; j > 0 && list[j].start < list[j - 1].start; j--) {
			struct phys_range swap = list[j];

			list[j] = list[j - 1];
			list[j - 1] = swap;
		}
	for (unsigned i = 0; i < *count; i++)
		if (n && list[i].start <= list[n - 1].end)
			list[n - 1].end = max(list[n - 1].end, list[i].end);
		else
			list[n++] = list[i];
	*count = n;
}

/* Take [start, end) out of every range. False if a split did not fit: then the upper part is lost. */
bool ranges_subtract(struct phys_range *list, unsigned *count, paddr_t start, paddr_t end)
{
	bool fits = true;

	for (unsigned i = 0; i < *count; i++) {
		struct phys_range *r = &list[i];

		if (r->end <= start || r->start >= end)
			continue;
		if (r->start < start && r->end > end) {
			fits = ranges_add(list, count, end, r->end) && fits;
			r->end = start;
		} else if (r->start < start) {
			r->end = start;
		} else if (r->end > end) {
			r->start = end;
		} else {
			list[i--] = list[--*count];
		}
	}
	return fits;
}
