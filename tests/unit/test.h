/*
 * test.h - a runner for unit tests of kernel sources in an ordinary process: KTAP lines, and what
 * kernel/lib expects of the machine (printk, panic).  Included once per test program.
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include "kernel/lib/types.h"
#include "tests/unit/printk.h"

static unsigned test_number, test_failed;
static bool test_bad; /* the present case has failed */

/* A panic inside test_panics() is what is wanted. */
static jmp_buf test_panic_jump;
static bool test_panic_wanted;

#define CHECK(c)                                                 \
	do {                                                         \
		if (!(c)) {                                              \
			if (!test_bad)                                       \
				printf("# %s:%d: %s\n", __FILE__, __LINE__, #c); \
			test_bad = true;                                     \
		}                                                        \
	} while (0)

#define RUN(fn) test_run(#fn, fn)

static __unused void test_run(const char *name, void (*fn)(void))
{
	test_bad = false;
	fn();
	printf("%s %u - %s\n", test_bad ? "not ok" : "ok", ++test_number, name);
	test_failed += test_bad;
}

static __unused int test_end(void)
{
	printf("1..%u\n", test_number);
	return test_failed != 0;
}

/* Does the statement panic? */
#define PANICS(statement)                              \
	({                                                 \
		test_panic_wanted = true;                      \
		bool panicked_ = setjmp(test_panic_jump) != 0; \
		if (!panicked_) {                              \
			statement;                                 \
		}                                              \
		test_panic_wanted = false;                     \
		panicked_;                                     \
	})

/* Repeatable pseudo-random numbers (xorshift64*). */
static u64 test_seed = 0x9e3779b97f4a7c15ULL;

static __unused u64 test_random(void)
{
	test_seed ^= test_seed >> 12;
	test_seed ^= test_seed << 25;
	test_seed ^= test_seed >> 27;
	return test_seed * 0x2545f4914f6cdd1dULL;
}

__noreturn __printf(1, 2) void panic(const char *fmt, ...);
__noreturn void panic(const char *fmt, ...)
{
	va_list ap;

	if (test_panic_wanted)
		longjmp(test_panic_jump, 1);
	va_start(ap, fmt);
	printf("# panic: ");
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	abort();
}

#endif
