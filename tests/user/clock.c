/*
 * clock.c - clocks, sleeping, futexes between processes, resource usage.
 */
#define _GNU_SOURCE
#include "test.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

TEST(clock_mono, "clock.monotonic never goes back and advances")
{
	u64 first = now_ns(), last = first;

	for (int i = 0; i < 20000; i++) {
		u64 t = now_ns();

		CHECK_OP(t, >=, last);
		last = t;
	}
	CHECK_OP(last, >, first);
}

TEST(clock_real, "clock.realtime, gettimeofday and time agree")
{
	struct timespec ts;
	struct timeval tv;
	time_t t;

	CHECK_OK(clock_gettime(CLOCK_REALTIME, &ts));
	CHECK_OK(gettimeofday(&tv, NULL));
	t = time(NULL);
	CHECK(tv.tv_sec - ts.tv_sec >= 0 && tv.tv_sec - ts.tv_sec <= 2);
	CHECK(t - ts.tv_sec >= -1 && t - ts.tv_sec <= 2);
	CHECK_OP(ts.tv_sec, >, 1600000000);
	CHECK_OK(clock_getres(CLOCK_MONOTONIC, &ts));
	CHECK_ERRNO(clock_gettime(99, &ts), EINVAL);
	CHECK_ERRNO(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, BAD), EFAULT);
	CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
	CHECK_OK(clock_gettime(CLOCK_BOOTTIME, &ts));
}

TEST(clock_sleep, "clock.nanosleep sleeps at least that long")
{
	static const unsigned ms[] = {1, 5, 20, 100};
	struct timespec ts = {0, 1000000000};

	for (size_t i = 0; i < 4; i++) {
		u64 t = now_ns();

		sleep_ms(ms[i]);
		CHECK_OP(now_ns() - t, >=, (u64)ms[i] * 1000000);
	}
	CHECK_ERRNO(nanosleep(&ts, NULL), EINVAL);
	ts = (struct timespec){-1, 0};
	CHECK_ERRNO(nanosleep(&ts, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, BAD, NULL), EFAULT);
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &ts));
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_nsec -= 1000000000;
		ts.tv_sec++;
	}
	CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
}

TEST(clock_usage, "clock.usage a busy loop is charged to the process")
{
	struct rusage a, b;
	u64 end;

	CHECK_OK(getrusage(RUSAGE_SELF, &a));
	end = now_ns() + 100000000;
	while (now_ns() < end)
		;
	CHECK_OK(getrusage(RUSAGE_SELF, &b));
	CHECK_OP((b.ru_utime.tv_sec + b.ru_stime.tv_sec - a.ru_utime.tv_sec - a.ru_stime.tv_sec) * 1000000 +
	             b.ru_utime.tv_usec + b.ru_stime.tv_usec - a.ru_utime.tv_usec - a.ru_stime.tv_usec,
	         >, 10000);
	CHECK_ERRNO(getrusage(77, &a), EINVAL);
}

TEST(sysinfo_random, "clock.sysinfo and getrandom")
{
	struct sysinfo si;
	u8 a[32] = {0}, b[32] = {0};

	CHECK_OK(sysinfo(&si));
	CHECK_OP(si.totalram, >, 0);
	CHECK_EQ(getrandom(a, sizeof(a), 0), 32);
	CHECK_EQ(getrandom(b, sizeof(b), 0), 32);
	CHECK(memcmp(a, b, 32) != 0);
	CHECK_ERRNO(getrandom(a, 1, 0x100), EINVAL);
}

/* -- futexes ------------------------------------------------------------------------------------------------------ */

static long futex(u32 *word, int op, u32 value, const struct timespec *ts)
{
	return syscall(SYS_futex, word, op, value, ts, NULL, 0);
}

TEST(futex_errno, "futex.errno and timeout")
{
	u32 *w = (u32 *)map_anon(1, PROT_READ | PROT_WRITE);
	struct timespec ts = {0, 30000000};
	u64 t;

	*w = 5;
	CHECK_ERRNO(futex(w, FUTEX_WAIT, 4, NULL), EAGAIN);
	t = now_ns();
	CHECK_ERRNO(futex(w, FUTEX_WAIT, 5, &ts), ETIMEDOUT);
	CHECK_OP(now_ns() - t, >=, 29000000);
	CHECK_ERRNO(futex((u32 *)((u8 *)w + 1), FUTEX_WAIT, 5, NULL), EINVAL);
	CHECK_ERRNO(futex(BAD, FUTEX_WAIT, 5, NULL), EFAULT);
	CHECK_ERRNO(futex(w, 99, 5, NULL), ENOSYS);
	CHECK_EQ(futex(w, FUTEX_WAKE, 1, NULL), 0);
}

TEST(futex_shared, "futex.shared wakes another process")
{
	u32 *w = (u32 *)map_shared(tagged_memfd(1), 1, PROT_READ | PROT_WRITE) + 100;
	pid_t pids[4];
	int woken = 0;

	*w = 1;
	for (int i = 0; i < 4; i++) {
		pids[i] = CHECK_OK(fork());
		if (pids[i] == 0) {
			while (__atomic_load_n(w, __ATOMIC_SEQ_CST) == 1)
				if (futex(w, FUTEX_WAIT, 1, NULL) && errno != EAGAIN && errno != EINTR)
					FAIL("wait: errno %d", errno);
			_exit(0);
		}
	}
	sleep_ms(30);
	__atomic_store_n(w, 2, __ATOMIC_SEQ_CST);
	woken = (int)CHECK_OK(futex(w, FUTEX_WAKE, INT_MAX, NULL));
	CHECK_EQ(woken, 4);
	for (int i = 0; i < 4; i++)
		join(pids[i]);
}
