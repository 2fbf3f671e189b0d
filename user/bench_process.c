/*
 * bench_process.c - what threads and processes cost: beginning, becoming another program, ending.
 */
#define _GNU_SOURCE
#include "user/bench.h"

#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void *nothing(void *arg)
{
	return arg;
}

static void bench_thread(void)
{
	for (int i = 0; i < 100; i++)
		TIME(pthread_t t; if (pthread_create(&t, NULL, nothing, NULL)) die("pthread_create"); pthread_join(t, NULL));
	report("thread_create_join", 1);
}

static void bench_fork_pages(const char *name, size_t pages, int rounds)
{
	uint8_t *p = map_anon(pages + 1);

	memset(p, 1, pages * PAGE + 1);
	for (int i = 0; i < rounds; i++)
		TIME(pid_t pid = fork(); if (pid == 0) _exit(0); waitpid(pid, NULL, 0));
	report(name, 1);
	munmap(p, (pages + 1) * PAGE);
}

/* The new program is this one, which ends at once (bench.c). */
static void bench_exec(void)
{
	char *argv[] = {"bench", BENCH_NOTHING, NULL};
	int status = 0;

	for (int i = 0; i < 20 && status == 0; i++)
		TIME(pid_t pid = fork(); if (pid == 0) _exit(execv("/proc/self/exe", argv)); waitpid(pid, &status, 0));
	if (status)
		die("exec");
	report("fork_exec_exit_wait", 1);
}

void bench_fork(void)
{
	bench_thread();
	bench_fork_pages("fork_exit_wait", 0, 20);
	bench_fork_pages("fork_exit_wait_1024_pages", 1024, 20);
	bench_fork_pages("fork_exit_wait_16384_pages", 16384, 5);
	bench_exec();
}
