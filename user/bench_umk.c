/*
 * bench_umk.c - the user-mode kernel's guest (user/umk.h): what one operation costs with each way to change its window.
 */
#include "user/bench.h"

#include "user/umk.h"

#include <stdio.h>

#define WARM 4000ul
#define OPERATIONS 20000ul

static void put_kind(const struct window_ops *ops, uint64_t cost, const struct umk_result *r)
{
	char suffix[16];

	snprintf(suffix, sizeof(suffix), ".%s", ops->name);
	put("umk_operation", suffix, cost / OPERATIONS, "insns");
	put("umk_vmas", suffix, r->vmas_most, "vmas");
	put("umk_mismatches", suffix, r->mismatches, "operations");
}

static void bench_kind(const struct window_ops *ops)
{
	struct umk_result r = {0};
	uint64_t began;

	if (!umk_begin(ops, 1))
		return;
	umk_operations(WARM, &r);
	began = ticks();
	umk_operations(OPERATIONS, &r);
	began = ticks() - began;
	r.vmas_most = window_vmas();
	umk_end(&r);
	put_kind(ops, began, &r);
}

void bench_umk(void)
{
	for (unsigned i = 0; i < window_nkinds; i++)
		bench_kind(window_kinds[i]);
}
