/*
 * main.c - generated sequences of memory-management calls, and what the kernel that this runs on makes of them.
 *
 *   oracle FIRST COUNT STEPS    the sequences of COUNT seeds: a line "seed N SUM" each, of a sum of what it printed
 *   oracle -l FILE STEPS        each line of FILE is SEED[-STEP,STEP...], those steps left out: all that it prints
 *
 * An ordinary static program: tools/oracle.py runs it on two kernels and compares (docs/oracle.md).
 */
#define _GNU_SOURCE
#include "tests/oracle/run.h"

#include <stdio.h>
#include <stdlib.h>

static bool all[MAX_STEPS];

static u64 sum(const char *text, size_t n)
{
	u64 h = 0xcbf29ce484222325u;

	while (n--)
		h = (h ^ (u8)*text++) * 0x100000001b3u;
	return h;
}

static int many(u32 first, u32 count, unsigned nr)
{
	for (u32 seed = first; seed < first + count; seed++) {
		run_sequence(seed, nr, all);
		printf("seed %u %016llx\n", (unsigned)seed, (unsigned long long)sum(said->text, said->used));
		fflush(stdout);
	}
	return 0;
}

static int listed(const char *path, unsigned nr)
{
	static char line[512];
	FILE *f = fopen(path, "r");

	if (!f)
		return 2;
	while (fgets(line, sizeof(line), f)) {
		bool chosen[MAX_STEPS];
		char *word = line;
		u32 seed = (u32)strtoul(word, &word, 10);

		memset(chosen, true, sizeof(chosen));
		while (*word == '-' || *word == ',')
			chosen[strtoul(word + 1, &word, 10) % MAX_STEPS] = false;
		line[strcspn(line, "\n")] = 0;
		run_sequence(seed, nr, chosen);
		printf("sequence %s\n%.*s", line, (int)said->used, said->text);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned nr;

	if (argc != 4)
		return 2;
	nr = (unsigned)atoi(argv[3]);
	if (nr > MAX_STEPS)
		return 2;
	memset(all, true, sizeof(all));
	run_init();
	if (!strcmp(argv[1], "-l"))
		return listed(argv[2], nr);
	return many((u32)strtoul(argv[1], NULL, 0), (u32)strtoul(argv[2], NULL, 0), nr);
}
