/*
 * count.c - how many table pages a tree really has, for the auditor.  Layer 4 (mm/pgtable).  Interface: pgtable.h.
 */
#include "mm/pgtable/pgtable.h"

static unsigned long count_below(struct page *table, unsigned level)
{
	unsigned entries = level == PT_LEVELS - 1 ? arch_pgtable_user_entries(level) : (unsigned)pt_entries(level);
	struct hw_pte *hw = hw_pte_at(page_address(table), 0);
	unsigned long n = 1;

	for (unsigned i = 0; level > 0 && i < entries; i++, hw = hw_pte_next(hw)) {
		pte_t entry = hw_pte_get_lockless(hw);

		if (pte_is_table(entry, level))
			n += count_below(pfn_to_page(pte_table_pfn(entry)), level - 1);
	}
	return n;
}

unsigned long pt_count_tables(struct pgtable *pt)
{
	return count_below(pt->root, PT_LEVELS - 1);
}
