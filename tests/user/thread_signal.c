/*
 * thread_signal.c - signals to threads, and to a process that has several.
 */
#define _GNU_SOURCE
#include "threads.h"

/* -- signals ------------------------------------------------------------------------------------------------------------------ */

static pthread_barrier_t barrier;
static __thread volatile int tls_signals;
static volatile int last_tid;

static void count_signal(int sig)
{
	(void)sig;
	tls_signals = tls_signals + 1;
	last_tid = gettid_();
}

static void *count_own(void *arg)
{
	(void)arg;
	pthread_barrier_wait(&barrier);
	while (tls_signals < 50)
		sched_yield();
	return (void *)(uintptr_t)tls_signals;
}

TEST(thread_kill, "thread.kill reaches that thread and no other")
{
	enum { N = 4 };
	pthread_t t[N];

	signal(SIGUSR1, count_signal);
	CHECK_PT(pthread_barrier_init(&barrier, NULL, N + 1));
	for (int i = 0; i < N; i++)
		t[i] = start(count_own, NULL);
	pthread_barrier_wait(&barrier);
	for (int round = 0; round < 50; round++)
		for (int i = 0; i < N; i++) {
			CHECK_PT(pthread_kill(t[i], SIGUSR1));
			if (round % 8 == 0)
				sleep_ms(1);
		}
	for (int i = 0; i < 100; i++) { /* equal ones may fall together */
		sleep_ms(2);
		for (int k = 0; k < N; k++)
			if (pthread_tryjoin_np(t[k], NULL) == EBUSY)
				pthread_kill(t[k], SIGUSR1);
			else
				t[k] = start(give_back, NULL);
	}
	CHECK_EQ(tls_signals, 0);
	CHECK_ERRNO(syscall(SYS_tgkill, getpid(), 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_tgkill, getpid() + 1, gettid_(), 0), ESRCH);
	CHECK_OK(syscall(SYS_tgkill, getpid(), gettid_(), 0));
}

static volatile int open_tid, hand_over;

static void *take_process_signal(void *arg)
{
	block(SIG_UNBLOCK, SIGUSR1);
	open_tid = gettid_();
	while (!tls_signals)
		arg ? sched_yield() : usleep(1000);
	return NULL;
}

TEST(thread_shared_signal, "thread.signal for the process goes to a thread that takes it")
{
	pthread_t t;

	signal(SIGUSR1, count_signal);
	block(SIG_BLOCK, SIGUSR1);
	for (uintptr_t busy = 0; busy < 2; busy++) {
		open_tid = last_tid = 0;
		t = start(take_process_signal, (void *)busy);
		while (!open_tid)
			sched_yield();
		CHECK_OK(kill(getpid(), SIGUSR1));
		finish(t);
		CHECK_EQ(last_tid, open_tid);
	}
	CHECK_EQ(tls_signals, 0);
}

static void *open_late(void *arg)
{
	while (!hand_over)
		usleep(500);
	return take_process_signal(arg);
}

TEST(thread_open_late, "thread.signal pends for all until one thread takes it")
{
	pthread_t t;

	signal(SIGUSR1, count_signal);
	block(SIG_BLOCK, SIGUSR1);
	t = start(open_late, NULL);
	CHECK_OK(kill(getpid(), SIGUSR1));
	hand_over = 1;
	finish(t);
	CHECK_EQ(tls_signals, 0);
}

static volatile int taken, open_now, go, may_leave;

static void count_taken(int sig)
{
	(void)sig;
	__atomic_fetch_add(&taken, 1, __ATOMIC_SEQ_CST);
}

/* Takes what it is told of, and looks for nothing by itself. */
static void *sleep_open(void *arg)
{
	block(SIG_UNBLOCK, SIGUSR1);
	__atomic_fetch_add(&open_now, 1, __ATOMIC_SEQ_CST);
	while (!may_leave)
		usleep(20000);
	return arg;
}

/* Open for a moment; then it blocks the signal again and stays, or it leaves. */
static void *open_briefly(void *leave)
{
	block(SIG_UNBLOCK, SIGUSR1);
	__atomic_fetch_add(&open_now, 1, __ATOMIC_SEQ_CST);
	while (!go)
		;
	if (leave)
		return NULL;
	block(SIG_BLOCK, SIGUSR1);
	while (!may_leave)
		usleep(500);
	return NULL;
}

/* One that was chosen may not look any more: then it is another's, who sleeps and must be woken. */
TEST(thread_retarget, "thread.signal is handed on when its thread blocks it or exits")
{
	u32 rng = 12345;

	signal(SIGUSR1, count_taken);
	block(SIG_BLOCK, SIGUSR1);
	for (int round = 0; round < 100; round++) {
		pthread_t brief, sleeper;

		open_now = go = may_leave = taken = 0;
		brief = start(open_briefly, round % 2 ? &brief : NULL);
		sleeper = start(sleep_open, NULL);
		while (open_now < 2)
			sched_yield();
		usleep(500);
		go = 1;
		for (volatile u32 i = rnd(&rng) % 2000; i > 0; i--)
			;
		CHECK_OK(kill(getpid(), SIGUSR1));
		for (u64 t0 = now_ns(); !taken; sched_yield())
			CHECK_OP(now_ns() - t0, <, 3000 * MS);
		may_leave = 1;
		finish(brief);
		finish(sleeper);
	}
}

static void *open_and_block(void *stop)
{
	u32 seed = (u32)gettid_();

	while (!*(volatile int *)stop) {
		block(SIG_UNBLOCK, SIGUSR1);
		block(SIG_BLOCK, SIGUSR1);
		if (rnd(&seed) % 8 == 0)
			sched_yield();
	}
	return (void *)(uintptr_t)tls_signals;
}

static void *wait_for_signals(void *arg)
{
	sigset_t set;
	int n = 0, sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	(void)arg;
	do {
		CHECK_PT(sigwait(&set, &sig));
		CHECK_EQ(sig, SIGUSR2);
	} while (++n < 100);
	return NULL;
}

TEST(thread_signal_storm, "thread.signal storm: every one is taken by somebody")
{
	static int stop;
	sigset_t pending;
	pthread_t t[3], w;

	signal(SIGUSR1, count_signal);
	block(SIG_BLOCK, SIGUSR1);
	block(SIG_BLOCK, SIGUSR2);
	for (int i = 0; i < 3; i++)
		t[i] = start(open_and_block, &stop);
	for (int i = 0; i < 300; i++) {
		u64 t0 = now_ns();

		CHECK_OK(kill(getpid(), SIGUSR1));
		do {
			CHECK_OK(sigpending(&pending));
			CHECK_OP(now_ns() - t0, <, 10000 * MS);
			sched_yield();
		} while (sigismember(&pending, SIGUSR1));
	}
	stop = 1;
	for (int i = 0; i < 3; i++)
		finish(t[i]);
	w = start(wait_for_signals, NULL);
	for (int i = 0; i < 100; i++) {
		u64 t0 = now_ns();

		CHECK_OK(kill(getpid(), SIGUSR2));
		do {
			CHECK_OK(sigpending(&pending));
			CHECK_OP(now_ns() - t0, <, 10000 * MS);
			sched_yield();
		} while (sigismember(&pending, SIGUSR2));
	}
	finish(w);
}

static void on_own_stack(int sig)
{
	stack_t ss;
	char here;

	(void)sig;
	sigaltstack(NULL, &ss);
	CHECK(&here > (char *)ss.ss_sp && &here < (char *)ss.ss_sp + ss.ss_size);
	CHECK(ss.ss_flags & SS_ONSTACK);
	tls_signals = 1;
}

static void *use_altstack(void *arg)
{
	stack_t ss, old;

	CHECK_OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_flags, SS_DISABLE); /* not inherited from who created us */
	ss = (stack_t){.ss_sp = map_anon(16, PROT_READ | PROT_WRITE), .ss_size = 16 * P};
	CHECK_OK(sigaltstack(&ss, NULL));
	for (int i = 0; i < 20; i++) {
		tls_signals = 0;
		pthread_kill(pthread_self(), SIGUSR1);
		CHECK_EQ(tls_signals, 1);
		sched_yield();
	}
	return arg;
}

TEST(thread_altstack, "thread.altstack each has its own")
{
	struct sigaction sa = {.sa_handler = on_own_stack, .sa_flags = SA_ONSTACK};
	stack_t ss = {.ss_sp = map_anon(16, PROT_READ | PROT_WRITE), .ss_size = 16 * P};
	pthread_t t[4];

	CHECK_OK(sigaltstack(&ss, NULL));
	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	for (int i = 0; i < 4; i++)
		t[i] = start(use_altstack, NULL);
	for (int i = 0; i < 4; i++)
		finish(t[i]);
	raise(SIGUSR1);
	CHECK_EQ(tls_signals, 1);
}
