/*
 * bench_crew.h - several threads, or processes, that fault at the same time, each on a CPU of its own.
 */
#ifndef USER_BENCH_CREW_H
#define USER_BENCH_CREW_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CREW_MAX 4

/* What the first store to a page meets. */
struct fault_kind {
	const char *name;
	uint8_t *(*make)(size_t pages); /* memory where each page is good for one such fault; NULL: not here */
};
extern const struct fault_kind fault_kinds[];
extern const unsigned nr_fault_kinds;

enum crew_who {
	ONE_MAPPING,  /* threads of one process share one mapping and take its pages in turn: neighbours */
	OWN_MAPPINGS, /* threads of one process, each with a mapping of its own (of a file of its own) */
	PROCESSES,    /* each is a process and has made its mapping itself: they share nothing */
};

/* Shared with all of them. Everybody waits in the kernel, so that waiting costs no instructions that are counted. */
struct steps {
	volatile int ready, go, done, leave;
	uint8_t *volatile start[CREW_MAX]; /* of each one's pages */
};

struct member {
	struct crew *crew;
	unsigned number;
	pthread_t thread;
	pid_t pid;
};

struct crew {
	const struct fault_kind *kind;
	enum crew_who who;
	unsigned n;
	size_t pages;   /* mapped for each member */
	size_t touches; /* of them, how many are stored to */
	uint8_t *common;
	struct steps *steps;
	struct member member[CREW_MAX];
};

/* Make the members and wait until all have their memory.  False: there is no memory of this kind here. */
bool crew_gather(struct crew *c, const struct fault_kind *kind, enum crew_who who, unsigned n, size_t pages,
                 size_t touches);
/* Let them store to their pages, and wait until the last is through. */
void crew_go(struct crew *c);
void crew_dismiss(struct crew *c);

/* /proc/lock_waits, line by line: line n is rank n.  Returns how many; 0: there is no such file. */
#define RANKS_MAX 64
struct rank {
	char name[24];
	long long waits;
};
unsigned read_lock_waits(struct rank ranks[RANKS_MAX]);

#endif
