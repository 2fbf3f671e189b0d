/*
 * puppet.c - see puppet.h.
 */
#include "puppet.h"

#include <unistd.h>

#define PATIENCE_MS 20000

static void *puppet_main(void *arg)
{
	struct puppet *p = arg;

	cpu_pin(p->cpu);
	STORE(p->tid, tid_now());
	for (unsigned turn = 1;; turn++) {
		while (LOAD(p->told) != turn)
			__builtin_ia32_pause();
		if (!p->fn)
			return NULL;
		p->fault = try_call(p->fn, p->arg);
		STORE(p->done, turn);
	}
}

void puppet_need(unsigned n)
{
	static char reason[32] = "needs 0 CPUs";

	reason[6] = (char)('1' + n);
	if (cpu_total() <= n)
		SKIP(reason);
	cpu_pin(0);
}

void puppet_start(struct puppet *p, unsigned cpu)
{
	cpu_total();
	p->cpu = cpu;
	CHECK_EQ(pthread_create(&p->thread, NULL, puppet_main, p), 0);
	SPIN_UNTIL(LOAD(p->tid));
	puppet_rehearse(p);
}

void puppet_rehearse(struct puppet *p)
{
	u32 word = 0;
	struct access a = {.at = &word, .value = 1, .write = true};

	CHECK_NOFAULT(puppet_try(p, &a));
}

void puppet_tell(struct puppet *p, void (*fn)(void *), void *arg)
{
	CHECK_EQ(LOAD(p->done), p->told);
	p->fn = fn;
	p->arg = arg;
	STORE(p->told, p->told + 1);
}

bool puppet_within(const struct puppet *p, unsigned ms)
{
	u64 end = now_ns() + ms * 1000000ull;

	for (unsigned spins = 0; LOAD(p->done) != p->told; relax(&spins))
		if (now_ns() > end)
			return false;
	return true;
}

struct fault puppet_wait(const struct puppet *p)
{
	if (!puppet_within(p, PATIENCE_MS))
		FAIL("thread %d is still at it", (int)p->tid);
	return p->fault;
}

void puppet_stop(struct puppet *p)
{
	puppet_tell(p, NULL, NULL);
	CHECK_EQ(pthread_join(p->thread, NULL), 0);
}

void puppet_access(struct puppet *p, struct access *a)
{
	puppet_tell(p, access_do, a);
}

struct fault puppet_try(struct puppet *p, struct access *a)
{
	puppet_access(p, a);
	return puppet_wait(p);
}
