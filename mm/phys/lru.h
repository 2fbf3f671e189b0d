/*
 * lru.h - which pages were used lately: the lists that reclaim takes pages from.  Layer 3 (mm/phys).
 *
 * Every anonymous page and every page of a page cache is on exactly one list, or isolated: taken off by somebody who
 * holds a reference and will put it back or free it.  Which list is a matter of the page's flags:
 *
 *   PG_UNEVICTABLE   PG_SWAPBACKED   PG_ACTIVE
 *        1                -              -        unevictable: locked in memory, or of tmpfs
 *        0                1             0, 1      anonymous memory: inactive, active
 *        0                0             0, 1      files, and anonymous memory after MADV_FREE: inactive, active
 *
 * Each CPU has lists of its own, one set for direct-mapped frames and one for the others, so that putting a page on a list
 * meets nobody, and no page waits in a batch with a reference that others would have to reckon with.  Whoever reclaims
 * takes from all of them.
 *
 * PG_LRU says "on a list"; whose it is stands in the top bits of the flags.  Both change under that list's lock.
 * Lock: struct lru.lock (LOCK_LRU, irqsave), which nearly any lock may be held around.
 */
#ifndef MM_PHYS_LRU_H
#define MM_PHYS_LRU_H

#include <arch/cpu.h>
#include "kernel/lib/list.h"
#include "mm/phys/page.h"

enum lru_list {
	LRU_INACTIVE_ANON,
	LRU_ACTIVE_ANON,
	LRU_INACTIVE_FILE,
	LRU_ACTIVE_FILE,
	LRU_UNEVICTABLE,
	LRU_LISTS,
};

struct lru_queue {
	struct list pages; /* the young end first */
	unsigned long nr;
};

struct lru {
	spinlock_t lock;
	struct lru_queue lists[LRU_LISTS];
} __aligned(64);

extern struct lru lrus[MAX_CPUS][CLASS_COUNT];

#define for_each_lru(lru) \
	for (unsigned i_ = 0; i_ < MAX_CPUS * CLASS_COUNT && ((lru) = &lrus[i_ / CLASS_COUNT][i_ % CLASS_COUNT]); i_++)

void lru_init(void); /* once, at boot */

/* The list that a page with @flags belongs on. */
enum lru_list lru_list_of(unsigned long flags);
static inline bool lru_is_active(enum lru_list list)
{
	return list == LRU_ACTIVE_ANON || list == LRU_ACTIVE_FILE;
}

struct lru *lru_of(const struct page *page); /* whose list it is on, or was. For the auditor */

/* Put @page, which is on no list and cannot go away now, at the young end of a list of this CPU. => any context */
void lru_add(struct page *page);
/* The same for @n pages that follow each other, of one class. */
void lru_add_block(struct page *first, unsigned n);
/* The same at the old end: the next to be looked at. */
void lru_add_tail(struct page *page);
/* Its last reference is gone. => any context */
void lru_forget(struct page *page);
/* The same for many, which may be on no list, with a list's lock taken once for all that follow each other on it. */
void lru_forget_all(struct page **pages, unsigned n);

/* Take @page off its list: true if the caller now owns its place and a reference more, to give them back with
 * lru_putback(). False: it is on none, or just being freed. => any frame; nobody need hold it */
bool lru_isolate(struct page *page);
/* Take up to @max pages off the old end of a list, looking at @scan at most; each with a reference, in @out. Returns how
 * many; @scan becomes what was looked at. A page that is just being freed is left. */
unsigned lru_isolate_old(struct lru *lru, enum lru_list list, unsigned max, unsigned *scan, struct list *out);
/* Back to the list that its flags say, and the reference of the isolation dropped. */
void lru_putback(struct page *page);

/* Change PG_ACTIVE, PG_UNEVICTABLE, PG_SWAPBACKED of a page that may be on a list, and move it to the young end of where
 * it belongs then; deactivated pages go to the old end. Nothing happens to a page that is isolated: false. => the caller
 * holds a reference, or an entry that maps it is locked */
bool lru_change(struct page *page, unsigned long set, unsigned long clear);
static inline bool lru_activate(struct page *page)
{
	return lru_change(page, BIT(PG_ACTIVE), 0);
}
static inline bool lru_deactivate(struct page *page)
{
	return lru_change(page, 0, BIT(PG_ACTIVE) | BIT(PG_REFERENCED));
}
/* To the old end of its list: it can go now. Nothing happens to an active or isolated one. => any context; referenced */
void lru_rotate(struct page *page);

/* No longer locked in memory by the mapping that is going: let reclaim look at it again. */
void lru_rescue_slow(struct page *page);
static inline void lru_rescue(struct page *page)
{
	if (unlikely(page_test(page, PG_UNEVICTABLE)))
		lru_rescue_slow(page);
}

/* read(2) and the like have used @page: the second time it becomes active. => the caller holds a reference */
static inline void lru_accessed(struct page *page)
{
	if (!page_test(page, PG_REFERENCED)) {
		page_set(page, PG_REFERENCED);
	} else if (!page_test(page, PG_ACTIVE) && !page_test(page, PG_UNEVICTABLE)) {
		lru_activate(page);
		page_clear(page, PG_REFERENCED);
	}
}

/* Pages on all CPUs' lists of this kind. */
unsigned long lru_count(enum lru_list list);
unsigned long lru_count_class(enum lru_list list, enum page_class class);

#endif
