/*
 * threads.c - POSIX threads as the C library makes them: create and join, locks, storage, cancellation.
 */
#define _GNU_SOURCE
#include "threads.h"

#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <stdio.h>

pthread_t start(body *fn, void *arg)
{
	pthread_attr_t attr;
	pthread_t t;

	CHECK_PT(pthread_attr_init(&attr));
	CHECK_PT(pthread_attr_setstacksize(&attr, 64 << 10));
	CHECK_PT(pthread_create(&t, &attr, fn, arg));
	pthread_attr_destroy(&attr);
	return t;
}

void *finish(pthread_t t)
{
	void *value;

	CHECK_PT(pthread_join(t, &value));
	return value;
}

struct timespec in_ms(clockid_t clock, unsigned ms)
{
	struct timespec ts;
	u64 ns;

	clock_gettime(clock, &ts);
	ns = (u64)ts.tv_nsec + ms * MS;
	ts.tv_sec += (time_t)(ns / 1000000000u);
	ts.tv_nsec = (long)(ns % 1000000000u);
	return ts;
}

int gettid_(void)
{
	return (int)syscall(SYS_gettid);
}

long futex(u32 *word, int op, u32 val, const void *ts, u32 *word2, u32 val3)
{
	return syscall(SYS_futex, word, op, val, ts, word2, val3);
}

void block(int how, int signo)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	CHECK_PT(pthread_sigmask(how, &set, NULL));
}

void settle(void)
{
	sleep_ms(30);
}

/* -- making and joining ----------------------------------------------------------------------------------------- */

void *give_back(void *arg)
{
	return arg;
}

TEST(thread_many, "thread.many 10,000 are created and joined")
{
	enum { ROUNDS = 1250, AT_ONCE = 8 };
	pthread_t t[AT_ONCE];

	for (uintptr_t r = 0; r < ROUNDS; r++) {
		for (uintptr_t i = 0; i < AT_ONCE; i++)
			t[i] = start(give_back, (void *)(r * AT_ONCE + i));
		for (uintptr_t i = 0; i < AT_ONCE; i++)
			CHECK(finish(t[i]) == (void *)(r * AT_ONCE + i));
	}
}

static void *wait_at(void *barrier)
{
	pthread_barrier_wait(barrier);
	return NULL;
}

TEST(thread_alive, "thread.alive 200 at the same time")
{
	enum { N = 200 };
	static pthread_t t[N];
	pthread_barrier_t all;
	char buf[4096] = {0}, *line;
	int fd, n = 0;

	CHECK_PT(pthread_barrier_init(&all, NULL, N + 1));
	for (int i = 0; i < N; i++)
		t[i] = start(wait_at, &all);
	fd = CHECK_OK(open("/proc/self/status", O_RDONLY));
	CHECK(read(fd, buf, sizeof(buf) - 1) > 0);
	line = strstr(buf, "Threads:");
	CHECK(line && sscanf(line, "Threads: %d", &n) == 1);
	CHECK_EQ(n, N + 1);
	pthread_barrier_wait(&all);
	for (int i = 0; i < N; i++)
		finish(t[i]);
}

/* -- mutex, condition variable, barrier, read-write lock, semaphore ---------------------------------------------- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile ulong shared_count;

void *count_up(void *arg)
{
	for (uintptr_t i = 0; i < (uintptr_t)arg; i++) {
		pthread_mutex_lock(&mutex);
		shared_count = shared_count + 1;
		if (i % 64 == 0)
			sched_yield(); /* so that others find it locked */
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST(thread_mutex, "thread.mutex is exclusive")
{
	enum { N = 4, ROUNDS = 20000 };
	pthread_t t[N];

	for (int i = 0; i < N; i++)
		t[i] = start(count_up, (void *)ROUNDS);
	for (int i = 0; i < N; i++)
		finish(t[i]);
	CHECK_EQ(shared_count, N * ROUNDS);
}

static int whose_turn;

static void play(int me, int rounds)
{
	pthread_mutex_lock(&mutex);
	for (int i = 0; i < rounds; i++) {
		while (whose_turn != me)
			pthread_cond_wait(&cond, &mutex);
		whose_turn = !me;
		pthread_cond_signal(&cond);
	}
	pthread_mutex_unlock(&mutex);
}

static void *pong(void *arg)
{
	play(1, (int)(uintptr_t)arg);
	return NULL;
}

TEST(thread_cond, "thread.cond ping and pong")
{
	enum { ROUNDS = 3000 };
	pthread_t t = start(pong, (void *)ROUNDS);

	play(0, ROUNDS);
	finish(t);
}

static void *hear_broadcast(void *arg)
{
	pthread_mutex_lock(&mutex);
	shared_count = shared_count + 1;
	while (!whose_turn)
		pthread_cond_wait(&cond, &mutex);
	pthread_mutex_unlock(&mutex);
	return arg;
}

TEST(thread_broadcast, "thread.cond broadcast wakes everybody")
{
	enum { N = 16 };
	pthread_t t[N];

	for (int i = 0; i < N; i++)
		t[i] = start(hear_broadcast, NULL);
	while (shared_count < N)
		sched_yield();
	pthread_mutex_lock(&mutex);
	whose_turn = 1;
	pthread_cond_broadcast(&cond);
	pthread_mutex_unlock(&mutex);
	for (int i = 0; i < N; i++)
		finish(t[i]);
}

static pthread_barrier_t barrier;
static int round_of[8];

static void *in_step(void *arg)
{
	int me = (int)(uintptr_t)arg;

	for (int r = 1; r <= 200; r++) {
		__atomic_store_n(&round_of[me], r, __ATOMIC_RELAXED);
		pthread_barrier_wait(&barrier);
		for (int i = 0; i < 8; i++)
			CHECK_EQ(__atomic_load_n(&round_of[i], __ATOMIC_RELAXED), r);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

TEST(thread_barrier, "thread.barrier keeps eight in step")
{
	pthread_t t[8];

	CHECK_PT(pthread_barrier_init(&barrier, NULL, 8));
	for (uintptr_t i = 0; i < 8; i++)
		t[i] = start(in_step, (void *)i);
	for (int i = 0; i < 8; i++)
		finish(t[i]);
}

static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static volatile ulong pair[2];

static void *read_or_write(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		if (arg) {
			pthread_rwlock_wrlock(&rwlock);
			pair[0] = pair[0] + 1;
			if (i % 32 == 0)
				sched_yield();
			pair[1] = pair[1] + 1;
		} else {
			pthread_rwlock_rdlock(&rwlock);
			CHECK_EQ(pair[0], pair[1]);
		}
		pthread_rwlock_unlock(&rwlock);
	}
	return NULL;
}

TEST(thread_rwlock, "thread.rwlock")
{
	pthread_t t[4];

	for (int i = 0; i < 4; i++)
		t[i] = start(read_or_write, i < 2 ? t : NULL);
	for (int i = 0; i < 4; i++)
		finish(t[i]);
	CHECK_EQ(pair[0], 4000);
}

/* -- time limits --------------------------------------------------------------------------------------------------- */

static void *hold_mutex(void *sem)
{
	pthread_mutex_lock(&mutex);
	sem_post(sem);
	sleep_ms(150);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

TEST(thread_timeouts, "thread.timeouts of semaphore, mutex, condition")
{
	struct timespec ts;
	pthread_t t;
	sem_t sem;
	u64 t0 = now_ns();

	CHECK_OK(sem_init(&sem, 0, 0));
	ts = in_ms(CLOCK_REALTIME, 60);
	CHECK_ERRNO(sem_timedwait(&sem, &ts), ETIMEDOUT);
	CHECK_BETWEEN(t0, 55, 2000);
	CHECK_ERRNO(sem_trywait(&sem), EAGAIN);

	t = start(hold_mutex, &sem);
	CHECK_OK(sem_wait(&sem));
	ts = in_ms(CLOCK_REALTIME, 30);
	CHECK_EQ(pthread_mutex_timedlock(&mutex, &ts), ETIMEDOUT);
	ts = in_ms(CLOCK_REALTIME, 5000);
	CHECK_PT(pthread_mutex_timedlock(&mutex, &ts));
	finish(t);

	t0 = now_ns();
	ts = in_ms(CLOCK_REALTIME, 60);
	CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &ts), ETIMEDOUT);
	CHECK_BETWEEN(t0, 55, 2000);
	t0 = now_ns();
	ts = in_ms(CLOCK_MONOTONIC, 60);
	CHECK_EQ(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &ts), ETIMEDOUT);
	CHECK_BETWEEN(t0, 55, 2000);
	pthread_mutex_unlock(&mutex);
}

/* -- thread-local storage ------------------------------------------------------------------------------------------------ */

static __thread int tls_zero;
static __thread u64 tls_value = 0x1234567890abcdefull;
static pthread_key_t key;
static int destroyed;

static void on_destroy(void *value)
{
	__atomic_fetch_add(&destroyed, (int)(uintptr_t)value, __ATOMIC_SEQ_CST);
}

static void *own_storage(void *arg)
{
	int me = (int)(uintptr_t)arg;

	CHECK_EQ(tls_zero, 0);
	CHECK(tls_value == 0x1234567890abcdefull);
	CHECK(pthread_getspecific(key) == NULL);
	pthread_setspecific(key, arg);
	for (int i = 0; i < 200; i++) {
		tls_zero = me * 1000 + i;
		tls_value = (u64)me << 32 | (u32)i;
		errno = me;
		sched_yield();
		CHECK_EQ(errno, me);
		CHECK_EQ(tls_zero, me * 1000 + i);
		CHECK(tls_value == ((u64)me << 32 | (u32)i));
	}
	return NULL;
}

TEST(thread_tls, "thread.tls each has its own; keys are destroyed")
{
	enum { N = 8 };
	pthread_t t[N];

	CHECK_PT(pthread_key_create(&key, on_destroy));
	for (uintptr_t i = 0; i < N; i++)
		t[i] = start(own_storage, (void *)(i + 1));
	for (int i = 0; i < N; i++)
		finish(t[i]);
	CHECK_EQ(destroyed, N * (N + 1) / 2);
	CHECK_EQ(tls_zero, 0);
}

/* -- cancellation ---------------------------------------------------------------------------------------------------------- */

static int cleaned, pipe_ends[2];

static void on_cleanup(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&cleaned, 1, __ATOMIC_SEQ_CST);
}

static void unlock(void *m)
{
	pthread_mutex_unlock(m);
}

static void *cancel_me(void *arg)
{
	char c;

	pthread_cleanup_push(on_cleanup, NULL);
	switch ((int)(uintptr_t)arg) {
	case 0:
		pause();
		break;
	case 1:
		(void)!read(pipe_ends[0], &c, 1);
		break;
	case 2:
		sleep(100);
		break;
	case 3:
		pthread_mutex_lock(&mutex);
		pthread_cleanup_push(unlock, &mutex);
		for (;;)
			pthread_cond_wait(&cond, &mutex);
		pthread_cleanup_pop(1);
		break;
	case 4:
		poll(NULL, 0, -1);
		break;
	default:
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
		for (;;)
			;
	}
	pthread_cleanup_pop(0);
	return NULL;
}

TEST(thread_cancel, "thread.cancel in several waits and in a loop")
{
	enum { N = 6 };
	pthread_t t[N];

	CHECK_OK(pipe(pipe_ends));
	for (uintptr_t i = 0; i < N; i++)
		t[i] = start(cancel_me, (void *)i);
	settle();
	for (int i = 0; i < N; i++)
		CHECK_PT(pthread_cancel(t[i]));
	for (int i = 0; i < N; i++)
		CHECK(finish(t[i]) == PTHREAD_CANCELED);
	CHECK_EQ(cleaned, N);
	CHECK_PT(pthread_mutex_lock(&mutex));
}
