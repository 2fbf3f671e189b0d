/*
 * bench_calls.c - what the kernel's ways in and out cost: system call, signal, wake-up, fork.
 */
#define _GNU_SOURCE
#include "user/bench.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static inline long null_call(void)
{
	long n = SYS_getppid;

#ifdef __x86_64__
	__asm__ volatile("syscall" : "+a"(n)::"rcx", "r11", "memory");
#else
	__asm__ volatile("int $0x80" : "+a"(n)::"memory");
#endif
	return n;
}

void bench_null(void)
{
	for (int i = 0; i < 2000; i++)
		TIME(null_call());
	report("null_syscall", 1);
}

static sigjmp_buf landing;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(landing, 1);
}

void bench_signal(void)
{
	struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_NODEFER}, old;
	volatile int i;

	sigaction(SIGSEGV, &sa, &old);
	for (i = 0; i < 500; i++) {
		volatile uint64_t t = ticks();

		if (!sigsetjmp(landing, 0))
			*(volatile int *)8 = 1;
		sample(ticks() - t - overhead);
	}
	sigaction(SIGSEGV, &old, NULL);
	report("sigsegv_caught", 1);
}

void bench_pipe(void)
{
	int a[2], b[2];
	char c = 0;
	pid_t pid;

	if (pipe(a) || pipe(b))
		die("pipe");
	pid = fork();
	if (pid == 0) {
		close(a[1]);
		while (read(a[0], &c, 1) == 1)
			if (write(b[1], &c, 1) != 1)
				break;
		_exit(0);
	}
	for (int i = 0; i < 500; i++)
		TIME(if (write(a[1], &c, 1) != 1 || read(b[0], &c, 1) != 1) die("pipe"));
	close(a[1]);
	waitpid(pid, NULL, 0);
	close(a[0]);
	close(b[0]);
	close(b[1]);
	report("pipe_round_trip", 1);
}

void bench_fork(void)
{
	static const size_t sizes[] = {0, 1024, 16384};
	static const char *const names[] = {"fork_exit_wait", "fork_exit_wait_1024_pages", "fork_exit_wait_16384_pages"};

	for (int k = 0; k < 3; k++) {
		uint8_t *p = map_anon(sizes[k] + 1);

		memset(p, 1, sizes[k] * PAGE + 1);
		for (int i = 0; i < (k == 2 ? 5 : 20); i++)
			TIME(pid_t pid = fork(); if (pid == 0) _exit(0); waitpid(pid, NULL, 0));
		report(names[k], 1);
		munmap(p, (sizes[k] + 1) * PAGE);
	}
}
