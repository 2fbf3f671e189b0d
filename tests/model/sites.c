/*
 * sites.c - the call chains of failed allocations, without duplicates.
 */
#include "tests/model/sites.h"

#include <stdio.h>
#include <string.h>

#include "kernel/lib/failpoint.h"
#include "kernel/lib/types.h"

#define DEPTH 6
#define SITES 1024

extern const char __executable_start[];

static unsigned long site[SITES][DEPTH];
static unsigned nr_sites;
static bool (*original)(const char *name);

/* The chain of frame pointers: everything here is compiled with them. */
static void chain(unsigned long *at)
{
	unsigned long *frame = __builtin_frame_address(0);

	for (unsigned i = 0; i < DEPTH; i++) {
		unsigned long *next = (unsigned long *)frame[0];

		at[i] = frame[1] - (unsigned long)__executable_start;
		if (next <= frame)
			return;
		frame = next;
	}
}

static void note(void)
{
	unsigned long at[DEPTH] = {0};

	chain(at);
	for (unsigned i = 0; i < nr_sites; i++)
		if (!memcmp(site[i], at, sizeof(at)))
			return;
	if (nr_sites < SITES)
		memcpy(site[nr_sites++], at, sizeof(at));
}

static bool fails(const char *name)
{
	bool fail = original(name);

	if (fail)
		note();
	return fail;
}

void sites_start(void)
{
	if (failpoint_hook == fails)
		return;
	original = failpoint_hook;
	failpoint_hook = fails;
}

void sites_print(void)
{
	for (unsigned i = 0; i < nr_sites; i++) {
		printf("# site");
		for (unsigned k = 0; k < DEPTH; k++)
			printf(" %lx", site[i][k]);
		printf("\n");
	}
}
