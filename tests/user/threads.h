/*
 * threads.h - what the thread tests share: make a thread, join it, times.
 */
#ifndef TESTS_USER_THREADS_H
#define TESTS_USER_THREADS_H

#include "test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ull

typedef void *body(void *);

/* pthread functions return their error. */
#define CHECK_PT(call) CHECK_EQ(call, 0)

#define CHECK_BETWEEN(since, low_ms, high_ms)  \
	do {                                       \
		u64 took_ = (now_ns() - (since)) / MS; \
		CHECK_OP(took_, >=, low_ms);           \
		CHECK_OP(took_, <, high_ms);           \
	} while (0)

pthread_t start(body *fn, void *arg);
void *finish(pthread_t t); /* joins; what it returned */
struct timespec in_ms(clockid_t clock, unsigned ms);
int gettid_(void);
long futex(u32 *word, int op, u32 val, const void *ts, u32 *word2, u32 val3);
void block(int how, int signo); /* SIG_BLOCK, SIG_UNBLOCK in the calling thread */
void *give_back(void *arg);
void *count_up(void *rounds); /* locks and unlocks one mutex so often */
/* Give threads time to reach the call they are to sleep in: no interface says that they have. */
void settle(void);

#endif
