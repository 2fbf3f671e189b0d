/*
 * tap.h - results of in-kernel tests, as KTAP lines on the console.  Layer 0.
 *
 *	struct tap t;
 *	tap_begin(&t, "contract.pte");
 *	tap_ok(&t, pte_is_none(pte_none()), "none is none");
 *	failed += tap_end(&t);
 */
#ifndef KERNEL_LIB_TAP_H
#define KERNEL_LIB_TAP_H

#include "kernel/lib/types.h"

struct tap {
	const char *name;
	unsigned passed, failed, skipped;
};

void tap_begin(struct tap *t, const char *name);
/* One result line; returns @ok. */
__printf(3, 4) bool tap_ok(struct tap *t, bool ok, const char *fmt, ...);
__printf(2, 3) void tap_skip(struct tap *t, const char *fmt, ...);
/* A diagnostic line ("# ..."). */
__printf(2, 3) void tap_note(struct tap *t, const char *fmt, ...);
/* Counts a check but prints it only when it fails: for exhaustive loops. Returns @ok. */
__printf(3, 4) bool tap_check(struct tap *t, bool ok, const char *fmt, ...);
/* The plan and a summary; returns the number of failures. */
unsigned tap_end(struct tap *t);

/* Of all sequences since boot. */
extern unsigned tap_total_passed, tap_total_failed, tap_total_skipped;

#endif
