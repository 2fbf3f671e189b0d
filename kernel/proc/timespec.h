/*
 * timespec.h - times as user programs write them, and nanoseconds.  Layer 10.
 */
#ifndef KERNEL_PROC_TIMESPEC_H
#define KERNEL_PROC_TIMESPEC_H

#include <arch/abi.h>

#define TIME_FOREVER (~0ULL) /* no timeout was given */

/* Wall-clock time: nanoseconds since the epoch, and its settable difference to clock_ns(). */
u64 wall_clock_ns(void);
void wall_clock_set(u64 now);

/* A relative time: -EINVAL (negative, tv_nsec out of range), -EFAULT. Saturates. */
int timespec_from_user(u64 *ns, const struct abi_timespec *ts);
int timespec64_from_user(u64 *ns, const struct abi_timespec64 *ts);
/* The same; a NULL pointer means TIME_FOREVER. */
int timeout_from_user(u64 *ns, const struct abi_timespec *ts);
int timeout64_from_user(u64 *ns, const struct abi_timespec64 *ts);
int timespec_to_user(struct abi_timespec *ts, u64 ns);
int timespec64_to_user(struct abi_timespec64 *ts, u64 ns);
struct abi_timeval timeval_of(u64 ns);

#endif
