/*
 * threads.c - a program as others write them: POSIX threads with what the C library builds on them.  Prints a line a check, the
 * same ones on every system.  An ordinary program, for any C library.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 2000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static sem_t sem;
static __thread int own;
static int counter, turn, initialised, destroyed, cleaned;
static volatile sig_atomic_t signalled;

static void say(const char *what, int good)
{
	printf("%s: %s\n", what, good ? "ok" : "WRONG");
	fflush(stdout);
}

static void initialise(void)
{
	initialised++;
}

static void destroy(void *value)
{
	__atomic_fetch_add(&destroyed, (int)(long)value, __ATOMIC_SEQ_CST);
}

static void *work(void *arg)
{
	long me = (long)arg;

	pthread_once(&once, initialise);
	pthread_setspecific(key, (void *)1);
	own = (int)me;
	for (int i = 0; i < ROUNDS; i++) {
		char *p = malloc(1 + (size_t)(i * 37 % 9000));

		p[0] = (char)i;
		pthread_mutex_lock(&lock);
		counter++;
		pthread_mutex_unlock(&lock);
		free(p);
	}
	pthread_barrier_wait(&barrier);
	pthread_mutex_lock(&lock);
	while (turn != me)
		pthread_cond_wait(&changed, &lock);
	turn++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	pthread_rwlock_rdlock(&rwlock);
	pthread_rwlock_unlock(&rwlock);
	sem_post(&sem);
	return own == me ? arg : NULL;
}

static void together(void)
{
	pthread_t t[THREADS];
	int good = 1;

	pthread_barrier_init(&barrier, NULL, THREADS);
	pthread_key_create(&key, destroy);
	sem_init(&sem, 0, 0);
	turn = 1;
	for (long i = 0; i < THREADS; i++)
		good &= pthread_create(&t[i], NULL, work, (void *)(i + 1)) == 0;
	for (long i = 0; i < THREADS; i++) {
		void *result;

		good &= pthread_join(t[i], &result) == 0 && result == (void *)(i + 1);
		good &= sem_trywait(&sem) == 0;
	}
	say("join, barrier, condition, semaphore, thread-local", good && turn == THREADS + 1);
	say("mutex and malloc", counter == THREADS * ROUNDS);
	say("once and key destructors", initialised == 1 && destroyed == THREADS);
}

static void clean(void *unused)
{
	(void)unused;
	cleaned++;
}

static void *sleeper(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	for (;;)
		sleep(100);
	pthread_cleanup_pop(0);
	return unused;
}

static void handler(int signo)
{
	signalled = signo;
}

static void alone(void)
{
	struct timespec soon;
	pthread_t t;
	void *result;
	int status;
	pid_t pid;

	pthread_create(&t, NULL, sleeper, NULL);
	pthread_cancel(t);
	say("cancel", pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED && cleaned == 1);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 5000000;
	soon.tv_sec += soon.tv_nsec / 1000000000;
	soon.tv_nsec %= 1000000000;
	say("a timed wait", sem_timedwait(&sem, &soon) == -1 && errno == ETIMEDOUT);
	signal(SIGUSR1, handler);
	pthread_kill(pthread_self(), SIGUSR1);
	say("a signal to a thread", signalled == SIGUSR1);
	pid = fork();
	if (pid == 0) {
		pthread_create(&t, NULL, work, NULL);
		_exit(7);
	}
	say("fork", waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

int main(void)
{
	together();
	alone();
	return 0;
}
