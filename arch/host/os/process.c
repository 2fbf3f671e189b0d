/*
 * process.c - the process as a whole: time, output, its end, its children; the sanitizers.  arch/host/os.
 */
#define _GNU_SOURCE
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "arch/host/os/os.h"
#include "arch/host/os/sanitizer.h"

#define STRING(x) #x
#define VALUE(x) STRING(x)
#define SANITIZER_STATUS 3 /* SIM_SANITIZER */

uint64_t os_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void os_write(const char *text, size_t n)
{
	while (n) {
		ssize_t done = write(1, text, n);

		if (done <= 0)
			return;
		text += done;
		n -= (size_t)done;
	}
}

void os_exit(int status)
{
#ifdef COVERAGE
	extern void __gcov_dump(void);

	__gcov_dump();
#endif
	_exit(status);
}

const char *os_environment(const char *name)
{
	return getenv(name);
}

void os_backtrace(void)
{
#if HAVE_ASAN || HAVE_TSAN
	__sanitizer_print_stack_trace();
#else
	void *frames[40];

	backtrace_symbols_fd(frames, backtrace(frames, 40), 1);
#endif
}

/* -- sanitizers --------------------------------------------------------------------------------------------------------- */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "exitcode=" VALUE(SANITIZER_STATUS) ":detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=0";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "print_stacktrace=1:exitcode=" VALUE(SANITIZER_STATUS);
}

const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "halt_on_error=1:exitcode=" VALUE(SANITIZER_STATUS) ":report_signal_unsafe=0:detect_deadlocks=0";
}

void os_on_sanitizer(void (*fn)(void), int status)
{
	(void)status;
#if HAVE_ASAN || HAVE_TSAN
	__sanitizer_set_death_callback(fn);
#else
	(void)fn;
#endif
}

bool os_has_asan(void)
{
	return HAVE_ASAN;
}

void os_poison(const void *p, size_t n, bool poisoned)
{
#if HAVE_ASAN
	if (poisoned)
		__asan_poison_memory_region(p, n);
	else
		__asan_unpoison_memory_region(p, n);
#else
	(void)p, (void)n, (void)poisoned;
#endif
}

const void *os_poisoned(const void *p, size_t n)
{
#if HAVE_ASAN
	return n ? __asan_region_is_poisoned((void *)p, n) : NULL;
#else
	(void)p, (void)n;
	return NULL;
#endif
}

void os_touch_checked(const void *p, size_t n, bool write)
{
#if HAVE_ASAN
	extern void __asan_loadN(void *p, long n);
	extern void __asan_storeN(void *p, long n);

	if (write)
		__asan_storeN((void *)p, (long)n);
	else
		__asan_loadN((void *)p, (long)n);
#else
	(void)p, (void)n, (void)write;
#endif
}

/* -- children ------------------------------------------------------------------------------------------------------------- */
static int wait_for(pid_t pid, unsigned limit_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), status;
	struct pollfd p = {.fd = fd, .events = POLLIN};
	bool late = fd >= 0 && limit_ms && poll(&p, 1, (int)limit_ms) == 0;

	if (fd >= 0)
		close(fd);
	if (late)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid)
		return -SIGKILL;
	if (late)
		return OS_TIMED_OUT;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void silence(void)
{
	int null = open("/dev/null", O_WRONLY);

	if (null < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0)
		_exit(99);
}

int os_fork_run(int (*fn)(void *), void *arg, unsigned limit_ms, bool mute)
{
	pid_t pid = fork();

	if (pid < 0)
		return -SIGKILL;
	if (pid == 0) {
		if (mute)
			silence();
		os_exit(fn(arg));
	}
	return wait_for(pid, limit_ms);
}
