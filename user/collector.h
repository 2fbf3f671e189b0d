/*
 * collector.h - a compacting garbage collector in small, whose program never waits for a compaction: `demo collect`, T2-28.
 */
#ifndef USER_COLLECTOR_H
#define USER_COLLECTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COLLECTOR_THREADS 4

struct collector_result {
	uint64_t cycles, operations;
	uint64_t delivered;       /* pages that came to their new place */
	uint64_t asked;           /* ... of these, because somebody was waiting for one */
	uint64_t copied;          /* bytes that the collector copied */
	uint64_t moved;           /* bytes that came without */
	uint64_t corrupt;         /* objects that were not what they should be */
	uint64_t longest_stop_ns; /* that the program was stopped */
};

/* Run for @ms with a heap of @pages. @move: whole pages by UFFDIO_MOVE, else by UFFDIO_COPY. False: no userfaultfd here. */
bool collector_run(size_t pages, unsigned ms, bool move, uint32_t seed, struct collector_result *result);

#endif
