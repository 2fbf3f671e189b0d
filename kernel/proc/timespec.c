/*
 * timespec.c - times as user programs write them, and nanoseconds.  Layer 10.
 */
#include "kernel/proc/timespec.h"

#include <arch/irq.h>
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/sched/timer.h"
#include "kernel/sync/spinlock.h"

#define SECONDS_MAX 0xffffffffLL

static u64 wall_offset; /* wall clock minus clock_ns(); 0: not yet known. wall_lock: i386 has no 64-bit load */
static spinlock_t wall_lock = SPINLOCK_INIT(LOCK_TIMER);

u64 wall_clock_ns(void)
{
	unsigned long flags = spin_lock_irqsave(&wall_lock);
	u64 offset;

	if (!wall_offset)
		wall_offset = arch_boot_epoch() * NSEC_PER_SEC;
	offset = wall_offset;
	spin_unlock_irqrestore(&wall_lock, flags);
	return offset + clock_ns();
}

void wall_clock_set(u64 now)
{
	unsigned long flags = spin_lock_irqsave(&wall_lock);

	wall_offset = now - clock_ns();
	spin_unlock_irqrestore(&wall_lock, flags);
}

static int combine(u64 *ns, s64 sec, s64 nsec)
{
	if (sec < 0 || nsec < 0 || nsec >= (s64)NSEC_PER_SEC)
		return -EINVAL;
	if (sec > SECONDS_MAX)
		sec = SECONDS_MAX; /* 136 years from now is for ever, but not TIME_FOREVER */
	*ns = (u64)sec * NSEC_PER_SEC + (u64)nsec;
	return 0;
}

int timespec_from_user(u64 *ns, const struct abi_timespec *user)
{
	struct abi_timespec ts;

	return get_user(ts, user) ? -EFAULT : combine(ns, ts.tv_sec, ts.tv_nsec);
}

int timespec64_from_user(u64 *ns, const struct abi_timespec64 *user)
{
	struct abi_timespec64 ts;

	/* A 32-bit program's tv_nsec is a long with padding above it. */
	return get_user(ts, user) ? -EFAULT : combine(ns, ts.tv_sec, (long)ts.tv_nsec);
}

int timeout_from_user(u64 *ns, const struct abi_timespec *ts)
{
	*ns = TIME_FOREVER;
	return ts ? timespec_from_user(ns, ts) : 0;
}

int timeout64_from_user(u64 *ns, const struct abi_timespec64 *ts)
{
	*ns = TIME_FOREVER;
	return ts ? timespec64_from_user(ns, ts) : 0;
}

int timespec_to_user(struct abi_timespec *user, u64 ns)
{
	struct abi_timespec ts = {.tv_sec = (long)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC)};

	return copy_to_user(user, &ts, sizeof(ts));
}

int timespec64_to_user(struct abi_timespec64 *user, u64 ns)
{
	struct abi_timespec64 ts = {.tv_sec = (s64)(ns / NSEC_PER_SEC), .tv_nsec = (s64)(ns % NSEC_PER_SEC)};

	return copy_to_user(user, &ts, sizeof(ts));
}

struct abi_timeval timeval_of(u64 ns)
{
	return (struct abi_timeval){.tv_sec = (long)(ns / NSEC_PER_SEC),
	                            .tv_usec = (long)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};
}
