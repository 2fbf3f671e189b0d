/*
 * init.c - process 1: decides from the kernel's command line what to do, reaps orphans, ends the machine.
 *
 *   tests=GLOB     run `/bin/suite GLOB` and end the machine: pass (0x10) or fail (0x11).  tests=none: no suite.
 *   run=PROG,ARG,...  run a program, report it as one KTAP line, and end the machine likewise (may follow tests=)
 *   exec=DISK      DISK (vdb, say) is ext2 and holds /.argv, words each ended by a zero: run that program as our
 *                  child and end the machine with 0x40 + the low six bits of its status (63: killed by a signal)
 *   exec="/with/prog args"   the same with the words in place
 *   with=DISK      mount it at /with first
 *   script="commands"        the same for `/bin/sh -c commands`
 *   (nothing)      an interactive shell on the console, again and again, until poweroff
 *
 * How the machine ends: user/machine.h.  /dev, /proc and /tmp are mounted by the kernel; they are mounted here
 * only if they are not.
 */
#define _GNU_SOURCE
#include "user/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define MAX_WORDS 64

static char cmdline[4096];
static volatile sig_atomic_t stop_signal;

/* -- the command line ---------------------------------------------------------------------------------------- */

static void read_cmdline(void)
{
	int fd = open("/proc/cmdline", O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, cmdline, sizeof(cmdline) - 1);

	cmdline[n > 0 ? n : 0] = 0;
	cmdline[strcspn(cmdline, "\n")] = 0;
	if (fd >= 0)
		close(fd);
}

/* The value of name=..., up to a space outside double quotes, quotes removed; NULL if absent. Owned by us. */
static char *option(const char *name)
{
	size_t n = strlen(name);
	bool quoted = false, start = true;

	for (const char *s = cmdline; *s; s++) {
		if (start && !quoted && !strncmp(s, name, n) && s[n] == '=') {
			char *value = calloc(1, strlen(s) + 1), *out = value;

			for (s += n + 1; value && *s && (quoted || *s != ' '); s++)
				if (*s == '"')
					quoted = !quoted;
				else
					*out++ = *s;
			return value;
		}
		if (*s == '"')
			quoted = !quoted;
		start = *s == ' ';
	}
	return NULL;
}

/* Cut @text at each of @separators into at most MAX_WORDS - 1 words. */
static int split(char *text, const char *separators, char *argv[MAX_WORDS])
{
	int argc = 0;
	char *save;

	for (char *w = strtok_r(text, separators, &save); w && argc < MAX_WORDS - 1; w = strtok_r(NULL, separators, &save))
		argv[argc++] = w;
	argv[argc] = NULL;
	return argc;
}

/* -- file systems --------------------------------------------------------------------------------------------- */

static bool is_mounted(const char *dir)
{
	struct stat here, root;

	return !stat(dir, &here) && !stat("/", &root) && here.st_dev != root.st_dev;
}

static void mount_missing(const char *type, const char *dir)
{
	if (!is_mounted(dir) && mount(type, dir, type, 0, NULL))
		fprintf(stderr, "init: cannot mount %s: %s\n", dir, strerror(errno));
}

static bool mount_disk(const char *disk, const char *dir)
{
	char device[64];

	snprintf(device, sizeof(device), "/dev/%s", disk);
	if (mount(device, dir, "ext2", 0, NULL) == 0)
		return true;
	fprintf(stderr, "init: cannot mount %s at %s: %s\n", device, dir, strerror(errno));
	return false;
}

/* -- children -------------------------------------------------------------------------------------------------- */

/* A session of its own with the console as its terminal. */
static void take_console(void)
{
	int fd;

	setsid();
	fd = open("/dev/console", O_RDWR);
	if (fd < 0)
		return;
	ioctl(fd, TIOCSCTTY, 0);
	tcsetpgrp(fd, getpid());
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static pid_t start(char *const argv[], const char *path)
{
	pid_t pid = fork();

	if (pid < 0)
		fprintf(stderr, "init: fork: %s\n", strerror(errno));
	if (pid)
		return pid;
	for (int sig = 1; sig < 32; sig++)
		signal(sig, SIG_DFL);
	take_console();
	execv(path, argv);
	fprintf(stderr, "init: cannot run %s: %s\n", path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* The wait status of @pid; reaps whoever else ends meanwhile. Returns early (-1) when asked to stop. */
static int await(pid_t pid)
{
	int status;

	while (!stop_signal) {
		pid_t got = waitpid(-1, &status, 0);

		if (got == pid)
			return status;
		if (got < 0 && errno == ECHILD)
			return 127 << 8;
	}
	return -1;
}

static int run(char *const argv[])
{
	pid_t pid = start(argv, argv[0]);

	return pid < 0 ? 126 << 8 : await(pid);
}

/* End the machine with what became of the program. */
static void __attribute__((noreturn)) end_with_status(int status)
{
	unsigned code;

	fflush(NULL);
	if (WIFEXITED(status)) {
		code = WEXITSTATUS(status) & 63;
	} else {
		code = MACHINE_SIGNALLED;
		printf("init: killed by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
		fflush(stdout);
	}
	umount("/with");
	machine_exit(MACHINE_EXEC + code);
	machine_poweroff();
	exit(1);
}

/* -- what the command line asks for ------------------------------------------------------------------------------- */

static bool run_suite(const char *glob)
{
	int status;

	if (!strcmp(glob, "none"))
		return true;
	status = run((char *[]){"/bin/suite", (char *)glob, NULL});
	if (WIFSIGNALED(status))
		printf("init: the suite was killed by signal %d\n", WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool run_program(char *words)
{
	char *argv[MAX_WORDS];
	int status;

	if (!split(words, ", ", argv))
		return false;
	printf("KTAP version 1\n1..1\n");
	fflush(stdout);
	status = run(argv);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		printf("# wait status 0x%x\nnot ", (unsigned)status);
	printf("ok 1 %s\n", argv[0]);
	fflush(stdout);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void __attribute__((noreturn)) run_tests(char *glob, char *program)
{
	bool good = true;

	if (glob)
		good = run_suite(glob);
	if (program)
		good = run_program(program) && good;
	fflush(NULL);
	machine_exit(good ? MACHINE_PASS : MACHINE_FAIL);
	machine_poweroff();
	exit(1);
}

/* The words of /exec/.argv, each ended by a zero. */
static int read_argv(char *argv[MAX_WORDS])
{
	static char text[65536];
	int fd = open("/exec/.argv", O_RDONLY), argc = 0;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	for (char *s = text; n > 0 && s < text + n && argc < MAX_WORDS - 1; s += strlen(s) + 1)
		argv[argc++] = s;
	argv[argc] = NULL;
	return argc;
}

static void __attribute__((noreturn)) run_exec(char *what)
{
	char *argv[MAX_WORDS];
	int argc = what[0] == '/' ? split(what, " ", argv) : mount_disk(what, "/exec") ? read_argv(argv) : 0;

	if (!argc) {
		fprintf(stderr, "init: exec: no program named\n");
		end_with_status(125 << 8);
	}
	printf("init: exec\n");
	fflush(stdout);
	end_with_status(run(argv));
}

/* A shell that dies at once, again and again, would keep the machine busy for ever: give up. */
static void shell_for_ever(void)
{
	time_t began;
	int quick = 0;

	while (!stop_signal && quick < 5) {
		pid_t pid;

		began = time(NULL);
		pid = start((char *[]){"-sh", NULL}, "/bin/sh");
		if (pid > 0)
			await(pid);
		quick = time(NULL) - began < 2 ? quick + 1 : 0;
	}
	if (quick)
		fprintf(stderr, "init: the shell does not stay\n");
}

/* busybox's poweroff, halt and reboot tell process 1 by a signal. */
static void on_stop(int sig)
{
	stop_signal = sig;
}

static void handle_signals(void)
{
	struct sigaction sa = {.sa_handler = on_stop};

	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGUSR2, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

int main(void)
{
	char *tests, *program, *what, *disk;

	setenv("PATH", "/bin:/sbin", 1);
	setenv("HOME", "/root", 1);
	setenv("TERM", "vt100", 0);
	handle_signals();
	mount_missing("devtmpfs", "/dev");
	mount_missing("proc", "/proc");
	mount_missing("tmpfs", "/tmp");
	read_cmdline();
	disk = option("with");
	if (disk)
		mount_disk(disk, "/with");
	tests = option("tests");
	program = option("run");
	if (tests || program)
		run_tests(tests, program);
	what = option("exec");
	if (what)
		run_exec(what);
	what = option("script");
	if (what)
		end_with_status(run((char *[]){"/bin/sh", "-c", what, NULL}));
	shell_for_ever();
	kill(-1, SIGTERM);
	if (stop_signal == SIGTERM)
		machine_reboot(LINUX_REBOOT_CMD_RESTART, NULL);
	machine_poweroff();
	return 1;
}
