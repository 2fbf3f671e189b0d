/*
 * table.c - table pages: made on the way down, freed only through a gather.
 *
 * Layer 4 (mm/pgtable).  Interfaces: pgtable.h (pt_populate, pt_free_tables) and table.h.
 *
 * A table page is linked into the tree under pt->lock and from then on found by lockless descents.  It is
 * unlinked only when no range of the address space lies in its span (the caller holds the mmap lock for
 * writing and has already removed the reverse links), and its frame goes back after the TLB flush.
 */
#include "mm/pgtable/table.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/errno.h"
#include "mm/pgtable/gather.h"
#include "mm/pgtable/huge.h"

struct page *table_alloc(void)
{
	struct page *table = page_alloc(0, GFP_KERNEL | GFP_ZERO);

	if (table) {
		hw_table_init(page_address(table));
		page_set(table, PG_TABLE);
		atomic_inc(&phys_table_pages);
		spin_init(&table->ptl, LOCK_PTL);
	}
	return table;
}

void table_free(struct page *table)
{
	ASSERT(page_test(table, PG_TABLE));
	page_clear(table, PG_TABLE);
	atomic_dec(&phys_table_pages);
	table->private = 0;
	table->index = 0;
	page_was_table(table);
	page_put(table);
}

/* Link a fresh table below the empty entry @hw of @above at @level, unless another thread was faster (with one, or with a
 * huge entry). */
static int table_link(struct pgtable *pt, struct page *above, struct hw_pte *hw, unsigned level, vaddr_t va)
{
	struct page *table = table_alloc();

	if (!table)
		return -ENOMEM;
	if (level == 1)
		table->index = va / pt_span(1); /* which addresses it is for: pt_find() */
	spin_lock(&pt->lock);
	if (pte_is_none(hw_pte_get(hw))) {
		hw_pte_set(hw, pte_mk_table(page_to_pfn(table), level));
		above->nr_below++;
		pt->nr_tables++;
		table = NULL;
	}
	spin_unlock(&pt->lock);
	if (table)
		table_free(table);
	else if (PT_ROOT_COPIED && level == PT_LEVELS - 1)
		pgtable_reload(pt); /* a CPU that comes here before it is told only faults again */
	return 0;
}

/* Make the path to the table of @va at level @to. */
static int table_path(struct pgtable *pt, vaddr_t va, unsigned to)
{
	struct page *table = pt->root;

	for (unsigned level = PT_LEVELS - 1; level > to; level--) {
		struct hw_pte *hw = hw_pte_at(page_address(table), pt_index(level, va));

		while (!pte_is_table(hw_pte_get_lockless(hw), level)) {
			bool huge = unlikely(pte_is_huge(hw_pte_get_lockless(hw), level));
			int err = huge ? 0 : table_link(pt, table, hw, level, va);

			if (err)
				return err;
			if (huge)
				pt_split_huge(pt, va);
		}
		table = pfn_to_page(pte_table_pfn(hw_pte_get_lockless(hw)));
	}
	return 0;
}

int pt_populate_upper(struct pgtable *pt, vaddr_t va)
{
	return table_path(pt, va, 1);
}

int pt_populate(struct pgtable *pt, vaddr_t start, vaddr_t end)
{
	for (vaddr_t va = ALIGN_DOWN(start, pt_span(1)); va < end; va += pt_span(1)) {
		int err = table_path(pt, va, 0);

		if (err)
			return err;
	}
	return 0;
}

/* What pt_free_tables() may free: tables in whose span nothing but [floor, ceiling) lies. */
struct trim {
	struct pgtable *pt;
	struct mmu_gather *gather;
	vaddr_t floor, ceiling;
	bool wide; /* also what is below such a table but outside of the addresses asked for */
};

static void unlink_table(struct trim *t, struct page *above, struct hw_pte *hw, unsigned level, vaddr_t base)
{
	struct page *table = pfn_to_page(pte_table_pfn(hw_pte_get_lockless(hw)));

	ASSERT(level == 1 || table->nr_below == 0);
	spin_lock(&t->pt->lock);
	hw_pte_get_and_clear(hw);
	above->nr_below--;
	t->pt->nr_tables--;
	t->pt->recent = NULL;
	spin_unlock(&t->pt->lock);
	mmu_gather_table(t->gather, table, base, level);
}

/*
 * Free what addresses first .. last touch below @table, which stands at @level.  With `wide` a table that goes takes
 * with it all that is below, also outside of first .. last: a pt_populate() that failed may have left tables where no
 * range is.  That is rare, and a table has many entries: none is looked at when nothing is left below.
 */
static void trim_table(struct trim *t, struct page *table, unsigned level, vaddr_t first, vaddr_t last)
{
	vaddr_t span = pt_span(level), va = ALIGN_DOWN(first, span);
	struct hw_pte *hw = hw_pte_at(page_address(table), pt_index(level, va));

	if (level == 0) /* a leaf: no tables below, and no count of them */
		return;
	for (; va <= last && table->nr_below; va += span, hw = hw_pte_next(hw)) {
		pte_t entry = hw_pte_get_lockless(hw);
		vaddr_t va_last = va + (span - 1);
		struct page *below;

		if (!pte_is_table(entry, level))
			continue;
		below = pfn_to_page(pte_table_pfn(entry));
		trim_table(t, below, level - 1, max(first, va), min(last, va_last));
		if (va < t->floor || va_last >= t->ceiling)
			continue;
		if (t->wide)
			trim_table(t, below, level - 1, va, va_last);
		if (level == 1 || !below->nr_below)
			unlink_table(t, table, hw, level, va);
	}
}

void pt_free_tables(struct pgtable *pt, struct mmu_gather *g, vaddr_t start, vaddr_t end, vaddr_t floor,
                    vaddr_t ceiling)
{
	struct trim t = {.pt = pt, .gather = g, .floor = floor, .ceiling = ceiling, .wide = true};

	trim_table(&t, pt->root, PT_LEVELS - 1, start, end - 1);
}

void pt_free_tables_part(struct pgtable *pt, struct mmu_gather *g, vaddr_t start, vaddr_t end, vaddr_t floor,
                         vaddr_t ceiling)
{
	struct trim t = {.pt = pt, .gather = g, .floor = floor, .ceiling = ceiling};

	trim_table(&t, pt->root, PT_LEVELS - 1, start, end - 1);
}
