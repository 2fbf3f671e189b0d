/*
 * thread.c - real threads.  arch/host/os.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "arch/host/os/os.h"

struct os_thread {
	pthread_t handle;
	void (*fn)(void *arg);
	void *arg;
};
struct os_mutex {
	pthread_mutex_t m;
};
struct os_cond {
	pthread_cond_t c;
};

static void must(int err)
{
	if (err)
		abort();
}

static void *start(void *arg)
{
	struct os_thread *t = arg;

	t->fn(t->arg);
	return NULL;
}

struct os_thread *os_thread_start(void (*fn)(void *), void *arg)
{
	struct os_thread *t = os_alloc(sizeof(*t));

	t->fn = fn;
	t->arg = arg;
	must(pthread_create(&t->handle, NULL, start, t));
	return t;
}

void os_thread_join(struct os_thread *t)
{
	must(pthread_join(t->handle, NULL));
	os_free(t);
}

struct os_mutex *os_mutex_create(void)
{
	struct os_mutex *m = os_alloc(sizeof(*m));

	must(pthread_mutex_init(&m->m, NULL));
	return m;
}

struct os_cond *os_cond_create(void)
{
	struct os_cond *c = os_alloc(sizeof(*c));
	pthread_condattr_t attr;

	must(pthread_condattr_init(&attr));
	must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
	must(pthread_cond_init(&c->c, &attr));
	return c;
}

void os_mutex_free(struct os_mutex *m)
{
	pthread_mutex_destroy(&m->m);
	os_free(m);
}

void os_cond_free(struct os_cond *c)
{
	pthread_cond_destroy(&c->c);
	os_free(c);
}

void os_lock(struct os_mutex *m)
{
	must(pthread_mutex_lock(&m->m));
}

void os_unlock(struct os_mutex *m)
{
	must(pthread_mutex_unlock(&m->m));
}

void os_wait(struct os_cond *c, struct os_mutex *m)
{
	must(pthread_cond_wait(&c->c, &m->m));
}

bool os_wait_until(struct os_cond *c, struct os_mutex *m, uint64_t ns)
{
	struct timespec until = {.tv_sec = (time_t)(ns / 1000000000u), .tv_nsec = (long)(ns % 1000000000u)};

	return pthread_cond_timedwait(&c->c, &m->m, &until) == 0;
}

void os_wake(struct os_cond *c)
{
	must(pthread_cond_broadcast(&c->c));
}

void os_thread_yield(void)
{
	sched_yield();
}

void os_thread_hang(void)
{
	for (;;)
		pause();
}
