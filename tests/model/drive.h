/*
 * drive.h - a sequence of operations on the simulated machine and on the oracle, compared after each.
 *
 * Exact mode: one thread does everything, moving between CPUs; every result and every byte must be the oracle's.
 * Concurrent mode: the same, while other threads (touch.c) load, store and execute everywhere in the same address
 * spaces.  Their accesses are judged when the operation they overlap is over: allowed is what the state before or the
 * state after allows, a store must be found where the page was, and nowhere else.
 */
#ifndef TESTS_MODEL_DRIVE_H
#define TESTS_MODEL_DRIVE_H

#include "arch/host/sim.h"
#include "kernel/sync/mutex.h"
#include "tests/model/mirrored.h"
#include "tests/model/oracle.h"
#include "tests/model/touch.h"

struct model_pin {
	struct page *page; /* NULL: free */
	int content;
	unsigned flags; /* PIN_* */
};

struct drive {
	struct oracle o;
	struct mm *mm[MODEL_SPACES];
	struct mm *scratch;                     /* user memory for results of system calls */
	struct mirrored mirrored[MODEL_SPACES]; /* exact mode */
	struct sim_file *file[MODEL_FILES];
	struct model_pin pin[MODEL_PINS];
	struct mutex lock; /* mm[], for the touchers */
	const struct sequence *s;
	unsigned at; /* the operation under way */
	struct op op;
	bool failed; /* they differ: nothing more to compare */
	struct touch touch;
	struct sim_swap *swap;
	bool reclaimed; /* pages may not be in memory that were touched */

	/* Fault injection (inject.c): operation @inject_at runs with its nth allocation failing; 0: only counted. */
	bool inject;
	unsigned inject_at;
	const char *inject_name;
	u64 inject_nth, inject_hits;
	bool out_of_memory; /* ... and that is what it reported */
};

/* Run @s as a thread of the machine: the @main of sim_run(). */
void drive_main(void *drive);

/* They differ. */
__printf(2, 3) void drive_fail(struct drive *d, const char *fmt, ...);
/* Only the results of the operation may be judged after drive_acted(). */
void drive_acting(struct drive *d);
void drive_acted(struct drive *d);
/* The operation on the machine gave @got; it should have given @want. */
void drive_expect(struct drive *d, long got, long want);
/* Compare everything that can be seen, by looking at it. @deep: also try what is forbidden. */
void drive_verify(struct drive *d, bool deep);
/* After a sync: what is on the disk. */
void drive_verify_disk(struct drive *d, u64 first, u64 last);

/* ops_reclaim.c */
void reclaim_begin(struct drive *d);
void reclaim_end(struct drive *d);

/* ops.c */
void drive_op(struct drive *d, const struct op *op);
/* Make @space's memory that of the present thread, on @cpu. */
void drive_enter(struct drive *d, unsigned space, unsigned cpu);
void drive_exit_space(struct drive *d, unsigned space);
void drive_unpin(struct drive *d, struct model_pin *pin, bool dirty);

#endif
