/*
 * assert.h - our own invariants.  Never for input from outside: that gets an errno.  Layer 0.
 */
#ifndef KERNEL_LIB_ASSERT_H
#define KERNEL_LIB_ASSERT_H

#include "kernel/lib/printk.h"
#include "kernel/lib/types.h"

/* Report, backtrace, leave the machine with EXIT_PANIC. kernel/main/panic.c. => any context */
__noreturn __printf(1, 2) void panic(const char *fmt, ...);

#define BUG() panic("BUG at %s:%d (%s)\n", __FILE__, __LINE__, __func__)

/* Checked in every build. */
#define BUG_ON(c)                                                                  \
	do {                                                                           \
		if (unlikely(c))                                                           \
			panic("BUG_ON(%s) at %s:%d (%s)\n", #c, __FILE__, __LINE__, __func__); \
	} while (0)

/* Checked in debug builds; compiled (so it cannot rot) but not evaluated in release builds. */
#define ASSERT(c)                                                                  \
	do {                                                                           \
		if (DEBUG && unlikely(!(c)))                                               \
			panic("ASSERT(%s) at %s:%d (%s)\n", #c, __FILE__, __LINE__, __func__); \
	} while (0)

/* A line on the console, the first time only; its value is the condition's. */
#define WARN_ON_ONCE(c)                                                              \
	({                                                                               \
		static bool warned_;                                                         \
		bool c_ = !!(c);                                                             \
		if (unlikely(c_) && !warned_) {                                              \
			warned_ = true;                                                          \
			printk("warning: %s at %s:%d (%s)\n", #c, __FILE__, __LINE__, __func__); \
		}                                                                            \
		unlikely(c_);                                                                \
	})

#define STATIC_ASSERT(c) _Static_assert(c, #c)

#endif
