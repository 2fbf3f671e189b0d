/*
 * run.h - sequences as runs of the machine: many in one process, one in a child of its own, the smallest that fails.
 */
#ifndef TESTS_MODEL_RUN_H
#define TESTS_MODEL_RUN_H

#include "arch/host/sim.h"
#include "tests/model/op.h"

extern bool run_threads, run_high; /* real threads; RAM above 4 GiB too */

/* On the machine as the runs before left it; returns the complaints. */
unsigned run_sequence(const struct sequence *s);
/* Sequence after sequence in one run, while @next makes another: with real threads, of which some live as long as the
 * run; only its end is judged.  Returns the complaints. */
unsigned run_batch(bool (*next)(struct sequence *s), struct sequence *s);
/* In a child, from the machine as it is after boot. => no run before in this process */
enum sim_verdict run_alone(const struct sequence *s, bool quiet);

/* Every attempt to allocate, of every operation of @s, fails once: out of memory is reported, or coped with, and nothing
 * else happens (inject.c). Returns the complaints; *@attempts counts. */
unsigned run_injected(const struct sequence *s, unsigned long *attempts);

/* Make @s as short and as simple as it can be while it still fails (shrink.c). False: it does not. */
bool shrink(struct sequence *s);

void sequence_print(const struct sequence *s); /* as text, and as bytes for replay= */

#endif
