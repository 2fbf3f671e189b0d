/*
 * audit_lru.c - the auditor on the lists by age: every page that reclaim may want is on exactly one, the right one.
 * Layer 8 (mm/debug).  Interface: audit.h.  Takes one list's lock at a time.
 *
 * A page that is isolated just now is on none; in a quiet machine (MM_AUDIT_LEAKS) none is.
 */
#include "mm/debug/audit.h"
#include "mm/phys/lru.h"

#define LISTED (1u << 31) /* in a frame's tally: it was met on a list */

/* False: it has been met before; its links cannot be followed any more. */
static bool meet(struct audit *a, const struct page *page)
{
	u32 *tally = audit_tally(a, page_to_pfn(page));

	if (*tally & LISTED) {
		audit_error(a, "page %lx is twice on lists by age: flags %lx", page_to_pfn(page), page->flags);
		return false;
	}
	*tally |= LISTED;
	return true;
}

/* => lru->lock */
static void check_page(struct audit *a, const struct page *page, const struct lru *lru, enum lru_list list)
{
	unsigned long flags = READ_ONCE(page->flags);

	if (!(flags & BIT(PG_LRU)) || lru_list_of(flags) != list || lru_of(page) != lru)
		audit_error(a, "page %lx is on list %d by age and should not be: flags %lx", page_to_pfn(page), list, flags);
	if (flags & (BIT(PG_BUDDY) | BIT(PG_SLAB) | BIT(PG_TABLE) | BIT(PG_RESERVED)))
		audit_error(a, "page %lx is on a list by age, but no page in use: flags %lx", page_to_pfn(page), flags);
}

static void check_list(struct audit *a, const struct lru *lru, enum lru_list list)
{
	const struct page *page;
	unsigned long n = 0;

	list_for_each_entry(page, &lru->lists[list].pages, link) {
		check_page(a, page, lru, list);
		if (!meet(a, page))
			return;
		n++;
	}
	if (n != lru->lists[list].nr)
		audit_error(a, "list %d by age counts %lu pages and has %lu", list, lru->lists[list].nr, n);
}

static void check_lists(struct audit *a, struct lru *lru)
{
	unsigned long flags = spin_lock_irqsave(&lru->lock);

	for (unsigned list = 0; list < LRU_LISTS; list++)
		check_list(a, lru, (enum lru_list)list);
	spin_unlock_irqrestore(&lru->lock, flags);
}

/* Is it a page that belongs on a list? */
static bool wants_list(const struct page *page)
{
	unsigned long flags = READ_ONCE(page->flags);

	if (flags & (BIT(PG_TABLE) | BIT(PG_SLAB) | BIT(PG_BUDDY) | BIT(PG_RESERVED)) || READ_ONCE(page->refs) <= 0)
		return false;
	return flags & BIT(PG_ANON) || page->object;
}

/* One that came onto a list since we looked there would be taken for lost: => nothing runs */
static void check_frame(struct audit *a, const struct page *page)
{
	pfn_t pfn = page_to_pfn(page);

	if (wants_list(page) && !page_test(page, PG_LRU))
		audit_error(a, "page %lx is on no list by age: flags %lx refs %d", pfn, page->flags, page->refs);
	if (page_test(page, PG_LRU) && !(*audit_tally(a, pfn) & LISTED))
		audit_error(a, "page %lx says that it is on a list by age, and is on none: flags %lx refs %d", pfn, page->flags,
		            page->refs);
}

void audit_lists(struct audit *a)
{
	struct lru *lru;

	for_each_lru(lru) check_lists(a, lru);
	for (pfn_t pfn = 0; a->leaks && pfn < max_pfn; pfn++)
		check_frame(a, pfn_to_page(pfn));
}
