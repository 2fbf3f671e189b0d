/*
 * touch.h - concurrent mode: threads that touch memory while the operations of a sequence change it.
 *
 * A toucher keeps no model.  It writes down what it did, when it began and when it ended, in *generations*: odd while
 * an operation is under way, even in between.  The driver judges the notes (drive_acted(), touch_judge()).
 */
#ifndef TESTS_MODEL_TOUCH_H
#define TESTS_MODEL_TOUCH_H

#include "arch/host/sim.h"
#include "tests/model/oracle.h"

#define TOUCHERS (CELLS - OWN_CELLS)
#define NOTES 64
#define DOUBTS 8192

struct drive;

struct note {
	unsigned space, page;
	enum fault_access access;
	enum fault_result result;
	u64 value;             /* stored or loaded */
	unsigned began, ended; /* generations */
};

struct toucher {
	struct drive *drive;
	struct sim_thread *thread;
	unsigned nr;              /* its cell is OWN_CELLS + nr */
	unsigned inside;          /* the address space it is in; atomic */
	unsigned began;           /* generation in which the access under way began; atomic; IDLE: none */
	u64 stored;               /* how many stores so far; their values tell */
	struct note notes[NOTES]; /* a ring */
	unsigned written, judged; /* atomic */
};

/* A store that hit one content or another: both may have it. */
struct doubt {
	int content;
	unsigned nr; /* toucher */
	u64 value;
};

/* What the oracle says of one page. */
struct state {
	enum fault_result may[3]; /* by enum fault_access */
	int content;              /* that stores go to; NONE: to a new one, if at all */
	bool object;
};

struct touch {
	bool on;
	bool stop;           /* atomic */
	unsigned generation; /* atomic */
	unsigned hot;        /* a page where something happens; atomic */
	struct toucher toucher[TOUCHERS];
	struct state before[MODEL_SPACES][MODEL_PAGES];
	bool lived[MODEL_SPACES]; /* before */
	struct doubt doubt[DOUBTS];
	unsigned nr_doubts;
	bool doubtful[CONTENTS]; /* has doubts */
	bool anything[CONTENTS]; /* there was no room for all of them: it may hold whatever a toucher stored */
};

void touch_start(struct drive *d);
void touch_stop(struct drive *d); /* and judge what is left */
/* The operation begins; it has been done: judge what came before it; the oracle has done it: judge the rest. */
void touch_begin(struct drive *d);
void touch_done(struct drive *d);
void touch_judge(struct drive *d);
/* The address space is no longer in drive.mm[]: wait until no toucher is in it. */
void touch_evict(struct drive *d, unsigned space);
/* The oracle has forked: what may be in the parent's pages may be in the child's. */
void touch_forked(struct drive *d, unsigned from, unsigned to);
/* May toucher @nr's cell of @content be @value? */
bool touch_may_be(const struct drive *d, int content, unsigned nr, u64 value);

#endif
