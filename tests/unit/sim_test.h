/*
 * sim_test.h - a runner for tests on the simulated machine: KTAP lines, each case in a child process of its own.
 *
 * A case is a function that runs as the first thread of a fresh machine (arch/host/sim.h).  CHECK() inside of it.
 */
#ifndef TESTS_UNIT_SIM_TEST_H
#define TESTS_UNIT_SIM_TEST_H

#include <stdio.h>
#include <string.h>

#include "arch/host/sim.h"
#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"

#define CASE_LIMIT_MS 120000

static unsigned sim_case_number, sim_case_failed;

#define CHECK(c)                                           \
	do {                                                   \
		if (!(c))                                          \
			sim_fail("%s:%d: %s", __FILE__, __LINE__, #c); \
	} while (0)

/* @fn on the machine that @config describes. */
#define CASE_WITH(config, fn) sim_case(#fn, config, fn)
#define CASE(fn) CASE_WITH(&(struct sim_config){0}, fn)

static __unused void sim_result(const char *name, bool ok)
{
	printf("%s %u - %s\n", ok ? "ok" : "not ok", ++sim_case_number, name);
	fflush(stdout);
	sim_case_failed += !ok;
}

static __unused void sim_case(const char *name, const struct sim_config *config, void (*fn)(void *))
{
	sim_result(name, sim_run_isolated(config, fn, NULL, CASE_LIMIT_MS) == SIM_PASSED);
}

/* The run must end in just this way. */
static __unused void sim_case_ends(const char *name, const struct sim_config *config, void (*fn)(void *),
                                   enum sim_verdict how)
{
	enum sim_verdict v = sim_run_isolated(config, fn, NULL, CASE_LIMIT_MS);

	if (v != how)
		printf("# ended with %d, not %d\n", v, how);
	sim_result(name, v == how);
}

static __unused int sim_end(void)
{
	printf("1..%u\n", sim_case_number);
	return sim_case_failed != 0;
}

#endif
