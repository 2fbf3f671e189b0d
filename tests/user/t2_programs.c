/*
 * t2_programs.c - programs that live on userfaultfd: T2-28.
 */
#include "race.h"
#include "user/collector.h"

static struct collector_result collect(bool move)
{
	struct collector_result r;

	if (!collector_run(256, (unsigned)(700 * suite_number("race", 1)), move, suite_seed(), &r))
		SKIP("no userfaultfd");
	test_note("%s: %llu cycles, %llu operations, %llu KiB copied, %llu KiB moved", move ? "MOVE" : "COPY",
	          (unsigned long long)r.cycles, (unsigned long long)r.operations, (unsigned long long)r.copied / 1024,
	          (unsigned long long)r.moved / 1024);
	CHECK_EQ(r.corrupt, 0);
	CHECK_OP(r.operations, >, 0);
	return r;
}

TEST(t2_collector,
     "T2-28 a compacting collector under four threads: no object is lost, MOVE copies less than half of what COPY does")
{
	struct collector_result copy = collect(false), move = collect(true);

	CHECK_EQ(copy.moved, 0);
	CHECK_OP(2 * move.copied * copy.delivered, <=, copy.copied * move.delivered); /* a page delivered */
}
