/*
 * main.c - the random tester of the memory manager, by a model (docs/host.md).
 *
 *	model [SEED=n] [count=n] [length=n] [mode=exact|concurrent|both] [seconds=n] [threads=1] [mutate=n] [high=1] [huge=1]
 *	      random sequences, with seeds n, n + 1, ...; at most so many, for so long; high: also with frames above 4 GiB
 *	model inject=1 [SEED=n] [count=n] [length=n]    every attempt to allocate fails in turn
 *	model replay=HEX | file=PATH ...                these sequences
 *	model shrink=1 [SEED=n | replay=HEX]            the smallest part of it that still fails
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/host/os/os.h"
#include "kernel/lib/mutation.h"
#include "tests/model/run.h"
#include "tests/model/sites.h"

static int argc_;
static char **argv_;

static const char *option(const char *name, const char *otherwise)
{
	size_t n = strlen(name);

	for (int i = 1; i < argc_; i++)
		if (!strncmp(argv_[i], name, n) && argv_[i][n] == '=')
			return argv_[i] + n + 1;
	return otherwise;
}

static unsigned long number(const char *name, unsigned long otherwise)
{
	const char *text = option(name, NULL);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/* -- sequences ------------------------------------------------------------------------------------------------------- */
static unsigned mode_of(u32 seed)
{
	const char *mode = option("mode", "both");

	if (!strcmp(mode, "both"))
		return seed % 4 ? 0 : MODE_CONCURRENT;
	return strcmp(mode, "concurrent") ? 0 : MODE_CONCURRENT;
}

static void make_random(struct sequence *s, u32 seed)
{
	sequence_random(s, seed, (unsigned)number("length", SEQUENCE_OPS), mode_of(seed));
}

static void from_hex(struct sequence *s, const char *hex)
{
	static unsigned char bytes[SEQUENCE_HEADER + SEQUENCE_OPS * OP_BYTES];
	size_t n = 0;

	for (; n < sizeof(bytes) && hex[0] && hex[1]; hex += 2) {
		char digits[3] = {hex[0], hex[1], 0};

		bytes[n++] = (unsigned char)strtoul(digits, NULL, 16);
	}
	sequence_decode(s, bytes, n);
}

static bool from_file(struct sequence *s, const char *path)
{
	static unsigned char bytes[SEQUENCE_HEADER + SEQUENCE_OPS * OP_BYTES];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f)
		return false;
	n = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	sequence_decode(s, bytes, n);
	return true;
}

/* -- what to do ------------------------------------------------------------------------------------------------------- */
static struct sequence sequence;

static int report(unsigned complaints)
{
	if (complaints)
		printf("# the least of it: mode=%s shrink=1 SEED=%u\n",
		       sequence.mode & MODE_CONCURRENT ? "concurrent" : "exact", sequence.seed);
	return complaints != 0;
}

static struct {
	u64 start, limit; /* ns */
	unsigned long count, done, operations;
} progress;

static bool next_random(struct sequence *s)
{
	if (progress.done == progress.count || os_clock_ns() - progress.start > progress.limit)
		return false;
	make_random(s, (u32)(sim_seed() + progress.done++));
	progress.operations += s->nr;
	return true;
}

static int run_random(void)
{
	unsigned complaints = 0;

	progress.start = os_clock_ns();
	progress.limit = (u64)number("seconds", 1000000) * 1000000000;
	progress.count = number("count", 100);
	if (run_threads)
		complaints = run_batch(next_random, &sequence);
	else
		while (!complaints && next_random(&sequence))
			complaints = run_sequence(&sequence);
	printf("# %lu sequences, %lu operations, %llu ms\n", progress.done, progress.operations,
	       (unsigned long long)(os_clock_ns() - progress.start) / 1000000);
	return report(complaints);
}

static int run_inject(void)
{
	unsigned long count = number("count", 5), attempts = 0;
	u64 start = os_clock_ns();
	unsigned complaints = 0;
	u32 seed = (u32)sim_seed();

	for (unsigned long i = 0; i < count && !complaints; i++) {
		sequence_random(&sequence, seed++, (unsigned)number("length", 40), 0);
		complaints = run_injected(&sequence, &attempts);
	}
	sites_print();
	printf("# %lu attempts to allocate failed in turn, %llu ms\n", attempts,
	       (unsigned long long)(os_clock_ns() - start) / 1000000);
	return report(complaints);
}

static int run_files(void)
{
	for (int i = 1; i < argc_; i++) {
		if (strncmp(argv_[i], "file=", 5))
			continue;
		if (!from_file(&sequence, argv_[i] + 5)) {
			printf("# cannot read %s\n", argv_[i] + 5);
			return 1;
		}
		if (run_sequence(&sequence)) {
			printf("# %s fails\n", argv_[i] + 5);
			return report(1);
		}
	}
	return 0;
}

static int run_shrink(void)
{
	const char *hex = option("replay", NULL);

	if (hex)
		from_hex(&sequence, hex);
	else
		make_random(&sequence, (u32)sim_seed());
	if (!shrink(&sequence)) {
		printf("# it does not fail alone\n");
		return 1;
	}
	sequence_print(&sequence);
	run_alone(&sequence, false);
	return 0;
}

int main(int argc, char **argv)
{
	argc_ = argc;
	argv_ = argv;
	setvbuf(stdout, NULL, _IOLBF, 0);
	sim_main(argc, argv);
	run_threads = number("threads", 0);
	run_high = number("high", 0);
	mutation_active = (unsigned)number("mutate", 0);
	thp_mode = number("huge", 0) ? THP_ALWAYS : THP_MADVISE;
	if (number("shrink", 0))
		return run_shrink();
	if (number("inject", 0))
		return run_inject();
	if (option("file", NULL))
		return run_files();
	if (option("replay", NULL)) {
		from_hex(&sequence, option("replay", ""));
		return report(run_sequence(&sequence));
	}
	return run_random();
}
