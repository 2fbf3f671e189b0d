/*
 * thread_end.c - what kill, exit, exec, stop and fork mean to a process that has several threads.
 */
#define _GNU_SOURCE
#include "threads.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* -- every kind of wait, and its end ------------------------------------------------------------------------------------------ */

static u32 never_word;
static sem_t ready;
static int pipe_ends[2];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

enum {
	WAIT_FUTEX,
	WAIT_PIPE,
	WAIT_POLL,
	WAIT_SLEEP,
	WAIT_SUSPEND,
	WAIT_SIGWAIT,
	WAIT_CHILD,
	WAIT_VFORK,
	WAIT_SPIN,
	WAIT_MUTEX,
	WAIT_FIFO,
	WAIT_SELECT,
	WAIT_KINDS
};

static char *fifo_path;

static void *wait_somehow(void *arg)
{
	sigset_t none, usr2;
	struct timespec ts = {100, 0};
	char c;
	int sig;

	sigemptyset(&none);
	sigemptyset(&usr2);
	sigaddset(&usr2, SIGUSR2);
	sem_post(&ready);
	switch ((int)(uintptr_t)arg) {
	case WAIT_FUTEX:
		futex(&never_word, FUTEX_WAIT, 0, NULL, NULL, 0);
		break;
	case WAIT_PIPE:
		(void)!read(pipe_ends[0], &c, 1);
		break;
	case WAIT_POLL: {
		struct pollfd pfd = {.fd = pipe_ends[0], .events = POLLIN};

		poll(&pfd, 1, -1);
		break;
	}
	case WAIT_SLEEP:
		nanosleep(&ts, NULL);
		break;
	case WAIT_SUSPEND:
		sigsuspend(&none);
		break;
	case WAIT_SIGWAIT:
		sigwait(&usr2, &sig);
		break;
	case WAIT_CHILD:
		waitpid(-1, NULL, 0);
		break;
	case WAIT_VFORK:
		if (vfork() == 0) {
			for (;;)
				syscall(SYS_nanosleep, &ts, NULL);
		}
		break;
	case WAIT_SPIN:
		for (;;)
			;
	case WAIT_MUTEX:
		pthread_mutex_lock(&mutex);
		break;
	case WAIT_FIFO:
		(void)!open(fifo_path, O_RDONLY);
		break;
	default: {
		fd_set set;

		FD_ZERO(&set);
		FD_SET(pipe_ends[0], &set);
		select(pipe_ends[0] + 1, &set, NULL, NULL, NULL);
	}
	}
	FAIL("wait %d ended", (int)(uintptr_t)arg);
}

static void start_waiters(void)
{
	CHECK_OK(pipe(pipe_ends));
	CHECK_OK(sem_init(&ready, 0, 0));
	CHECK_PT(pthread_mutex_lock(&mutex));
	block(SIG_BLOCK, SIGUSR2);
	if (CHECK_OK(fork()) == 0) /* somebody to wait for; goes with the test's group */
		pause();
	for (uintptr_t i = 0; i < WAIT_KINDS; i++)
		start(wait_somehow, (void *)i);
	for (int i = 0; i < WAIT_KINDS; i++)
		sem_wait(&ready);
	settle();
}

static void *exit_with_7(void *arg)
{
	(void)arg;
	exit(7);
}

static void *exec_count(void *arg)
{
	static char *argv[] = {"suite", "-exec", "pid", NULL, NULL};
	char pid[16];

	(void)arg;
	snprintf(pid, sizeof(pid), "%d", getpid());
	argv[3] = pid;
	execv("/proc/self/exe", argv);
	FAIL("execv: %s", strerror(errno));
}

static void make_fifo(void)
{
	fifo_path = path_in(tmp_dir(), "fifo");
	CHECK_OK(mkfifo(fifo_path, 0600));
}

TEST(thread_killed, "thread.SIGKILL ends threads in every kind of wait")
{
	pid_t pid;
	int ends[2];
	char c;

	make_fifo();
	CHECK_OK(pipe(ends));
	for (int round = 0; round < 3; round++) {
		pid = CHECK_OK(fork());
		if (!pid) {
			start_waiters();
			CHECK_EQ(write(ends[1], "x", 1), 1);
			pause();
		}
		CHECK_EQ(read(ends[0], &c, 1), 1);
		kill(pid, SIGKILL);
		join_signal(pid, SIGKILL);
	}
}

TEST(thread_exit_group, "thread.exit of another thread ends all, with its status")
{
	pid_t pid;

	make_fifo();
	pid = CHECK_OK(fork());
	if (!pid) {
		start_waiters();
		start(exit_with_7, NULL);
		pause();
	}
	join_exit(pid, 7);
}

TEST(thread_exec, "thread.exec by another thread: one is left, with the process's number")
{
	pid_t pid;

	make_fifo();
	for (int round = 0; round < 3; round++) {
		pid = CHECK_OK(fork());
		if (!pid) {
			start_waiters();
			start(exec_count, NULL);
			pause();
		}
		join_exit(pid, 44);
	}
	/* several at once: one of them wins */
	pid = CHECK_OK(fork());
	if (!pid) {
		for (int i = 0; i < 8; i++)
			start(exec_count, NULL);
		for (;;)
			pause();
	}
	join_exit(pid, 44);
}

static void *exec_for_ever(void *arg)
{
	static char *argv[] = {"suite", "-exec", "sleep", NULL};

	execv("/proc/self/exe", argv);
	return arg;
}

/* Before, in the middle of, or after the exec: a SIGKILL is never lost. */
TEST(thread_exec_killed, "thread.exec while it is killed: it dies of that")
{
	for (int round = 0; round < 60; round++) {
		pid_t pid = CHECK_OK(fork());

		if (!pid) {
			for (int i = 5; i >= 0; i--) /* who executes comes last: meanwhile no thread can be made */
				start(i ? count_up : exec_for_ever, (void *)0x7fffffff);
			for (;;)
				pause();
		}
		usleep((unsigned)(round * 300));
		kill(pid, SIGKILL);
		join_signal(pid, SIGKILL);
	}
}

static void *outlive(void *arg)
{
	sleep_ms(80);
	return arg;
}

TEST(thread_main_leaves, "thread.main may leave first; the last one ends the process")
{
	pid_t pid = CHECK_OK(fork());
	u64 t0 = now_ns();

	if (!pid) {
		start(outlive, NULL);
		start(outlive, NULL);
		pthread_exit(NULL);
	}
	sleep_ms(20);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, 0));
	join_exit(pid, 0);
	CHECK_BETWEEN(t0, 75, 5000);
}

static void *spin_on(void *arg)
{
	for (;;)
		(*(volatile ulong *)arg)++;
	return NULL;
}

TEST(thread_stop, "thread.stop and continue concern all threads; the parent hears of it once")
{
	volatile ulong *counters = CHECK_OK(mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = CHECK_OK(fork());
	int status;
	ulong a, b;

	if (!pid) {
		start(spin_on, (void *)&counters[0]);
		start(spin_on, (void *)&counters[1]);
		for (;;)
			pause();
	}
	while (!counters[0] || !counters[1])
		sched_yield();
	for (int i = 0; i < 5; i++) {
		CHECK_OK(kill(pid, SIGSTOP));
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
		a = counters[0], b = counters[1];
		sleep_ms(20);
		CHECK_EQ(a, counters[0]);
		CHECK_EQ(b, counters[1]);
		CHECK_OK(kill(pid, SIGCONT));
		CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
		CHECK(WIFCONTINUED(status));
		while (a == counters[0] || b == counters[1])
			sched_yield();
	}
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(kill(pid, SIGKILL));
	do
		CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	while (WIFSTOPPED(status));
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* -- fork ------------------------------------------------------------------------------------------------------------------------ */

static void *alloc_loop(void *stop)
{
	while (!*(volatile int *)stop) {
		void *p = malloc(5000);

		memset(p, 1, 5000);
		free(p);
	}
	return NULL;
}

TEST(thread_fork, "thread.fork in a threaded process: the child has one and works")
{
	static int stop;
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		t[i] = start(alloc_loop, &stop);
	for (int i = 0; i < 20; i++) {
		pid_t pid = CHECK_OK(fork());

		if (!pid) {
			pthread_t mine;

			CHECK_EQ(getpid(), gettid_());
			free(malloc(100000));
			mine = start(give_back, &stop);
			CHECK(finish(mine) == &stop);
			_exit(0);
		}
		join(pid);
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		finish(t[i]);
}

static void *fork_loop(void *arg)
{
	for (int i = 0; i < 15; i++) {
		pid_t pid = CHECK_OK(fork());

		if (!pid)
			_exit((int)(uintptr_t)arg);
		join_exit(pid, (int)(uintptr_t)arg);
	}
	return NULL;
}

TEST(thread_forks, "thread.fork by several threads at once, each waits for its own")
{
	pthread_t t[4];

	for (uintptr_t i = 0; i < 4; i++)
		t[i] = start(fork_loop, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		finish(t[i]);
}

/* Signals to the group during fork: no child may be left over. */
TEST(thread_group_kill, "thread.kill of a group that forks leaves nobody")
{
	for (int round = 0; round < 10; round++) {
		pid_t pid = CHECK_OK(fork());

		if (!pid) {
			setpgid(0, 0);
			memset(malloc(8 << 20), 1, 8 << 20); /* so that it is nearly always in the middle of a copy */
			for (;;)
				if (fork() == 0)
					for (;;)
						pause();
		}
		setpgid(pid, pid);
		usleep(10000 + (unsigned)round * 1000);
		CHECK_OK(kill(-pid, SIGKILL));
		join_signal(pid, SIGKILL);
		for (int i = 0; i < 1000 && !kill(-pid, 0); i++) /* orphans are process 1's to reap */
			sleep_ms(2);
		if (on_pteron())
			CHECK_ERRNO(kill(-pid, 0), ESRCH);
	}
}
