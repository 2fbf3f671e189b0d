/*
 * umk.c - `umk [KIND] [OPERATIONS] [SEED]`: a toy guest on an emulated MMU (docs/umk.md).
 *
 * KIND: how the window is changed: remap, vector, mmap, or all that this kernel has (the default).  Exit status 0:
 * no mismatch; and with remap and vector the window was one vma all the time.
 */
#include "user/umk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void report(const struct window_ops *ops, const struct umk_result *r, double took)
{
	printf(
		"umk %-6s %lu operations: %lu accesses (%lu denied), %lu maps, %lu unmaps, %lu protects, %lu ages, %lu switches\n",
		ops->name, r->ops, r->accesses, r->denied, r->maps, r->unmaps, r->protects, r->ages, r->switches);
	printf(
		"umk %-6s %lu faults, %lu pages shown, %lu hidden, %lu changed at switches; %u to %u vmas; %.0f operations/s\n",
		ops->name, mmu_counts.faults, mmu_counts.filled, mmu_counts.invalidated, mmu_counts.switched, r->vmas_least,
		r->vmas_most, (double)r->ops / took);
	printf("umk %-6s %lu mismatches%s%s\n", ops->name, r->mismatches, r->mismatches ? ": " : "", r->first);
}

/* 0, or 1 if something was wrong; -1: this kernel has no such kind. */
static int run(const struct window_ops *ops, unsigned long n, uint32_t seed)
{
	struct umk_result r;
	double began = seconds();

	if (!umk_run(ops, n, seed, &r))
		return -1;
	report(ops, &r, seconds() - began);
	return r.mismatches || (ops != &window_mmap && r.vmas_most != 1);
}

int main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "all";
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 0) : 100000;
	uint32_t seed = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 1;
	bool any = false, all = !strcmp(kind, "all");
	int bad = 0;

	for (unsigned i = 0; i < window_nkinds; i++) {
		int r = all || !strcmp(kind, window_kinds[i]->name) ? run(window_kinds[i], n, seed) : -1;

		any |= r >= 0;
		bad |= r > 0;
	}
	if (!any)
		fprintf(stderr, "umk: this kernel has no '%s'\n", kind);
	return any ? bad : 2;
}
