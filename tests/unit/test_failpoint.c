/*
 * test_failpoint.c - mm/debug/failpoint.c: the nth attempt of a thread or process fails, and no other.
 *
 * machine: amd64
 */
#include "tests/unit/sim_space.h"

#include "kernel/lib/failpoint.h"
#include "mm/debug/debug.h"

static int owner;

static struct mm_fail arm(const char *name, u64 nth, u64 tid)
{
	struct mm_fail f = {.nth = nth, .tid = tid};

	strcpy(f.name, name);
	CHECK(failpoint_arm(&owner, &f) == 0);
	return f;
}

static struct mm_fail hits(const char *name)
{
	struct mm_fail f = {0};

	strcpy(f.name, name);
	CHECK(failpoint_hits(&f) == 0);
	return f;
}

static void the_nth_and_only_the_nth(void *arg)
{
	enter_space();
	CHECK(!FAILPOINT("here"));
	arm("here", 3, 0);
	for (unsigned i = 1; i <= 6; i++) {
		CHECK(FAILPOINT("here") == (i == 3));
		CHECK(hits("here").hits == i && hits("here").failed == (i >= 3));
	}
	CHECK(!FAILPOINT("there"));
	CHECK(arm("here", 1, 0).hits == 6); /* armed again: tells what was, and counts anew */
	CHECK(hits("here").hits == 0 && FAILPOINT("here"));
	arm("here", 0, 0); /* only count */
	CHECK(!FAILPOINT("here") && hits("here").hits == 1 && !hits("here").failed);
	failpoint_disarm_all(&owner);
	CHECK(!FAILPOINT("here") && failpoints_armed == 0);
}

static void same_space_thread(void *arg)
{
	CHECK(FAILPOINT("space"));
	CHECK(!FAILPOINT("thread"));
}

static void other_space_thread(void *arg)
{
	CHECK(!FAILPOINT("space") && !FAILPOINT("thread"));
}

/* Of the process that armed it, or of one thread; kernel threads never fail. */
static void whose_attempts_count(void *arg)
{
	struct mm *other = mm_create(), *mine = enter_space();
	struct sim_thread *t;
	struct debug_who me;

	debug_identify(&me);
	arm("space", 1, 0);
	arm("thread", 1, (u64)me.tid);
	t = sim_spawn(other, 1, other_space_thread, NULL);
	sim_join(t);
	t = sim_spawn(NULL, 2, other_space_thread, NULL);
	sim_join(t);
	CHECK(hits("space").hits == 0 && hits("thread").hits == 0);
	t = sim_spawn(mine, 1, same_space_thread, NULL);
	sim_join(t);
	CHECK(hits("space").hits == 1 && FAILPOINT("thread"));
	failpoint_disarm_all(&owner);
	mm_put(other);
}

static void never_in_an_interrupt(void *arg)
{
	enter_space();
	arm("here", 1, 0);
	this_cpu()->irq_depth++;
	CHECK(!FAILPOINT("here"));
	this_cpu()->irq_depth--;
	CHECK(FAILPOINT("here"));
	failpoint_disarm_all(&owner);
}

static void bad_requests(void *arg)
{
	struct mm_fail f = {.nth = 1};
	unsigned armed = 0;
	int stranger;

	CHECK(failpoint_arm(&owner, &f) == -EINVAL && failpoint_hits(&f) == -EINVAL);
	memset(f.name, 'x', sizeof(f.name));
	CHECK(failpoint_arm(&owner, &f) == -EINVAL && failpoint_hits(&f) == -EINVAL);
	strcpy(f.name, "unknown");
	CHECK(failpoint_hits(&f) == -ENOENT);
	for (; armed < 100; armed++) {
		f.name[0] = (char)('A' + armed);
		if (failpoint_arm(&owner, &f))
			break;
	}
	CHECK(armed >= 6 && armed < 100 && failpoint_arm(&owner, &f) == -ENOSPC);
	failpoint_disarm_all(&stranger);
	CHECK(failpoints_armed == armed);
	failpoint_disarm_all(&owner);
	CHECK(failpoint_arm(&owner, &f) == 0);
	failpoint_disarm_all(&owner);
}

int main(int argc, char **argv)
{
	sim_main(argc, argv);
	CASE_CALM(the_nth_and_only_the_nth);
	CASE_CALM(whose_attempts_count);
	CASE_CALM(never_in_an_interrupt);
	CASE_CALM(bad_requests);
	return sim_end();
}
