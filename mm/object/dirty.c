/*
 * dirty.c - the limits on dirty memory: counting, waking the flusher, holding dirtiers back.
 *
 * Layer 5b (mm/object).  Interface: dirty.h.  No locks: counters, and two wait queues.
 *
 * A throttled thread waits until the count is below the hard limit, or until the flusher has ended a round that
 * began after the wait did: then all that could be written has been, and waiting longer would help nobody.
 */
#include "mm/object/dirty.h"

#include "kernel/lib/assert.h"
#include "kernel/sync/wait.h"
#include "mm/phys/page.h"

#define RATIO 20
#define BACKGROUND_RATIO 10

struct dirty_stat dirty_stat;
struct dirty_limits dirty_limits = {
	.ratio = RATIO, .background_ratio = BACKGROUND_RATIO, .expire_cs = 300, .writeback_cs = 100};
unsigned long dirty_background_pages = ~0ul;
static unsigned long hard_pages = ~0ul;

static struct wait_queue flusher = WAIT_QUEUE_INIT(flusher);     /* the flusher thread sleeps here */
static struct wait_queue throttled = WAIT_QUEUE_INIT(throttled); /* who waits for it, here */
static bool wanted;                                              /* somebody asked for a round */
static int waiting;                                              /* throttled threads */
static unsigned rounds;                                          /* ended */
static unsigned needed;                                          /* so many must have ended for the last who waits */

/* Neither is given (0): @otherwise percent. */
static unsigned long limit(unsigned long bytes, unsigned long percent, unsigned otherwise, unsigned long total)
{
	if (!bytes && !percent)
		percent = otherwise;
	return max(1ul, bytes ? bytes >> PAGE_SHIFT : (unsigned long)((u64)total * percent / 100));
}

void dirty_limits_changed(void)
{
	struct phys_stat st;

	phys_stat(&st);
	hard_pages = limit(dirty_limits.bytes, dirty_limits.ratio, RATIO, st.total);
	dirty_background_pages = min(
		limit(dirty_limits.background_bytes, dirty_limits.background_ratio, BACKGROUND_RATIO, st.total), hard_pages);
}

static unsigned long unwritten(void)
{
	long n = READ_ONCE(dirty_stat.dirty) + READ_ONCE(dirty_stat.writeback);

	return n > 0 ? (unsigned long)n : 0; /* the two are not read at one moment */
}

bool dirty_over_background(void)
{
	return unwritten() > READ_ONCE(dirty_background_pages);
}

static void want_round(void)
{
	if (READ_ONCE(wanted))
		return;
	WRITE_ONCE(wanted, true);
	wake_up_all(&flusher);
}

/* Two ends: the first may be of a round that began before us. */
static bool may_go_on(unsigned since)
{
	return unwritten() <= READ_ONCE(hard_pages) || atomic_read(&rounds) - since >= 2;
}

/* The flusher is not to sleep before @end rounds have ended. */
static void need_rounds(unsigned end)
{
	unsigned old = atomic_read(&needed);

	while ((int)(end - old) > 0 && !atomic_try_cmpxchg(&needed, &old, end))
		;
}

void dirty_throttle_slow(void)
{
	unsigned since = atomic_read(&rounds);

	want_round();
	if (unwritten() <= READ_ONCE(hard_pages))
		return;
	dirty_count(&dirty_stat.throttled, 1);
	need_rounds(since + 2);
	atomic_inc(&waiting);
	wake_up_all(&flusher);
	(void)wait_event_killable(&throttled, may_go_on(since));
	atomic_dec(&waiting);
}

/* Who has been let go may not have run yet: he needs no further round, and the flusher must not keep his CPU. */
static bool work_to_do(void)
{
	return READ_ONCE(wanted) || (atomic_read(&waiting) > 0 && (int)(atomic_read(&needed) - atomic_read(&rounds)) > 0);
}

void dirty_wait_for_work(void)
{
	unsigned long period = READ_ONCE(dirty_limits.writeback_cs);

	if (period)
		(void)wait_event_timeout(&flusher, work_to_do(), (u64)period * 10000000u);
	else
		wait_event(&flusher, work_to_do());
}

void dirty_round_begins(void)
{
	WRITE_ONCE(wanted, false);
}

void dirty_round_ends(void)
{
	atomic_inc(&rounds);
	wake_up_all(&throttled);
}
