/*
 * test_trace.c - mm/debug/trace.c: a ring of records for each CPU, read as one by time.
 *
 * machine: amd64
 */
#include "tests/unit/sim_space.h"

#include "kernel/lib/trace.h"
#include "mm/debug/debug.h"

#define RING 4096 /* records of a CPU */
#define MARKS (1 << MM_TRACE_MARK)
#define BUFFER 64 /* records */

static int owner, stranger;
static vaddr_t buffer;

static void make_world(void)
{
	enter_space();
	buffer = map_pages(2, MAP_PRIVATE, NULL, 0);
	store_word(buffer, 0);
	store_word(buffer + PAGE_SIZE, 0);
}

static int control(u64 events, bool clear)
{
	return trace_control(&owner, &(struct mm_trace_control){.events = events, .clear = clear});
}

static void mark(u64 n)
{
	trace_mark(&(struct mm_trace_record){.va = n, .pfn = 2, .old_entry = 3, .new_entry = 4});
}

static struct mm_trace_read read_trace(u64 max)
{
	struct mm_trace_read r = {.records = buffer, .max = max};

	CHECK(trace_read(&r) == 0);
	return r;
}

static struct mm_trace_record record(u64 n)
{
	struct mm_trace_record r;

	CHECK(sim_load(buffer + n * sizeof(r), &r, sizeof(r)) == FAULT_OK);
	return r;
}

/* The CPUs' records, in the order in which things happened. */
static void one_order_for_all_cpus(void *arg)
{
	struct mm_trace_read r;

	make_world();
	CHECK(control(MARKS, true) == 0);
	for (unsigned i = 0; i < 20; i++) {
		sim_move(i * 3 % 4);
		mark(i);
	}
	r = read_trace(BUFFER);
	CHECK(r.count == 20 && r.lost == 0);
	for (unsigned i = 0; i < 20; i++) {
		struct mm_trace_record m = record(i);

		CHECK(m.va == i && m.cpu == i * 3 % 4 && m.event == MM_TRACE_MARK && m.pfn == 2 && m.new_entry == 4);
		CHECK(i == 0 || m.tsc >= record(i - 1).tsc);
	}
	CHECK(control(0, false) == 0);
}

/* Only what was asked for; stopping keeps what there is, clearing forgets it. */
static void what_is_recorded(void *arg)
{
	make_world();
	mark(1);
	CHECK(control(1 << MM_TRACE_FAULT, true) == 0);
	mark(2);
	CHECK(read_trace(BUFFER).count == 0);
	CHECK(control(MARKS, false) == 0);
	mark(3);
	CHECK(control(0, false) == 0);
	mark(4);
	CHECK(read_trace(BUFFER).count == 1 && record(0).va == 3);
	CHECK(read_trace(BUFFER).count == 1); /* reading takes nothing away */
	CHECK(control(0, true) == 0 && read_trace(BUFFER).count == 0);
}

/* The newest ones, when there is no room for all. */
static void the_oldest_are_lost(void *arg)
{
	struct mm_trace_read r;

	make_world();
	CHECK(control(MARKS, true) == 0);
	for (u64 i = 0; i < 50; i++)
		mark(i);
	r = read_trace(10);
	CHECK(r.count == 10 && r.lost == 40 && record(0).va == 40 && record(9).va == 49);
	for (u64 i = 50; i < RING + 100; i++)
		mark(i);
	r = read_trace(5);
	CHECK(r.count == 5 && r.lost == RING + 100 - 5 && record(4).va == RING + 99);
	CHECK(control(0, true) == 0);
}

/* An unmap leaves its story: entries emptied, TLBs flushed, and only then the frames freed. */
static void story_of_an_unmap(void *arg)
{
	u64 clear = 0, flush = 0, freed = 0;
	vaddr_t va;
	pfn_t pfn;

	make_world();
	va = map_pages(1, MAP_PRIVATE, NULL, 0);
	store_word(va, 1);
	pfn = page_to_pfn(frame_at(va));
	CHECK(control(1 << MM_TRACE_CLEAR | 1 << MM_TRACE_FLUSH | 1 << MM_TRACE_FREE, true) == 0);
	CHECK(mm_munmap(sim_mm(), va, PAGE_SIZE) == 0);
	CHECK(control(0, false) == 0);
	for (u64 i = 0, n = read_trace(BUFFER).count; i < n; i++) {
		struct mm_trace_record m = record(i);

		if (m.event == MM_TRACE_CLEAR && m.va == va && m.pfn == pfn)
			clear = i + 1;
		if (m.event == MM_TRACE_FLUSH && m.va <= va && m.new_entry > va && !flush)
			flush = i + 1;
		if (m.event == MM_TRACE_FREE && m.pfn == pfn)
			freed = i + 1;
	}
	CHECK(clear && clear < flush && flush < freed);
	CHECK((record(clear - 1).old_entry & 15) == MM_ENTRY_PAGE && record(clear - 1).old_entry >> 12 == pfn);
	CHECK(control(0, true) == 0);
}

static void stops_with_its_owner(void *arg)
{
	make_world();
	CHECK(control(MARKS, true) == 0);
	trace_stop(&stranger);
	mark(1);
	trace_stop(&owner);
	mark(2);
	CHECK(trace_events == 0 && read_trace(BUFFER).count == 1);
}

static void bad_requests(void *arg)
{
	struct mm_trace_read r = {.max = 10};
	unsigned n;

	make_world();
	CHECK(control(1ull << MM_TRACE_EVENTS, false) == -EINVAL);
	for (n = 1; n < 10; n++) { /* rings are made when they are first needed */
		int err;

		sim_failpoint("page_alloc", n);
		err = control(MARKS, true);
		if (sim_failpoint_end("page_alloc") < n)
			break;
		CHECK(err == -ENOMEM && trace_events == 0);
	}
	CHECK(n > 1 && n < 10 && trace_events == MARKS);
	mark(1);
	r.records = 0;
	CHECK(trace_read(&r) == -EFAULT && trace_events == MARKS);
	CHECK(control(0, true) == 0);
}

int main(int argc, char **argv)
{
	const struct sim_config calm = {
		.switch_one_in = SIM_NEVER, .prefetch_one_in = SIM_NEVER, .evict_one_in = SIM_NEVER, .no_audit = true};

	/* No audit: the rings stay. */
	sim_main(argc, argv);
	CASE_WITH(&calm, one_order_for_all_cpus);
	CASE_WITH(&calm, what_is_recorded);
	CASE_WITH(&calm, the_oldest_are_lost);
	CASE_WITH(&calm, story_of_an_unmap);
	CASE_WITH(&calm, stops_with_its_owner);
	CASE_WITH(&calm, bad_requests);
	return sim_end();
}
