/*
 * bench_calls.c - what the kernel's ways in and out cost: system call, signal, wake-up.
 */
#define _GNU_SOURCE
#include "user/bench.h"

#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
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

static void on_signal(int sig)
{
	(void)sig;
}

/* One that a process sends itself: the handler has returned when kill(2) does. */
static void signal_self(void)
{
	struct sigaction sa = {.sa_handler = on_signal}, old;
	pid_t self = getpid();

	sigaction(SIGUSR1, &sa, &old);
	for (int i = 0; i < 500; i++)
		TIME(kill(self, SIGUSR1));
	sigaction(SIGUSR1, &old, NULL);
	report("signal_handled", 1);
}

void bench_signal(void)
{
	struct sigaction sa = {.sa_handler = on_fault, .sa_flags = SA_NODEFER}, old;
	volatile int i;

	signal_self();
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

/* -- two threads that wake each other --------------------------------------------------------------------------------- */

static volatile int turn; /* 0: the first one's, 1: the other's, 2: the end */

static void give_turn(int to)
{
	turn = to;
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void await_turn(int mine)
{
	for (int seen; (seen = turn) != mine && seen != 2;)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void *other_thread(void *arg)
{
	for (await_turn(1); turn != 2; await_turn(1))
		give_turn(0);
	return arg;
}

void bench_futex(void)
{
	pthread_t other;

	turn = 0;
	if (pthread_create(&other, NULL, other_thread, NULL))
		die("pthread_create");
	for (int i = 0; i < 500; i++)
		TIME(give_turn(1); await_turn(0));
	give_turn(2);
	pthread_join(other, NULL);
	report("futex_round_trip", 1);
}
