/*
 * reclaim.c - how much is taken back, from which lists, by whom, and when to give up.
 *
 * Layer 7 (mm/service).  Interface: reclaim.h; the marks: struct page_marks.
 * No locks of its own but wait queues: counters that several read and that may be a little wrong.
 *
 * A round looks at a growing part of every list: 1/4096, 1/2048, ... all of it, until enough is free.  So the old ends
 * of all CPUs' lists are used up alike, and the lists are worn through only when there is need.
 */
#include "mm/service/reclaim.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/wait.h"
#include "mm/object/dirty.h"
#include "mm/phys/vmstat.h"

#define PRIORITY_FIRST 12 /* a round begins by looking at 1 / 2^12 of a list */
#define CLUSTER 32        /* pages taken off a list at once */
#define SWAPPINESS 60     /* of 200: how much rather anonymous pages go than files' */
#define FAILURES_MAX 3    /* rounds of the background without a page: it is hopeless */
#define WAIT_NS 20000000ull
#define WAITS_MAX 20 /* times a direct reclaimer waits for the background before it gives up */

static struct wait_queue background = WAIT_QUEUE_INIT(background); /* its thread sleeps here */
static struct wait_queue stalled = WAIT_QUEUE_INIT(stalled);       /* and those that it is to help */
static bool wanted;
static bool running;      /* there is a thread */
static unsigned rounds;   /* that it ended */
static unsigned failures; /* rounds in a row that freed nothing and wrote nothing */
static struct list shrinkers = LIST_INIT(shrinkers);

/* One round's job. */
struct scan {
	struct evict evict;
	unsigned classes; /* bit c: pages of class c help */
	unsigned priority;
	unsigned long wanted;
};

/* -- one list ----------------------------------------------------------------------------------------------------------- */

static void count_scan(const struct scan *s, unsigned looked_at, unsigned long freed)
{
	vm_count(s->evict.background ? VM_PGSCAN_KSWAPD : VM_PGSCAN_DIRECT, looked_at);
	vm_count(s->evict.background ? VM_PGSTEAL_KSWAPD : VM_PGSTEAL_DIRECT, freed);
}

/* Look at @nr pages from the old end of an inactive list. */
static void shrink_inactive(struct scan *s, struct lru *lru, enum lru_list list, unsigned long nr)
{
	while (nr && s->evict.freed < s->wanted) {
		unsigned seen = (unsigned)min(nr, (unsigned long)CLUSTER);
		unsigned long before = s->evict.freed;
		struct list pages = LIST_INIT(pages);

		lru_isolate_old(lru, list, seen, &seen, &pages);
		if (!seen)
			break;
		evict_pages(&s->evict, &pages);
		count_scan(s, seen, s->evict.freed - before);
		nr -= seen;
	}
}

static void refill(const struct scan *s, struct lru *lru, enum lru_list active, unsigned long nr)
{
	while (nr) {
		unsigned seen = (unsigned)min(nr, (unsigned long)CLUSTER);
		struct list pages = LIST_INIT(pages);

		lru_isolate_old(lru, active, seen, &seen, &pages);
		if (!seen)
			break;
		vm_count(VM_PGREFILL, seen);
		deactivate_pages(&pages, s->priority < 2);
		nr -= seen;
	}
}

/* The part of @n pages that this pass looks at. */
static unsigned long share(const struct scan *s, unsigned long n, unsigned weight)
{
	unsigned long part = n >> s->priority;

	if (!part && n)
		part = min(n, s->priority < PRIORITY_FIRST / 2 ? (unsigned long)CLUSTER : 1ul);
	return s->priority ? part * weight / 100 : part;
}

/* The pages of one kind, files' or anonymous, on one CPU's lists. */
static void shrink_kind(struct scan *s, struct lru *lru, enum lru_list inactive, unsigned weight)
{
	enum lru_list active = (enum lru_list)(inactive + 1);

	if (READ_ONCE(lru->lists[inactive].nr) < READ_ONCE(lru->lists[active].nr))
		refill(s, lru, active, share(s, READ_ONCE(lru->lists[active].nr), 100));
	shrink_inactive(s, lru, inactive, share(s, READ_ONCE(lru->lists[inactive].nr), weight));
}

/* -- all lists -------------------------------------------------------------------------------------------------------------- */

static unsigned long shrink_caches(void)
{
	unsigned long n = 0;
	struct shrinker *s;

	list_for_each_entry(s, &shrinkers, link)
		n += s->shrink(CLUSTER);
	vm_count(VM_SLABS_SCANNED, n);
	return n;
}

static void shrink_all(struct scan *s)
{
	bool anon = swap_has_room();

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		for (unsigned class = 0; class < CLASS_COUNT; class ++) {
			if (!(s->classes & BIT(class)))
				continue;
			shrink_kind(s, &lrus[cpu][class], LRU_INACTIVE_FILE, 200 - SWAPPINESS);
			/* With nowhere to swap to, those that MADV_FREE gave up are among the files' pages. */
			if (anon)
				shrink_kind(s, &lrus[cpu][class], LRU_INACTIVE_ANON, SWAPPINESS);
		}
}

/* -- background --------------------------------------------------------------------------------------------------------------- */

/* Classes with fewer free pages than they should have, once the background is at it. */
static unsigned classes_short(void)
{
	unsigned classes = 0;

	for (unsigned class = 0; class < CLASS_COUNT; class ++) {
		struct page_marks marks;

		page_marks((enum page_class) class, &marks);
		if (marks.free < marks.high)
			classes |= BIT(class);
	}
	return classes;
}

static void wake_background(void)
{
	if (READ_ONCE(wanted))
		return;
	WRITE_ONCE(wanted, true);
	wake_up_all(&background);
}

void reclaim_wait(void)
{
	*sync_memory_rights() |= SYNC_MEMORY_RECLAIM;
	WRITE_ONCE(running, true);
	wait_event(&background, READ_ONCE(wanted));
	WRITE_ONCE(wanted, false);
}

static void pause_for_io(void)
{
	struct wait_queue nobody = WAIT_QUEUE_INIT(nobody);

	(void)wait_event_timeout(&nobody, false, WAIT_NS);
}

void reclaim_round(void)
{
	struct scan s = {.evict = {.background = true}, .wanted = ~0ul};
	unsigned long caches = 0;

	vm_count(VM_PAGEOUTRUN, 1);
	for (s.priority = PRIORITY_FIRST; (s.classes = classes_short()); s.priority--) {
		s.wanted = s.evict.freed + 8 * CLUSTER;
		shrink_all(&s);
		if (s.priority < PRIORITY_FIRST / 2) /* a name keeps an inode, and that its pages: not at the first sign */
			caches += shrink_caches();
		if (s.evict.freed)
			wake_up_all(&stalled);
		if (!s.priority)
			break;
	}
	WRITE_ONCE(failures, s.evict.freed || s.evict.written || caches || !s.classes ? 0 : failures + 1);
	if (s.evict.written && classes_short())
		pause_for_io(); /* what is being written can be freed then */
	atomic_inc(&rounds);
	wake_up_all(&stalled);
	if (classes_short() && failures < FAILURES_MAX)
		WRITE_ONCE(wanted, true);
}

/* -- direct --------------------------------------------------------------------------------------------------------------------- */

/* Which classes are of use to who allocates so. */
static unsigned classes_for(enum gfp gfp)
{
	unsigned classes = 0;

	for (unsigned class = 0; class < CLASS_COUNT; class ++)
		if (page_class_serves((enum page_class) class, gfp))
			classes |= BIT(class);
	return classes;
}

static unsigned long reclaim_once(unsigned long nr, enum gfp gfp)
{
	struct scan s = {.classes = classes_for(gfp), .wanted = nr};
	unsigned *rights = sync_memory_rights();

	__atomic_fetch_or(rights, SYNC_MEMORY_RECLAIM, __ATOMIC_RELAXED);
	for (s.priority = PRIORITY_FIRST; s.evict.freed < nr; s.priority--) {
		shrink_all(&s);
		if (!s.priority)
			break;
	}
	__atomic_fetch_and(rights, ~(unsigned)SYNC_MEMORY_RECLAIM, __ATOMIC_RELAXED);
	return s.evict.freed;
}

static bool enough_for(unsigned classes)
{
	for (unsigned class = 0; class < CLASS_COUNT; class ++) {
		struct page_marks marks;

		page_marks((enum page_class) class, &marks);
		if (classes & BIT(class) && marks.free > marks.min + CLUSTER)
			return true;
	}
	return false;
}

bool reclaim_hopeless(void)
{
	return !enough_for(BIT(CLASS_LOW) | BIT(CLASS_HIGH));
}

/*
 * Nothing can be freed without writing, or by us: wait until the background has freed something, or has tried.  False: it
 * does not help.  The background may itself wait for a lock that we hold; so we do not wait for ever.
 */
static bool wait_for_background(unsigned classes)
{
	unsigned since = atomic_read(&rounds);

	if (!READ_ONCE(running))
		return false;
	for (unsigned i = 0; i < WAITS_MAX; i++) {
		if (sync_fatal_pending())
			return false;
		wake_background();
		(void)wait_event_timeout(&stalled, enough_for(classes) || atomic_read(&rounds) - since >= FAILURES_MAX,
		                         WAIT_NS);
		if (enough_for(classes))
			return true;
		if (atomic_read(&rounds) - since >= FAILURES_MAX && READ_ONCE(failures) >= FAILURES_MAX)
			return false;
	}
	return false;
}

static unsigned long reclaim_direct(unsigned long nr, enum gfp gfp)
{
	unsigned long freed;

	if (*sync_memory_rights() & SYNC_MEMORY_RESERVE)
		return 0;
	vm_count(VM_ALLOCSTALL, 1);
	freed = reclaim_once(nr, gfp);
	if (!freed && wait_for_background(classes_for(gfp)))
		freed = 1;
	return freed;
}

/* -- start ------------------------------------------------------------------------------------------------------------------------ */

void shrinker_register(struct shrinker *s)
{
	list_add_tail(&s->link, &shrinkers);
}

void reclaim_init(void)
{
	WRITE_ONCE(page_reclaim, reclaim_direct);
	WRITE_ONCE(page_reclaim_wake, wake_background);
}
