/*
 * exec_main.c - what the suite does when a test executes it: `suite -exec WHAT ARGS...`.  Runs before main().
 */
#define _GNU_SOURCE
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool args_ok(int argc, char **argv, char **envp)
{
	struct sigaction sa;
	sigset_t set;

	return argc == 5 && !strcmp(argv[3], "") && !strcmp(argv[4], "two words") && !argv[5] && !strcmp(envp[0], "A=1") &&
	       !strcmp(envp[1], "EMPTY=") && !envp[2] && fcntl(40, F_GETFD) == 0 && fcntl(41, F_GETFD) < 0 &&
	       sigaction(SIGUSR1, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN && sigaction(SIGUSR2, NULL, &sa) == 0 &&
	       sa.sa_handler == SIG_DFL && sigprocmask(SIG_BLOCK, NULL, &set) == 0 && sigismember(&set, SIGWINCH);
}

static int thread_count(void)
{
	char buf[4096], *line;
	int fd = open("/proc/self/status", O_RDONLY);
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	close(fd);
	buf[n > 0 ? n : 0] = 0;
	line = strstr(buf, "Threads:");
	return line ? atoi(line + 8) : 0;
}

__attribute__((constructor)) static void exec_main(int argc, char **argv, char **envp)
{
	if (argc < 2)
		return;
	if (!strcmp(argv[1], "-exec script"))
		_exit(argc == 4 && strstr(argv[2], "/script") && !strcmp(argv[3], "last") ? 43 : 1);
	if (strcmp(argv[1], "-exec") || argc < 3)
		return;
	if (!strcmp(argv[2], "args"))
		_exit(args_ok(argc, argv, envp) ? 42 : 1);
	if (!strcmp(argv[2], "pid") && argc == 4) /* after exec by any thread: the only one, under the process's number */
		_exit(atoi(argv[3]) == getpid() && getpid() == (int)syscall(SYS_gettid) && thread_count() == 1 ? 44 : 1);
	if (!strcmp(argv[2], "sleep"))
		for (;;)
			pause();
	if (!strcmp(argv[2], "count"))
		_exit(argc & 63);
	_exit(2);
}
