/*
 * demo_collect.c - `demo collect [MS]`: a program whose memory is compacted under it, first by copying, then by UFFDIO_MOVE.
 */
#include "user/collector.h"
#include "user/demo.h"

#include <stdio.h>
#include <stdlib.h>

#define PAGES 512

static int show(const char *how, bool move, unsigned ms)
{
	struct collector_result r;

	if (!collector_run(PAGES, ms, move, 1, &r)) {
		fprintf(stderr, "no userfaultfd here\n");
		return 1;
	}
	printf("%s: %llu cycles, %llu changes of objects, longest stop %llu us\n", how, (unsigned long long)r.cycles,
	       (unsigned long long)r.operations, (unsigned long long)r.longest_stop_ns / 1000);
	printf("  %llu pages came to a new place, %llu of them because somebody waited\n", (unsigned long long)r.delivered,
	       (unsigned long long)r.asked);
	printf("  %llu KiB copied, %llu KiB moved; %llu objects wrong\n", (unsigned long long)r.copied / 1024,
	       (unsigned long long)r.moved / 1024, (unsigned long long)r.corrupt);
	return r.corrupt != 0;
}

int demo_collect(int argc, char **argv)
{
	unsigned ms = argc > 1 ? (unsigned)atoi(argv[1]) : 2000;

	return show("by COPY", false, ms) | show("by MOVE", true, ms);
}
