/*
 * reclaim.h - frames are taken back from pages that nobody has used lately.  Layer 7 (mm/service).
 *
 *   who                    when                                   holds locks   may write files   waits
 *   background ("kswapd")  a class has fewer free than `low`      none          yes               for the disk, a little
 *   direct                 an allocation found nothing            any           no                for background, a while
 *   MADV_PAGEOUT           a program says so                      none          yes               for its pages' I/O
 *
 * So reclaim never enters a file system from inside an allocation: what is dirty is left to the background.  Of locks it
 * meets on the way it takes only those it gets without waiting.  docs/reclaim.md tells the whole of it.
 */
#ifndef MM_SERVICE_RECLAIM_H
#define MM_SERVICE_RECLAIM_H

#include "mm/object/swap.h"
#include "mm/pgtable/debt.h"
#include "mm/phys/lru.h"

/* -- reclaim.c ------------------------------------------------------------------------------------------------------ */

void reclaim_init(void); /* from here on allocations reclaim */
/* The background thread: sleep until there is something to do; free pages until every class has `high`. */
void reclaim_wait(void);
void reclaim_round(void);
/* May an allocation that reclaim could not help be helped by killing somebody? False: memory is there now, or soon. */
bool reclaim_hopeless(void);

/* Somebody whose memory can be had without writing anything. */
struct shrinker {
	unsigned long (*shrink)(unsigned long nr); /* let go of about @nr objects; how many. => may sleep, no locks held */
	struct list link;
};
void shrinker_register(struct shrinker *s); /* at boot */

/* -- evict.c: the way out, page by page --------------------------------------------------------------------------------- */

/* One reclaimer's job. */
struct evict {
	bool background; /* no lock is held: files may be written */
	bool wait;       /* and waited for */
	bool force;      /* recently used or not (a page that others map, too, is asked nevertheless) */
	unsigned long freed, written, kept;
	struct swap_io swap;  /* anonymous pages on their way to the device */
	struct tlb_debt debt; /* entries of these are empty, and not flushed: ... */
	struct list unmapped; /* ... locked, in the order in which they came */
	unsigned nr_unmapped;
	struct list sent;  /* @wait: those that are; ... */
	bool written_once; /* ... they have been, and are looked at again */
};
/* Every page of @pages (isolated, linked by page->link) is freed or put back. The list is empty afterwards. */
void evict_pages(struct evict *e, struct list *pages);
/* The same pages of the active lists: those not used since the last look become inactive, with @all the others too. */
void deactivate_pages(struct list *pages, bool all);

#endif
