/*
 * debt.h - flushes that are owed: many entries emptied one by one, then every TLB flushed once for all of them (RF.13).
 *
 * Layer 4 (mm/pgtable).  For reclaim, which meets the pages of any address spaces in any order: a gather (gather.h) is one
 * tree's.  Usage:
 *
 *	under the PTL: empty the entry; tlb_debt_add(&d, pt), or flush it now
 *	... more entries, of other pages and other trees; nothing that sleeps ...
 *	tlb_debt_pay(&d)         only now may the pages be unlocked, written or freed
 *
 * Until then a CPU may go on using the old translation.  What makes that harmless:
 *
 *   stores   one through a translation that is dirty already goes into the page without a trace.  So the page counts as
 *            dirty (the entry's last value said so), and is not written or freed before the flush.  One through a clean
 *            translation looks at the entry again, and faults
 *   pins     are taken by looking at the entry, not by a TLB (pin.c)
 *   faults   find the page locked, or map the same frame again.  Where they would put another page there, and
 *   changes  of the range (munmap, mprotect, fork, mremap, remap_file_pages): who is about to tell a program that a page is
 *            gone, or may not be written, calls pgtable_settle() after it has looked at the entries; a gather's end does
 *
 * A tree is not kept alive by a debt, so who owes remembers CPUs, not trees.
 */
#ifndef MM_PGTABLE_DEBT_H
#define MM_PGTABLE_DEBT_H

#include "mm/pgtable/pgtable.h"

/* What one reclaimer owes. All zero: nothing. */
struct tlb_debt {
	unsigned long cpus; /* that may hold translations of entries which he emptied */
};

/* An entry of @pt was emptied: true, and its flush is owed.  False: nothing is gained (no other CPU uses the tree), or
 * subscribers must hear of it now: flush it. => the entry's PTL held, since before it was emptied */
bool __must_check tlb_debt_add(struct tlb_debt *d, struct pgtable *pt);
/* Every CPU has forgotten them when it returns. => spinlocks as for pgtable_flush_range() */
void tlb_debt_pay(struct tlb_debt *d);

#endif
