/*
 * harness.c - finds, chooses and runs the tests; prints KTAP version 1.
 *
 *   suite              run all            suite -l [GLOB]    list
 *   suite GLOB[,GLOB]  run those whose id (first word of the title) or whole title matches
 *
 * Where there is a /dev/mm, the kernel's auditor runs after every test, and a violation fails that test.
 * Exit status 0 if nothing failed, 1 if something did, 2 for bad usage (no test matches).
 */
#define _GNU_SOURCE
#include "kernel/uapi/mm_debug.h"
#include "test.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_SKIP 77
#define PARENT_GRACE 10 /* seconds that the parent waits longer than the child's own alarm */

extern const struct test *const __start_suite[], *const __stop_suite[];

static int skip_pipe = -1;
static volatile pid_t running;
static volatile sig_atomic_t timed_out;

void test_note(const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	dprintf(1, "# %s\n", buf);
}

void test_fail(const char *file, int line, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	dprintf(1, "# %s:%d: %s\n", file, line, buf);
	_exit(1);
}

void test_skip(const char *reason)
{
	if (skip_pipe >= 0 && write(skip_pipe, reason, strlen(reason)) < 0)
		test_note("skip: %s", reason);
	_exit(STATUS_SKIP);
}

/* -- choosing ---------------------------------------------------------------------------------------------- */

static bool glob_one(const char *glob, const struct test *t)
{
	char id[64];
	size_t n = strcspn(t->title, " ");

	if (n >= sizeof(id))
		n = sizeof(id) - 1;
	memcpy(id, t->title, n);
	id[n] = 0;
	return !fnmatch(glob, id, 0) || !fnmatch(glob, t->title, 0);
}

/* A word that begins with '!' takes tests out again. */
static bool chosen(const char *globs, const struct test *t)
{
	char copy[512], *save, *g;
	bool in = false;

	if (!globs || !*globs)
		return true;
	snprintf(copy, sizeof(copy), "%s", globs);
	for (g = strtok_r(copy, ",", &save); g; g = strtok_r(NULL, ",", &save)) {
		if (*g == '!' && glob_one(g + 1, t))
			return false;
		in |= *g != '!' && glob_one(g, t);
	}
	return in;
}

static int by_title(const void *a, const void *b)
{
	return strcmp((*(const struct test *const *)a)->title, (*(const struct test *const *)b)->title);
}

static size_t choose(const char *globs, const struct test **out)
{
	size_t n = 0;

	for (const struct test *const *t = __start_suite; t < __stop_suite; t++)
		if (chosen(globs, *t))
			out[n++] = *t;
	qsort(out, n, sizeof(*out), by_title);
	return n;
}

/* -- running -------------------------------------------------------------------------------------------------- */

static void on_parent_alarm(int sig)
{
	(void)sig;
	timed_out = 1;
	if (running > 0) {
		kill(-running, SIGKILL);
		kill(running, SIGKILL);
	}
}

static void __attribute__((noreturn)) child_main(const struct test *t, int skip_fd)
{
	setpgid(0, 0);
	skip_pipe = skip_fd;
	signal(SIGALRM, SIG_DFL);
	alarm(t->seconds);
	t->fn();
	_exit(0);
}

/* Reap every stray descendant that became ours (none is, unless we are a subreaper or process 1). */
static void clean_up(pid_t pgid)
{
	kill(-pgid, SIGKILL);
	while (waitpid(-pgid, NULL, WNOHANG) > 0)
		;
}

/* Returns the wait status; the skip reason, if one was given, in @reason. */
static int run(const struct test *t, char *reason, size_t size)
{
	int fds[2] = {-1, -1}, status = 0;
	ssize_t n = 0;
	pid_t pid;

	reason[0] = 0;
	timed_out = 0;
	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
		fds[0] = fds[1] = -1;
	pid = fork();
	if (pid < 0) {
		test_note("fork: %s", strerror(errno));
		return 1 << 8;
	}
	if (pid == 0)
		child_main(t, fds[1]);
	running = pid;
	alarm(t->seconds + PARENT_GRACE);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	alarm(0);
	running = 0;
	clean_up(pid);
	if (fds[0] >= 0) {
		n = read(fds[0], reason, size - 1);
		close(fds[0]);
		close(fds[1]);
	}
	reason[n > 0 ? n : 0] = 0;
	return status;
}

/* -- after each test: does everything that the kernel writes down twice still agree? --------------------------- */

static struct mm_audit last_audit; /* a violation that stays is the fault of the test that it was first seen after */

/* Kernels without /dev/mm (release builds, Linux) have nothing to say. */
static bool audit_ok(void)
{
	struct mm_audit a = {.flags = MM_AUDIT_LEAKS};
	int fd = open("/dev/mm", O_RDWR | O_CLOEXEC);
	bool fresh;

	if (fd < 0)
		return true;
	if (ioctl(fd, MM_IOC_AUDIT, &a))
		snprintf(a.first, sizeof(a.first), "the auditor fails: errno %d", errno), a.errors = 1;
	close(fd);
	fresh = a.errors > last_audit.errors || (a.errors && strcmp(a.first, last_audit.first));
	last_audit = a;
	if (fresh)
		test_note("audit: %llu violations, the first: %s", (unsigned long long)a.errors, a.first);
	return !fresh;
}

static unsigned passed, failed, skipped;

static void report(size_t number, const struct test *t, int status, const char *reason)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		passed++;
		dprintf(1, "ok %zu %s\n", number, t->title);
		return;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIP) {
		skipped++;
		dprintf(1, "ok %zu %s # SKIP %s\n", number, t->title, reason);
		return;
	}
	failed++;
	if (timed_out || (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM))
		test_note("timed out after %u s", t->seconds);
	else if (WIFSIGNALED(status))
		test_note("died of signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	dprintf(1, "not ok %zu %s\n", number, t->title);
}

int main(int argc, char **argv)
{
	size_t max = (size_t)(__stop_suite - __start_suite), n;
	const struct test **list = calloc(max + 1, sizeof(*list));
	bool only_list = argc > 1 && !strcmp(argv[1], "-l");
	const char *globs = only_list ? argv[2] : argv[1];
	struct sigaction on_alarm = {.sa_handler = on_parent_alarm}; /* no SA_RESTART */
	char reason[256];

	if (!list)
		return 2;
	n = choose(argc > 1 ? globs : NULL, list);
	if (only_list) {
		for (size_t i = 0; i < n; i++)
			dprintf(1, "%s\n", list[i]->title);
		return 0;
	}
	sigaction(SIGALRM, &on_alarm, NULL);
	dprintf(1, "KTAP version 1\n1..%zu\n", n);
	for (size_t i = 0; i < n; i++) {
		int status = run(list[i], reason, sizeof(reason));

		if (!audit_ok())
			status = 1 << 8;
		report(i + 1, list[i], status, reason);
	}
	dprintf(1, "# %u passed, %u failed, %u skipped\n", passed, failed, skipped);
	if (n == 0)
		dprintf(2, "suite: no test matches '%s'\n", globs ? globs : "");
	return n == 0 ? 2 : failed ? 1 : 0;
}
