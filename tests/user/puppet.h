/*
 * puppet.h - threads that do one thing whenever they are told to, for tests that choose the order of a race.
 *
 * Between two orders a puppet spins on a CPU of its own in ring 3, without a system call and without a fault: a sync
 * point that is armed for it is reached by what it was told to do and by nothing else, and its TLB keeps what it has.
 * That needs what it touches on its way to be there already, so every puppet rehearses one access when it starts, and
 * has to do so again after a fork, which write-protects its stack.
 *
 *	struct puppet p = {0};
 *	puppet_need(1);
 *	puppet_start(&p, 1);
 *	mm_arm(mm, "fault-snapshot", p.tid);
 *	puppet_tell(&p, fn, arg);
 *	mm_await(mm, "fault-snapshot");
 *	... the other side of the race ...
 *	mm_release(mm, "fault-snapshot");
 *	CHECK_NOFAULT(puppet_wait(&p));
 *	puppet_stop(&p);
 */
#ifndef TESTS_USER_PUPPET_H
#define TESTS_USER_PUPPET_H

#include "race.h"

#include <pthread.h>

struct puppet {
	pid_t tid;
	unsigned cpu;
	pthread_t thread;
	void (*fn)(void *); /* what it was told; NULL: to end */
	void *arg;
	struct fault fault; /* that fn met; it was cut short there */
	unsigned told, done;
};

/* SKIP unless there are CPUs for the test itself, which is then on the first, and for @n puppets. */
void puppet_need(unsigned n);
void puppet_start(struct puppet *p, unsigned cpu); /* on the nth CPU, modulo their number, as cpu_pin() */
void puppet_rehearse(struct puppet *p);
void puppet_tell(struct puppet *p, void (*fn)(void *), void *arg); /* => it has done what it was told before */
bool puppet_within(const struct puppet *p, unsigned ms);           /* has it, in so much time? */
struct fault puppet_wait(const struct puppet *p);                  /* until it has; fails the test after 20 s */
void puppet_stop(struct puppet *p);

/* One load or store by the puppet: told, or told and waited for. @a: until it has done it */
void puppet_access(struct puppet *p, struct access *a);
struct fault puppet_try(struct puppet *p, struct access *a);

#endif
