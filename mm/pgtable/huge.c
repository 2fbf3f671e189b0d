/*
 * huge.c - huge entries: made, changed, split, moved; and their deposits.
 *
 * Layer 4 (mm/pgtable).  Interface and theory: huge.h.  Lock order: pt->lock (two trees': by address), PTL.
 *
 * The split, which must never show a walker an empty entry:
 *
 *   1. the huge entry loses every access, in one exchange: hardware cannot use it, nor set A or D in it, from the flush on;
 *      it is still a huge entry to whoever looks
 *   2. every CPU flushes: none has a translation of either size
 *   3. the deposit is filled from the value of step 1
 *   4. one store makes it the leaf table
 *
 * All of it under pt->lock, for which a fault waits that finds the entry at 1.
 */
#include "mm/pgtable/huge.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/table.h"
#include "mm/phys/vmstat.h"

pfn_t pt_zero_pfn;
unsigned long pt_huge_mapped;

/* -- places -------------------------------------------------------------------------------------------------------- */

/* The level-1 table of @va, or NULL. It is kept as leaf tables are. */
static struct page *upper_table(const struct pgtable *pt, vaddr_t va)
{
	struct page *table = pt->root;

	for (unsigned level = PT_LEVELS - 1; level > 1; level--) {
		pte_t entry = hw_pte_get_lockless(hw_pte_at(page_address(table), pt_index(level, va)));

		if (!pte_is_table(entry, level))
			return NULL;
		table = pfn_to_page(pte_table_pfn(entry));
	}
	return table;
}

static struct hw_pte *upper_entry(struct page *above, vaddr_t va)
{
	return hw_pte_at(page_address(above), pt_index(1, va));
}

/* => pt->lock held */
static bool find_huge(struct pgtable *pt, vaddr_t va, struct pt_huge *h)
{
	struct page *above = upper_table(pt, va);
	vaddr_t base = ALIGN_DOWN(va, PT_HUGE_SIZE);

	if (!above)
		return false;
	*h = (struct pt_huge){.pt = pt, .base = base, .va = base, .end = base + PT_HUGE_SIZE, .above = above};
	h->hw = upper_entry(above, va);
	h->pte = hw_pte_get(h->hw);
	return pte_is_huge(h->pte, 1);
}

/* A look without the lock, for who need not notice one that is just being made: an entry that is just being split, of which
 * only one word is stored (PAE), may be anything but a table. */
static bool may_be_huge(const struct pgtable *pt, vaddr_t va)
{
	struct page *above = upper_table(pt, va);

	return above && !pte_is_table(hw_pte_get_lockless(upper_entry(above, va)), 1);
}

bool pt_lock_huge(struct pgtable *pt, vaddr_t va, struct pt_huge *h)
{
	if (likely(!READ_ONCE(pt->nr_huge)) || !may_be_huge(pt, va))
		return false;
	spin_lock(&pt->lock);
	if (find_huge(pt, va, h))
		return true;
	spin_unlock(&pt->lock);
	return false;
}

void pt_unlock_huge(struct pt_huge *h)
{
	spin_unlock(&h->pt->lock);
}

bool pt_is_huge(struct pgtable *pt, vaddr_t va)
{
	struct pt_huge h;

	if (!pt_lock_huge(pt, va, &h))
		return false;
	pt_unlock_huge(&h);
	return true;
}

pte_t pt_huge_part(pte_t huge, unsigned index)
{
	pte_t part = pte_huge_part(huge, index), zero;

	if (!pte_special(huge))
		return part;
	zero = pte_mk_special(pt_zero_pfn, pte_grant(huge));
	return pte_young(huge) ? zero : pte_mkold(zero);
}

/* -- deposits -------------------------------------------------------------------------------------------------------- */

struct page *pt_deposit_alloc(void)
{
	return table_alloc();
}

void pt_deposit_free(struct page *deposit)
{
	table_free(deposit);
}

/* => pt->lock held */
static void deposit(struct pgtable *pt, struct page *table)
{
	if (likely(table)) /* M8 loses it (mm/service/uffd_move_huge.c) */
		list_add(&table->link, &pt->deposits);
	pt->nr_huge++;
}

/* => pt->lock held; the entry is not huge any more, or nobody will find what comes in its place */
static struct page *withdraw(struct pgtable *pt)
{
	struct page *table;

	ASSERT(pt->nr_huge && !list_empty(&pt->deposits));
	table = list_first_entry(&pt->deposits, struct page, link);
	list_del(&table->link);
	pt->nr_huge--;
	return table;
}

unsigned long pt_count_deposits(struct pgtable *pt)
{
	const struct page *table;
	unsigned long n = 0;

	list_for_each_entry(table, &pt->deposits, link)
		n++;
	return n;
}

/* -- the entry --------------------------------------------------------------------------------------------------------- */

static void count_mapped(pte_t pte, bool more)
{
	if (!pte_special(pte))
		__atomic_fetch_add(&pt_huge_mapped, more ? PT_HUGE_PAGES : -PT_HUGE_PAGES, __ATOMIC_RELAXED);
}

bool pt_set_huge(struct pgtable *pt, vaddr_t va, pte_t pte, struct page *table)
{
	struct page *above = upper_table(pt, va);
	struct hw_pte *hw = upper_entry(above, va);

	ASSERT(spin_held(&pt->lock));
	ASSERT(pte_is_huge(pte, 1) && IS_ALIGNED(va, PT_HUGE_SIZE) && va + (PT_HUGE_SIZE - 1) < USER_END);
	if (!pte_is_none(hw_pte_get(hw)))
		return false;
	hw_pte_set(hw, pte);
	above->nr_below++;
	deposit(pt, table);
	count_mapped(pte, true);
	return true;
}

pte_t pt_clear_huge(struct pt_huge *h, struct page **table)
{
	pte_t old = hw_pte_get_and_clear(h->hw);

	h->above->nr_below--;
	*table = withdraw(h->pt);
	count_mapped(old, false);
	return old;
}

pte_t pt_change_huge(struct pt_huge *h, pte_t (*change)(pte_t old, void *ctx), void *ctx)
{
	pte_t old, new;

	do {
		old = hw_pte_get(h->hw);
		new = change(old, ctx);
	} while (!hw_pte_cmpxchg(h->hw, old, new));
	h->pte = new;
	return old;
}

/* -- splitting ------------------------------------------------------------------------------------------------------- */

static pte_t without_access(pte_t old, void *ctx)
{
	return pte_with_grant(old, GRANT_NONE);
}

pte_t pt_replace_huge(struct pt_huge *h, pte_t pte)
{
	pte_t old = pt_change_huge(h, without_access, NULL);

	SYNC_POINT("clear-before-flush");
	pgtable_flush_range(h->pt, h->base, h->end);
	hw_pte_set(h->hw, pte);
	count_mapped(old, false);
	count_mapped(pte, true);
	h->pte = pte;
	return old;
}

static void fill(struct page *table, pte_t huge)
{
	struct hw_pte *hw = pt_table_entry(table, 0);

	for (unsigned i = 0; i < PT_HUGE_PAGES; i++, hw = hw_pte_next(hw))
		hw_pte_set(hw, pt_huge_part(huge, i));
}

/* => pt->lock held */
static void split(struct pt_huge *h)
{
	pte_t old = pt_change_huge(h, without_access, NULL);
	struct page *table;

	SYNC_POINT("huge-split");
	pgtable_flush_cpus(h->pt, h->base, h->end);
	table = list_first_entry(&h->pt->deposits, struct page, link);
	table->index = h->base / PT_HUGE_SIZE;
	fill(table, old);
	hw_pte_set(h->hw, pte_mk_table(page_to_pfn(table), 1));
	(void)withdraw(h->pt); /* now: who finds neither table nor any huge entry looks for the table once more (walk.c) */
	h->pt->nr_tables++;
	count_mapped(old, false);
	vm_count(VM_THP_SPLIT_PMD, 1);
}

void pt_split_huge(struct pgtable *pt, vaddr_t va)
{
	struct pt_huge h;

	if (!pt_lock_huge(pt, va, &h))
		return;
	split(&h);
	pt_unlock_huge(&h);
}

/* -- moving ------------------------------------------------------------------------------------------------------------ */

static void lock_both(struct pgtable *a, struct pgtable *b)
{
	spin_lock(a < b ? &a->lock : &b->lock);
	if (a != b)
		spin_lock_nested(a < b ? &b->lock : &a->lock);
}

static void unlock_both(struct pgtable *a, struct pgtable *b)
{
	if (a != b)
		spin_unlock(&b->lock);
	spin_unlock(&a->lock);
}

bool pt_lock_huge_move(struct pgtable *from, vaddr_t src, struct pgtable *to, struct pt_huge *h)
{
	lock_both(from, to);
	if (find_huge(from, src, h))
		return true;
	unlock_both(from, to);
	return false;
}

void pt_unlock_huge_move(struct pt_huge *h, struct pgtable *to)
{
	unlock_both(h->pt, to);
}

bool pt_vacant(struct pgtable *pt, vaddr_t va)
{
	struct page *above = upper_table(pt, va);

	return above && pte_is_none(hw_pte_get(upper_entry(above, va)));
}

/* => both trees' locks */
static bool move_locked(struct pt_huge *h, struct pgtable *to, vaddr_t dst, pte_t (*adapt)(pte_t, void *), void *ctx)
{
	struct page *table;
	pte_t pte;

	if (!pt_vacant(to, dst))
		return false;
	pte = pt_clear_huge(h, &table);
	SYNC_POINT("clear-before-flush");
	pgtable_flush_range(h->pt, h->base, h->end);
	if (!pte_special(pte)) {
		pgtable_account(h->pt, -(long)PT_HUGE_PAGES);
		pgtable_account(to, (long)PT_HUGE_PAGES);
	}
	return pt_set_huge(to, dst, adapt ? adapt(pte, ctx) : pte, table);
}

bool pt_move_huge(struct pgtable *from, vaddr_t src, struct pgtable *to, vaddr_t dst, pte_t expected,
                  pte_t (*adapt)(pte_t moved, void *ctx), void *ctx)
{
	struct pt_huge h;
	bool moved;

	ASSERT(IS_ALIGNED(src, PT_HUGE_SIZE) && IS_ALIGNED(dst, PT_HUGE_SIZE));
	if (!pt_lock_huge_move(from, src, to, &h))
		return false;
	/* Hardware may have made it accessed or dirty since it was looked at. */
	moved = pte_pfn(h.pte) == pte_pfn(expected) && pte_hw_write(h.pte) == pte_hw_write(expected) &&
	        move_locked(&h, to, dst, adapt, ctx);
	pt_unlock_huge_move(&h, to);
	return moved;
}

/* -- collapsing ---------------------------------------------------------------------------------------------------------- */

struct page *pt_take_table(struct pgtable *pt, vaddr_t va)
{
	struct page *above = upper_table(pt, va), *table = NULL;
	vaddr_t base = ALIGN_DOWN(va, PT_HUGE_SIZE);
	pte_t entry;

	if (!above)
		return NULL;
	spin_lock(&pt->lock);
	entry = hw_pte_get(upper_entry(above, va));
	if (pte_is_table(entry, 1)) {
		table = pfn_to_page(pte_table_pfn(entry));
		hw_pte_get_and_clear(upper_entry(above, va));
		above->nr_below--;
		pt->nr_tables--;
		pt->recent = NULL;
	}
	spin_unlock(&pt->lock);
	if (table) {
		SYNC_POINT("clear-before-flush");
		pgtable_flush_cpus(pt, base, base + PT_HUGE_SIZE); /* also ends every walk without locks that found the table */
	}
	return table;
}

void pt_put_table(struct pgtable *pt, vaddr_t va, struct page *table)
{
	struct page *above = upper_table(pt, va);

	table->index = va / PT_HUGE_SIZE;
	spin_lock(&pt->lock);
	hw_pte_set(upper_entry(above, va), pte_mk_table(page_to_pfn(table), 1));
	above->nr_below++;
	pt->nr_tables++;
	spin_unlock(&pt->lock);
}

/* -- reading ------------------------------------------------------------------------------------------------------------- */

static pte_t peek(struct pgtable *pt, vaddr_t va, pte_t (*part)(pte_t huge, unsigned index))
{
	struct page *above = upper_table(pt, va);
	pte_t entry = above ? hw_pte_get_lockless(upper_entry(above, va)) : pte_none();

	if (pte_is_table(entry, 1))
		return hw_pte_get_lockless(pt_table_entry(pfn_to_page(pte_table_pfn(entry)), pt_index(0, va)));
	return pte_is_huge(entry, 1) ? part(entry, pt_index(0, va)) : pte_none();
}

pte_t pt_peek_pte(struct pgtable *pt, vaddr_t va)
{
	return peek(pt, va, pt_huge_part);
}

pte_t pt_peek_hardware(struct pgtable *pt, vaddr_t va)
{
	return peek(pt, va, pte_huge_part);
}

bool pt_read_lock(struct pgtable *pt, vaddr_t va, struct pt_reading *r)
{
	struct pt_slot slot = pt_lock_table(pt, va);
	struct pt_huge h;

	if (!slot.hw && pt_lock_huge(pt, va, &h)) {
		*r = (struct pt_reading){pt_huge_part(h.pte, pt_index(0, va)), h.hw, h.pte, &pt->lock};
		return true;
	}
	if (!slot.hw)
		slot = pt_lock_table(pt, va); /* it may just have been split */
	if (!slot.hw)
		return false;
	*r = (struct pt_reading){.hw = slot.hw, .lock = &slot.table->ptl};
	r->raw = r->pte = hw_pte_get(slot.hw);
	return true;
}
