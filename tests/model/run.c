/*
 * run.c - one sequence as one run of the machine.
 */
#include "tests/model/run.h"

#include <stdio.h>

#include "kernel/lib/string.h"
#include "tests/model/drive.h"
#include "tests/model/inject.h"

#define RAM_PAGES 1024
#define HIGH_PAGES 32 /* fewer than a sequence wants: it uses both kinds */
#define ALONE_LIMIT_MS 20000

bool run_threads, run_high;

static struct drive drive;
static bool silent;

static struct sim_config config_of(const struct sequence *s)
{
	return (struct sim_config){
		.cpus = MODEL_CPUS,
		.ram_pages = RAM_PAGES,
		.high_pages = run_high ? HIGH_PAGES : 0,
		.seed = s->seed ? s->seed : (u64)1 << 32, /* 0 would be a default */
		.threads = run_threads,
		.switch_one_in = s->mode & MODE_CONCURRENT ? 4 : SIM_NEVER,
		.prefetch_one_in = 4,
		.evict_one_in = 64,
	};
}

static void reset(const struct sequence *s)
{
	memset(&drive, 0, sizeof(drive));
	drive.s = s;
}

unsigned run_sequence(const struct sequence *s)
{
	struct sim_config config = config_of(s);

	reset(s);
	return (unsigned)sim_run(&config, drive_main, &drive);
}

struct batch {
	bool (*next)(struct sequence *s);
	struct sequence *s;
};

static void batch_main(void *arg)
{
	struct batch *b = arg;

	while (!sim_failures() && b->next(b->s)) {
		reset(b->s);
		drive_main(&drive);
	}
}

unsigned run_batch(bool (*next)(struct sequence *s), struct sequence *s)
{
	struct sim_config config = {.cpus = MODEL_CPUS, .ram_pages = RAM_PAGES, .threads = run_threads};
	struct batch b = {next, s};

	return (unsigned)sim_run(&config, batch_main, &b);
}

/* -- alone ------------------------------------------------------------------------------------------------------------ */
static void alone_main(void *arg)
{
	if (silent && (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)))
		sim_fail("there is no /dev/null");
	drive_main(arg);
}

enum sim_verdict run_alone(const struct sequence *s, bool quiet)
{
	struct sim_config config = config_of(s);

	reset(s);
	silent = quiet;
	return sim_run_isolated(&config, alone_main, &drive, ALONE_LIMIT_MS);
}

/* -- fault injection ---------------------------------------------------------------------------------------------------- */

/* The beginning of @s up to operation @at, whose @nth attempt fails; returns the complaints. */
static unsigned run_failing(const struct sequence *s, unsigned at, const char *name, u64 nth)
{
	struct sim_config config = config_of(s);
	struct sequence part = *s;

	part.nr = at + 1;
	reset(&part);
	drive.inject = true;
	drive.inject_at = at;
	drive.inject_name = name;
	drive.inject_nth = nth;
	return (unsigned)sim_run(&config, drive_main, &drive);
}

unsigned run_injected(const struct sequence *s, unsigned long *attempts)
{
	static const char *const names[] = {"page_alloc", "slab_alloc"};
	unsigned complaints = 0;

	for (unsigned at = 0; at < s->nr && !complaints; at++)
		for (unsigned n = 0; n < ARRAY_SIZE(names) && !complaints; n++)
			for (u64 nth = 1; !complaints; nth++, ++*attempts) {
				complaints = run_failing(s, at, names[n], nth);
				if (complaints)
					printf("# attempt %llu of %s in operation %u fails\n", (unsigned long long)nth, names[n], at);
				if (drive.inject_hits < nth)
					break;
			}
	return complaints;
}
