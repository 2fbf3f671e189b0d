/*
 * sys_time.c - clocks, sleeping, interval timers.  Layer 10.
 */
#include <arch/uaccess.h>
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "kernel/proc/process.h"
#include "kernel/proc/syscalls.h"
#include "kernel/proc/timespec.h"

enum clock_id {
	CLOCK_REALTIME,
	CLOCK_MONOTONIC,
	CLOCK_PROCESS_CPUTIME_ID,
	CLOCK_THREAD_CPUTIME_ID,
	CLOCK_MONOTONIC_RAW,
	CLOCK_REALTIME_COARSE,
	CLOCK_MONOTONIC_COARSE,
	CLOCK_BOOTTIME,
	CLOCK_REALTIME_ALARM,
	CLOCK_BOOTTIME_ALARM,
	CLOCK_TAI = 11,
};
#define TIMER_ABSTIME 1
#define ITIMER_REAL 0
#define ITIMER_PROF 2

/* -- reading ---------------------------------------------------------------------------------------------------- */

static u64 process_cpu_ns(struct process *p)
{
	struct thread *t;
	unsigned long flags = spin_lock_irqsave(&p->siglock);
	u64 sum = p->utime + p->stime; /* of the threads that left */

	list_for_each_entry(t, &p->threads, process_link)
		sum += thread_runtime(t);
	spin_unlock_irqrestore(&p->siglock, flags);
	return sum;
}

static int clock_read(int clock, u64 *ns)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		*ns = wall_clock_ns();
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = clock_ns();
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = process_cpu_ns(current_process());
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = thread_runtime(current_thread());
		return 0;
	default:
		return -EINVAL;
	}
}

long sys_clock_gettime(int clock, struct abi_timespec *ts)
{
	u64 ns;
	int err = clock_read(clock, &ns);

	return err ? err : timespec_to_user(ts, ns);
}

long sys_clock_gettime64(int clock, struct abi_timespec64 *ts)
{
	u64 ns;
	int err = clock_read(clock, &ns);

	return err ? err : timespec64_to_user(ts, ns);
}

static u64 resolution(int clock)
{
	return clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE ? 4 * NSEC_PER_MSEC : 1;
}

long sys_clock_getres(int clock, struct abi_timespec *ts)
{
	u64 ns;
	int err = clock_read(clock, &ns);

	return err || !ts ? err : timespec_to_user(ts, resolution(clock));
}

long sys_clock_getres_time64(int clock, struct abi_timespec64 *ts)
{
	u64 ns;
	int err = clock_read(clock, &ns);

	return err || !ts ? err : timespec64_to_user(ts, resolution(clock));
}

long sys_gettimeofday(struct abi_timeval *tv, struct abi_timezone *tz)
{
	struct abi_timeval now = timeval_of(wall_clock_ns());
	struct abi_timezone utc = {0, 0};

	if (tv && copy_to_user(tv, &now, sizeof(now)))
		return -EFAULT;
	if (tz && copy_to_user(tz, &utc, sizeof(utc)))
		return -EFAULT;
	return 0;
}

long sys_time(long *t)
{
	long now = (long)(wall_clock_ns() / NSEC_PER_SEC);

	if (t && put_user(now, t))
		return -EFAULT;
	return now;
}

/* -- setting ------------------------------------------------------------------------------------------------------ */

long sys_clock_settime(int clock, const struct abi_timespec *ts)
{
	u64 ns;
	int err = clock == CLOCK_REALTIME ? timespec_from_user(&ns, ts) : -EINVAL;

	if (!err)
		wall_clock_set(ns);
	return err;
}

long sys_clock_settime64(int clock, const struct abi_timespec64 *ts)
{
	u64 ns;
	int err = clock == CLOCK_REALTIME ? timespec64_from_user(&ns, ts) : -EINVAL;

	if (!err)
		wall_clock_set(ns);
	return err;
}

long sys_settimeofday(const struct abi_timeval *user, const struct abi_timezone *tz)
{
	struct abi_timeval tv;

	if (!user)
		return 0;
	if (get_user(tv, user))
		return -EFAULT;
	if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EINVAL;
	wall_clock_set((u64)tv.tv_sec * NSEC_PER_SEC + (u64)tv.tv_usec * NSEC_PER_USEC);
	return 0;
}

/* -- sleeping ------------------------------------------------------------------------------------------------------- */

static long put_remaining(struct thread_signals *ts, u64 left)
{
	if (!ts->restart_user)
		return 0;
	return ts->restart_flags ? timespec64_to_user(ts->restart_user, left) : timespec_to_user(ts->restart_user, left);
}

/* Sleep until ts->restart_deadline; interrupted: report what is left and offer to be restarted. */
static long sleep_on(struct thread_signals *ts)
{
	u64 now = clock_ns();
	u64 left = ts->restart_deadline > now ? sleep_ns_interruptible(ts->restart_deadline - now) : 0;

	if (!left)
		return 0;
	if (put_remaining(ts, left))
		return -EFAULT;
	return -ERESTART_RESTARTBLOCK;
}

static long do_nanosleep(int clock, int flags, u64 ns, void *rem, bool wide)
{
	struct thread_signals *ts = current_signals();
	u64 now, clock_now;
	int err = clock_read(clock, &clock_now);

	if (err || clock == CLOCK_THREAD_CPUTIME_ID)
		return -EINVAL;
	now = clock_ns();
	if (flags & TIMER_ABSTIME)
		ns = ns > clock_now ? ns - clock_now : 0;
	if (flags & TIMER_ABSTIME)
		return ns && sleep_ns_interruptible(ns) ? -ERESTARTNOHAND : 0;
	ts->restart_fn = sleep_on;
	ts->restart_deadline = ns > ~0ULL - now ? ~0ULL : now + ns;
	ts->restart_user = rem;
	ts->restart_flags = wide;
	return sleep_on(ts);
}

long sys_nanosleep(const struct abi_timespec *ts, struct abi_timespec *rem)
{
	u64 ns;
	int err = timespec_from_user(&ns, ts);

	return err ? err : do_nanosleep(CLOCK_MONOTONIC, 0, ns, rem, false);
}

long sys_clock_nanosleep(int clock, int flags, const struct abi_timespec *ts, struct abi_timespec *rem)
{
	u64 ns;
	int err = timespec_from_user(&ns, ts);

	return err ? err : do_nanosleep(clock, flags, ns, rem, false);
}

long sys_clock_nanosleep_time64(int clock, int flags, const struct abi_timespec64 *ts, struct abi_timespec64 *rem)
{
	u64 ns;
	int err = timespec64_from_user(&ns, ts);

	return err ? err : do_nanosleep(clock, flags, ns, rem, true);
}

/* -- ITIMER_REAL (the CPU-time timers are not there) ------------------------------------------------------------------ */

static u64 timeval_ns(const struct abi_timeval *tv)
{
	u64 sec = min((u64)tv->tv_sec, 0xffffffffULL); /* 136 years are for ever */

	return sec * NSEC_PER_SEC + (u64)tv->tv_usec * NSEC_PER_USEC;
}

static bool timeval_bad(const struct abi_timeval *tv)
{
	return tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000;
}

/* Arm or (0) disarm; returns what was left, and its interval. */
static u64 real_timer_set(struct process *p, bool change, u64 value, u64 interval, u64 *old_interval)
{
	unsigned long flags;
	u64 now = clock_ns(), left;

	if (change)
		timer_cancel(&p->real_timer);
	flags = spin_lock_irqsave(&p->siglock);
	left = p->real_expires > now ? p->real_expires - now : p->real_expires ? 1 : 0;
	*old_interval = p->real_interval;
	if (change) {
		p->real_interval = interval;
		p->real_expires = value ? now + value : 0;
		if (value)
			timer_add(&p->real_timer, p->real_expires);
	}
	spin_unlock_irqrestore(&p->siglock, flags);
	return left;
}

long sys_alarm(unsigned seconds)
{
	u64 interval, left = real_timer_set(current_process(), true, seconds * NSEC_PER_SEC, 0, &interval);

	return (long)((left + NSEC_PER_SEC / 2) / NSEC_PER_SEC) + (left && left < NSEC_PER_SEC / 2);
}

static long timer_to_user(struct abi_itimerval *user, u64 value, u64 interval)
{
	struct abi_itimerval it = {.it_interval = timeval_of(interval), .it_value = timeval_of(value)};

	if (value && !it.it_value.tv_sec && !it.it_value.tv_usec)
		it.it_value.tv_usec = 1;
	return copy_to_user(user, &it, sizeof(it));
}

long sys_setitimer(int which, const struct abi_itimerval *new, struct abi_itimerval *old)
{
	struct abi_itimerval it;
	u64 left, interval;

	memset(&it, 0, sizeof(it));
	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	if (new &&get_user(it, new))
		return -EFAULT;
	if (timeval_bad(&it.it_value) || timeval_bad(&it.it_interval))
		return -EINVAL;
	if (which != ITIMER_REAL)
		return -EOPNOTSUPP;
	left = real_timer_set(current_process(), true, timeval_ns(&it.it_value), timeval_ns(&it.it_interval), &interval);
	return old ? timer_to_user(old, left, interval) : 0;
}

long sys_getitimer(int which, struct abi_itimerval *cur)
{
	u64 left, interval;

	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	if (which != ITIMER_REAL)
		return timer_to_user(cur, 0, 0);
	left = real_timer_set(current_process(), false, 0, 0, &interval);
	return timer_to_user(cur, left, interval);
}
