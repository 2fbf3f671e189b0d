/*
 * contract.h - tests of what <arch/...> promises, run inside the kernel on every machine.
 * docs/arch-contract.md says what each promise means.
 *
 * The test runner calls each entry of contract_tests[] once at boot; a test says what went wrong through
 * contract_check() and returns whether everything held.  Tests depend only on layers 0 and 1, so the same
 * files also run on the host.
 */
#ifndef TESTS_CONTRACT_H
#define TESTS_CONTRACT_H

#include "kernel/lib/types.h"

struct contract_test {
	const char *id; /* of spec.md where it has one */
	const char *what;
	bool (*run)(void);
};

extern const struct contract_test contract_tests[];
extern const unsigned contract_test_count;

/* Run one test. Returns whether it passed. */
bool contract_run(const struct contract_test *test);

/* A check; the message is made only if it fails. */
#define contract_check(ok, ...)         \
	do {                                \
		if (!(ok))                      \
			contract_fail(__VA_ARGS__); \
	} while (0)
/* Counts a failure and prints it (the first few of a test). */
__printf(1, 2) void contract_fail(const char *fmt, ...);
/* Did every check since the start of this test hold? */
bool contract_held(void);

bool contract_soft_round_trip(void);
bool contract_soft_kinds(void);
bool contract_reserved_bits(void);
bool contract_page_round_trip(void);
bool contract_file_limits(void);
bool contract_grants(void);
bool contract_grant_changes(void);
bool contract_page_values(void);
bool contract_table_values(void);
bool contract_huge_values(void);
bool contract_format(void);
bool contract_hw_table(void);
bool contract_hw_set_get(void);
bool contract_hw_young(void);
bool contract_hw_cmpxchg(void);
bool contract_geometry(void);
bool contract_root(void);
bool contract_ipi_call(void);
bool contract_clock_order(void);

#endif
