/*
 * bench_faults.c - page faults of 1, 2 and 4 threads or processes at once: instructions of the whole machine a fault,
 * and how often a lock was found taken.
 *
 * Under icount CPUs take turns, a turn being thousands of instructions: instructions are exact, waits are rare.  Waits
 * count where CPUs really run at once; there the instructions are none.
 */
#include "user/bench.h"
#include "user/bench_crew.h"

#include <stdio.h>
#include <string.h>

#define FAULTS 1024 /* of each member, in each round */
#define ROUNDS 4

static const char *const who_names[] = {"one_mapping", "own_mappings", "processes"};

struct cost {
	uint64_t ticks;
	unsigned nr_ranks;
	struct rank ranks[RANKS_MAX];
};

/* What was waited for since @before. */
static void add_waits(struct cost *cost, const struct rank *before, int sign)
{
	struct rank after[RANKS_MAX];

	read_lock_waits(after);
	for (unsigned i = 0; i < cost->nr_ranks; i++) {
		cost->ranks[i].waits += sign * (after[i].waits - before[i].waits);
		memcpy(cost->ranks[i].name, after[i].name, sizeof(after[i].name));
	}
}

/* One round of @faults each: its cost is added; that of one without any, starting and stopping, is taken off. */
static bool add_round(struct cost *cost, const struct fault_kind *kind, enum crew_who who, unsigned n, size_t faults)
{
	int sign = faults ? 1 : -1;
	struct rank before[RANKS_MAX];
	struct crew crew;
	uint64_t began;

	if (!crew_gather(&crew, kind, who, n, faults ? faults : 1, faults))
		return false;
	cost->nr_ranks = read_lock_waits(before);
	began = ticks();
	crew_go(&crew);
	cost->ticks += (uint64_t)(sign * (int64_t)(ticks() - began));
	add_waits(cost, before, sign);
	crew_dismiss(&crew);
	return true;
}

static void put_waits(const char *name, const struct cost *cost, double faults)
{
	long long all = 0;
	char suffix[40];

	for (const struct rank *r = cost->ranks; r < cost->ranks + cost->nr_ranks; r++) {
		if (r->waits <= 0)
			continue;
		snprintf(suffix, sizeof(suffix), ".waits.%.23s", r->name);
		put_fraction(name, suffix, (double)r->waits / faults, "waits");
		all += r->waits;
	}
	if (cost->nr_ranks)
		put_fraction(name, ".waits", (double)all / faults, "waits");
}

static void fault_together(const struct fault_kind *kind, enum crew_who who, unsigned n)
{
	double faults = (double)n * FAULTS * ROUNDS;
	struct cost cost = {0};
	char name[64];

	for (unsigned i = 0; i < ROUNDS; i++)
		if (!add_round(&cost, kind, who, n, FAULTS) || !add_round(&cost, kind, who, n, 0))
			return;
	snprintf(name, sizeof(name), "faults.%s.%s.%u", kind->name, who_names[who], n);
	put(name, "", (unsigned long long)((double)cost.ticks / faults), "insns");
	put_waits(name, &cost, faults);
}

void bench_faults(void)
{
	for (unsigned k = 0; k < nr_fault_kinds; k++)
		for (enum crew_who who = ONE_MAPPING; who <= PROCESSES; who++)
			for (unsigned n = 1; n <= CREW_MAX; n *= 2)
				fault_together(&fault_kinds[k], who, n);
}
