/*
 * run.h - runs the steps of a sequence in a child of its own.
 */
#ifndef TESTS_ORACLE_RUN_H
#define TESTS_ORACLE_RUN_H

#include "tests/oracle/step.h"

/* What a sequence has printed, in memory that its processes share. */
struct said {
	size_t used;
	char text[256 << 10];
};
extern struct said *said;

void run_init(void);
/* Runs the chosen ones of the @nr steps of @seed; the text is in said afterwards. */
void run_sequence(u32 seed, unsigned nr, const bool chosen[MAX_STEPS]);

#endif
