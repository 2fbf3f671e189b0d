/*
 * test_syncpoint.c - mm/debug/syncpoint.c: threads that wait at named points until a test lets them go on.
 *
 * machine: amd64
 */
#include "tests/unit/sim_space.h"

#include "kernel/lib/syncpoint.h"
#include "kernel/sync/spinlock.h"
#include "mm/debug/debug.h"

static int owner;
static unsigned passed; /* arrivals that went on */
static spinlock_t lock;

static void walk_through(void *arg)
{
	for (unsigned i = 0; i < (unsigned long)arg; i++) {
		SYNC_POINT("here");
		__atomic_fetch_add(&passed, 1, __ATOMIC_SEQ_CST);
	}
}

static int arm_as(struct mm_sync_arm arg)
{
	strcpy(arg.name, "here");
	arg.mode = MM_SYNC_PAUSE;
	return sync_point_arm(&owner, &arg);
}
#define arm(...) CHECK(arm_as((struct mm_sync_arm){__VA_ARGS__}) == 0)

static struct mm_sync state(u64 timeout_ms, int expect)
{
	struct mm_sync s = {.name = "here", .timeout_ms = timeout_ms};
	int err = sync_point_wait(&s);

	if (err != expect)
		sim_fail("wait: %d, not %d", err, expect);
	return s;
}

static void release(void)
{
	CHECK(sync_point_release(&(struct mm_sync){.name = "here"}) == 0);
}

static void disarm(void)
{
	CHECK(sync_point_arm(&owner, &(struct mm_sync_arm){.name = "here", .mode = MM_SYNC_OFF}) == 0);
}

static struct sim_thread *start(int cpu, unsigned long times)
{
	return sim_spawn(NULL, cpu, walk_through, (void *)times);
}

/* The other side of a race runs while the thread stands still. */
static void waits_to_be_released(void *arg)
{
	struct sim_thread *t;
	struct mm_sync s;

	arm();
	t = start(1, 2);
	s = state(1000, 0);
	CHECK(s.paused == 1 && s.arrivals == 1 && s.tid != 0 && passed == 0);
	sim_sleep(1000000);
	CHECK(READ_ONCE(passed) == 0);
	release();
	sim_join(t);
	CHECK(passed == 2); /* one hit was asked for, the second arrival passed */
	s = state(0, -ETIMEDOUT);
	CHECK(s.arrivals == 2 && s.paused == 0 && s.expired == 0 && s.tid == 0);
	disarm();
	CHECK(sync_points_armed == 0);
}

static void skips_and_hits(void *arg)
{
	struct sim_thread *t;

	arm(.skip = 2, .hits = 2);
	t = start(2, 6);
	CHECK(state(1000, 0).arrivals == 3 && passed == 2);
	release();
	while (state(1000, 0).arrivals == 3) /* still the same pause */
		sim_yield();
	CHECK(passed == 3 && state(0, 0).arrivals == 4);
	release();
	sim_join(t);
	CHECK(passed == 6 && state(0, -ETIMEDOUT).arrivals == 6);
	disarm();
}

/* One thread, one CPU, or all but the thread that armed. */
static void who_is_meant(void *arg)
{
	struct sim_thread *t;
	struct debug_who me;

	arm();
	walk_through((void *)1);
	CHECK(passed == 1 && state(0, -ETIMEDOUT).arrivals == 0);
	arm(.cpu = 3 + 1);
	t = start(1, 1);
	sim_join(t);
	CHECK(passed == 2 && state(0, -ETIMEDOUT).arrivals == 0);
	t = start(3, 1);
	state(1000, 0);
	release();
	sim_join(t);
	debug_identify(&me);
	arm(.tid = (u64)me.tid + 1000);
	t = start(1, 1);
	sim_join(t);
	CHECK(passed == 4 && state(0, -ETIMEDOUT).arrivals == 0);
	disarm();
}

static void walk_through_locked(void *arg)
{
	spin_lock(&lock);
	walk_through((void *)1);
	spin_unlock(&lock);
}

static void walk_through_without_interrupts(void *arg)
{
	unsigned long flags = irq_save();

	walk_through((void *)1);
	irq_restore(flags);
}

/* Where it may not sleep, a paused thread spins. */
static void under_a_spinlock(void *arg)
{
	struct sim_thread *t;

	spin_init(&lock, LOCK_PTL);
	arm(.hits = 2);
	t = sim_spawn(NULL, 1, walk_through_locked, NULL);
	CHECK(state(1000, 0).paused == 1 && passed == 0);
	release();
	sim_join(t);
	t = sim_spawn(NULL, 2, walk_through_without_interrupts, NULL);
	CHECK(state(1000, 0).paused == 1 && passed == 1);
	release();
	sim_join(t);
	CHECK(passed == 2);
	disarm();
}

/* Nobody stands there for ever. */
static void pauses_expire(void *arg)
{
	struct sim_thread *t;

	arm();
	t = start(1, 1);
	sim_join(t);
	CHECK(passed == 1 && state(0, -ETIMEDOUT).expired == 1);
	disarm();
}

/* A killed thread goes on, and that is no expiry. */
static void killed(void *arg)
{
	struct sim_thread *t;

	arm();
	t = start(1, 1);
	state(1000, 0);
	sim_kill(t);
	sim_join(t);
	CHECK(passed == 1 && state(0, -ETIMEDOUT).expired == 0);
	disarm();
}

/* Whoever is paused goes on when the point is armed anew, disarmed, or its owner is gone. */
static void disarming_releases(void *arg)
{
	for (unsigned how = 0; how < 3; how++) {
		struct sim_thread *t;

		arm();
		t = start(1, 1);
		state(1000, 0);
		if (how == 0)
			arm();
		else if (how == 1)
			disarm();
		else
			sync_point_disarm_all(&owner);
		sim_join(t);
		CHECK(passed == how + 1);
		sync_point_disarm_all(&owner);
	}
	CHECK(sync_points_armed == 0 && state(100, -ENOENT).paused == 0);
}

static void wait_for_it(void *arg)
{
	struct mm_sync s = {.name = "here", .timeout_ms = 4000};

	CHECK(sync_point_wait(&s) == *(int *)arg);
}

/* Who waits for an arrival: it does not come, the point goes, he is killed. */
static void waiting_in_vain(void *arg)
{
	struct sim_thread *t;
	int expect = -ETIMEDOUT;

	arm();
	t = sim_spawn(NULL, 1, wait_for_it, &expect);
	sim_join(t);
	expect = -EINTR;
	t = sim_spawn(NULL, 1, wait_for_it, &expect);
	sim_sleep(1000000);
	sim_kill(t);
	sim_join(t);
	disarm();
	state(4000, -ENOENT);
}

static void never_in_an_interrupt(void *arg)
{
	struct debug_who me;

	debug_identify(&me);
	arm(.tid = (u64)me.tid);
	this_cpu()->irq_depth++;
	walk_through((void *)1);
	this_cpu()->irq_depth--;
	CHECK(passed == 1 && state(0, -ETIMEDOUT).arrivals == 0);
	disarm();
}

static void bad_requests(void *arg)
{
	struct mm_sync_arm a = {.mode = MM_SYNC_PAUSE};
	struct mm_sync s = {0};
	unsigned armed = 0;

	CHECK(sync_point_arm(&owner, &a) == -EINVAL && sync_point_wait(&s) == -EINVAL && sync_point_release(&s) == -EINVAL);
	memset(a.name, 'x', sizeof(a.name));
	CHECK(sync_point_arm(&owner, &a) == -EINVAL);
	strcpy(a.name, "x");
	a.mode = 7;
	CHECK(sync_point_arm(&owner, &a) == -EINVAL);
	strcpy(s.name, "unknown");
	CHECK(sync_point_release(&s) == -ENOENT && sync_point_wait(&s) == -ENOENT);
	a.mode = MM_SYNC_PAUSE;
	for (; armed < 100; armed++) {
		a.name[0] = (char)('A' + armed);
		if (sync_point_arm(&owner, &a))
			break;
	}
	CHECK(armed == 16 && sync_point_arm(&owner, &a) == -ENOSPC && sync_points_armed == armed);
	sync_point_disarm_all(&armed);
	CHECK(sync_points_armed == armed);
	sync_point_disarm_all(&owner);
	CHECK(sync_points_armed == 0);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE(waits_to_be_released);
	CASE(skips_and_hits);
	CASE(who_is_meant);
	CASE(under_a_spinlock);
	CASE(pauses_expire);
	CASE(killed);
	CASE(disarming_releases);
	CASE(waiting_in_vain);
	CASE_CALM(never_in_an_interrupt);
	CASE_CALM(bad_requests);
	return sim_end();
}
