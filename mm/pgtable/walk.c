/*
 * walk.c - the one loop that goes down the tables.
 *
 * Layer 4 (mm/pgtable).  Interface: pgtable.h.  Geometry comes from pt_geometry[]; two, three, four or five
 * levels, wide or narrow, are the same code.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"
#include "mm/pgtable/huge.h"

/* Where a descent ended: a leaf table, or the level whose entry was empty. */
struct descent {
	struct page *table; /* NULL: no leaf table */
	unsigned level;     /* 0, or the level of the empty entry */
};

static inline struct descent descend(const struct pgtable *pt, vaddr_t va)
{
	void *table = phys_to_virt(pt->root_pa);
	pfn_t pfn = 0;

#pragma GCC unroll 5 /* then every shift and mask of the geometry is a constant */
	for (unsigned level = PT_LEVELS - 1; level > 0; level--) {
		pte_t entry = hw_pte_get_lockless(hw_pte_at(table, pt_index(level, va)));

		if (!pte_is_table(entry, level))
			return (struct descent){NULL, level};
		pfn = pte_table_pfn(entry);
		table = phys_to_virt((paddr_t)pfn << PAGE_SHIFT);
	}
	return (struct descent){pfn_to_page(pfn), 0};
}

static inline struct hw_pte *leaf_entry(struct page *table, vaddr_t va)
{
	return hw_pte_at(page_address(table), pt_index(0, va));
}

/*
 * A look at an entry that is just being split may find neither huge entry nor table.  While it is, nr_huge counts it, and who
 * takes pt->lock has waited for its end; if nr_huge counts none (any more), a second look finds the table.
 */
static struct descent look_again(struct pgtable *pt, vaddr_t va)
{
	return descend(pt, va);
}

/* The leaf table of @va, a huge entry split for it, or NULL. */
static inline struct page *leaf_table(struct pgtable *pt, vaddr_t va)
{
	struct descent d = descend(pt, va);

	if (likely(d.table) || d.level > 1)
		return d.table;
	if (unlikely(READ_ONCE(pt->nr_huge)))
		pt_split_huge(pt, va);
	return look_again(pt, va).table;
}

/*
 * The table that somebody came to last.  It may be new: whoever finds it here, and not by the entries above, sees all that it
 * was made with (release and acquire; plain moves on x86).
 */
static struct page *recent_table(const struct pgtable *pt)
{
	return __atomic_load_n(&pt->recent, __ATOMIC_ACQUIRE);
}

static void remember_table(struct pgtable *pt, struct page *table)
{
	__atomic_store_n(&pt->recent, table, __ATOMIC_RELEASE);
}

static __attribute__((noinline)) struct pt_slot search(struct pgtable *pt, vaddr_t va)
{
	struct page *table = leaf_table(pt, va);

	if (!table)
		return (struct pt_slot){NULL, NULL};
	remember_table(pt, table);
	return (struct pt_slot){leaf_entry(table, va), table};
}

/* A leaf table knows which addresses it is for (table.c), and none goes while the mmap lock is held. */
struct pt_slot pt_find(struct pgtable *pt, vaddr_t va)
{
	struct page *table = recent_table(pt);

	if (likely(table && table->index == va / pt_span(1)))
		return (struct pt_slot){leaf_entry(table, va), table};
	return search(pt, va);
}

struct pt_slot pt_find_table(struct pgtable *pt, vaddr_t va)
{
	struct page *table = recent_table(pt);

	if (unlikely(!table || table->index != va / pt_span(1))) {
		table = descend(pt, va).table;
		if (!table)
			return (struct pt_slot){NULL, NULL};
		remember_table(pt, table);
	}
	return (struct pt_slot){leaf_entry(table, va), table};
}

struct pt_slot pt_lock_table(struct pgtable *pt, vaddr_t va)
{
	struct page *table = descend(pt, va).table;

	if (!table)
		return (struct pt_slot){NULL, NULL};
	spin_lock(&table->ptl);
	return (struct pt_slot){leaf_entry(table, va), table};
}

struct pt_slot pt_lock(struct pgtable *pt, vaddr_t va)
{
	struct page *table = leaf_table(pt, va);

	if (!table)
		return (struct pt_slot){NULL, NULL};
	spin_lock(&table->ptl);
	return (struct pt_slot){leaf_entry(table, va), table};
}

struct pt_slot pt_lock_nested(struct pgtable *pt, vaddr_t va)
{
	struct page *table = descend(pt, va).table;

	if (!table)
		return (struct pt_slot){NULL, NULL};
	spin_lock_nested(&table->ptl);
	return (struct pt_slot){leaf_entry(table, va), table};
}

static void lock_tables(struct page *low, struct page *high)
{
	spin_lock(&low->ptl);
	if (high != low)
		spin_lock_ascending(&high->ptl);
}

bool pt_lock_two(struct pgtable *pt_a, vaddr_t a, struct pgtable *pt_b, vaddr_t b, struct pt_two *two)
{
	struct page *ta = leaf_table(pt_a, a), *tb = leaf_table(pt_b, b);

	if (!ta || !tb)
		return false;
	if (ta < tb || MUTATION(9)) /* M9: in whatever order they come */
		lock_tables(ta, tb);
	else
		lock_tables(tb, ta);
	*two = (struct pt_two){{leaf_entry(ta, a), ta}, {leaf_entry(tb, b), tb}};
	return true;
}

void pt_unlock_two(const struct pt_two *two)
{
	spin_unlock(&two->a.table->ptl);
	if (two->a.table != two->b.table)
		spin_unlock(&two->b.table->ptl);
}

struct pt_slot pt_lock_pair(struct pgtable *pt, vaddr_t va, struct page *held)
{
	struct page *table = descend(pt, va).table;

	ASSERT(table && spin_held(&held->ptl));
	if (table != held)
		spin_lock_nested(&table->ptl);
	return (struct pt_slot){leaf_entry(table, va), table};
}

void pt_unlock_pair(struct pt_slot slot, struct page *held)
{
	if (slot.table != held)
		spin_unlock(&slot.table->ptl);
}

struct hw_pte *pt_peek(struct pgtable *pt, vaddr_t va)
{
	struct page *table = descend(pt, va).table;

	return table ? leaf_entry(table, va) : NULL;
}

struct hw_pte *pt_lookup_lockless(struct pgtable *pt, vaddr_t va)
{
	ASSERT(!irqs_enabled() && this_cpu()->loaded == pt);
	return pt_peek(pt, va);
}

/* First address after @va that the entry at @level, which holds @va, does not cover. */
static inline vaddr_t next_span(vaddr_t va, unsigned level)
{
	return (va & ~(pt_span(level) - 1)) + pt_span(level);
}

/* A stretch without a leaf table: what is huge there. PT_WALK_SPLIT: there may be a table now. */
static int visit_huge(struct pgtable *pt, vaddr_t va, vaddr_t end, pt_huge_fn *fn, void *ctx)
{
	struct pt_huge h;
	int result = 0;

	if (!pt_lock_huge(pt, va, &h))
		return descend(pt, va).table ? PT_WALK_SPLIT : 0; /* another one was faster */
	h.va = va;
	h.end = end;
	if (fn)
		result = fn(&h, ctx);
	pt_unlock_huge(&h);
	if (result == PT_WALK_SPLIT)
		pt_split_huge(pt, va);
	return result;
}

int pt_walk_huge(struct pgtable *pt, vaddr_t start, vaddr_t end, pt_extent_fn *fn, pt_huge_fn *huge, void *ctx)
{
	vaddr_t va = start, next;

	ASSERT(IS_ALIGNED(start, PAGE_SIZE) && IS_ALIGNED(end, PAGE_SIZE) && end <= USER_END);
	for (; va < end; va = next) {
		struct descent d = descend(pt, va);
		int err;

		next = next_span(va, d.table ? 1 : d.level);
		if (!d.table) {
			if (d.level == 1 && unlikely(READ_ONCE(pt->nr_huge))) {
				err = visit_huge(pt, va, min(next, end), huge, ctx);
				if (err == PT_WALK_SPLIT)
					next = va; /* again, with the table */
				else if (err)
					return err;
				else if (next <= va)
					break;
				continue;
			}
			if (d.level == 1 && unlikely(look_again(pt, va).table))
				next = va;
			else if (next <= va)
				break; /* the span reaches the end of the address space */
			continue;
		}
		struct pt_extent x = {
			.pt = pt, .va = va, .end = min(next, end), .hw = leaf_entry(d.table, va), .table = d.table};

		spin_lock(&d.table->ptl);
		err = fn(&x, ctx);
		spin_unlock(&d.table->ptl);
		if (err)
			return err;
	}
	return 0;
}

static int ask_for_split(struct pt_huge *h, void *ctx)
{
	return PT_WALK_SPLIT;
}

int pt_walk(struct pgtable *pt, vaddr_t start, vaddr_t end, pt_extent_fn *fn, void *ctx)
{
	return pt_walk_huge(pt, start, end, fn, ask_for_split, ctx);
}
