/*
 * pgtable.h - the hardware page tables of one address space, walked by one loop over the level table.
 *
 * Layer 4 (mm/pgtable).  Nobody above touches a table page; nobody here knows what an entry looks like.
 */
#ifndef MM_PGTABLE_PGTABLE_H
#define MM_PGTABLE_PGTABLE_H

#include <arch/pgtable.h>
#include <arch/tlb.h>
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/spinlock.h"
#include "mm/phys/page.h"

struct mmu_notifiers;

struct pgtable {
	struct page *root;
	paddr_t root_pa;
	spinlock_t lock;                 /* guards non-leaf entries; rank LOCK_PT_UPPER */
	unsigned long cpu_mask;          /* CPUs that may hold translations; atomic */
	unsigned owed, settled;          /* flushes put off by reclaim (debt.h); atomic */
	unsigned gathers;                /* under way: entries are clear whose translations may still be used; atomic */
	unsigned long nr_tables;         /* table pages, root included; not the deposits */
	unsigned long nr_huge;           /* huge entries (huge.h); w: lock */
	struct list deposits;            /* an empty leaf table for each; lock */
	unsigned long nr_pages;          /* accounted pages mapped (RSS); atomic */
	unsigned long nr_swap;           /* swap entries; atomic */
	struct mmu_notifiers *notifiers; /* secondary MMUs (notifier.h); NULL: nobody ever subscribed */
	struct page *recent; /* leaf table that pt_find() found last; r: mmap lock; cleared: mmap lock for writing */
};

int pgtable_init(struct pgtable *pt); /* 0 or -ENOMEM */
/* => every leaf entry is empty, no thread uses it (a CPU that borrows it is made to let go); as a flush */
void pgtable_destroy(struct pgtable *pt);

/* What this CPU translates by; NULL: the kernel's own tree. => any context */
void pgtable_load(struct pgtable *pt);
/* A thread without a tree is going to run here: it borrows what is loaded, until somebody flushes that.
 * => interrupts off */
static inline void pgtable_borrow(void)
{
	this_cpu()->lazy = true;
}

/* Forget translations on every CPU that may hold some; when it returns, they have, and no lockless walker of the tree
 * (pt_lookup_lockless()) that began before is still under way.  Subscribers have forgotten them after the CPUs.
 * => entries already changed, between mmu_notify_start() and _end(); PTLs, pt->lock and sleeping locks may be held;
 *    better with interrupts on */
void pgtable_flush_range(struct pgtable *pt, vaddr_t start, vaddr_t end);
void pgtable_flush_page(struct pgtable *pt, vaddr_t va);
void pgtable_flush_all(struct pgtable *pt);
/* The CPUs alone: for accessed bits, and for who tells the subscribers himself. */
void pgtable_flush_cpus(struct pgtable *pt, vaddr_t start, vaddr_t end);
/* What reclaim has emptied and not flushed yet (debt.h) is forgotten when it returns. => the entries looked at, under their
 * PTL; and as for a flush */
void pgtable_settle_slow(struct pgtable *pt);
static inline void pgtable_settle(struct pgtable *pt)
{
	if (unlikely(__atomic_load_n(&pt->owed, __ATOMIC_SEQ_CST) != READ_ONCE(pt->settled)))
		pgtable_settle_slow(pt);
}
/* What M1 does instead, before the entry is cleared; the sync point is between the two steps, in whatever order. */
static inline void pgtable_flush_early(struct pgtable *pt, vaddr_t va)
{
	pgtable_flush_page(pt, va);
	SYNC_POINT("clear-before-flush");
}
/*
 * The entry of @va has come to allow more than before, of the same page: forget the weaker translation on this CPU.
 * Another one may keep it: who wants more there faults, finds the entry as it is, and does the same.
 */
static inline void pgtable_forget_weaker(vaddr_t va)
{
	tlb_flush_local_page(va);
}
/* The same after the root table itself was changed, where CPUs have copies of it (PT_ROOT_COPIED). */
void pgtable_reload(struct pgtable *pt);
/* Flushes so far that had to interrupt other CPUs. */
unsigned long pgtable_shootdowns(void);
static inline void pgtable_account(struct pgtable *pt, long pages)
{
	__atomic_fetch_add(&pt->nr_pages, (unsigned long)pages, __ATOMIC_RELAXED);
}

static inline void pgtable_account_swap(struct pgtable *pt, long entries)
{
	__atomic_fetch_add(&pt->nr_swap, (unsigned long)entries, __ATOMIC_RELAXED);
}

/* A leaf table, found and locked. */
struct pt_slot {
	struct hw_pte *hw; /* the entry of the address asked for; NULL: no table there */
	struct page *table;
};

/* Find and lock the leaf entry of @va; slot.hw == NULL when no leaf table exists. Pair with pt_unlock().
 * This and what follows splits a huge entry that is in the place of the leaf table (huge.h), unless it says otherwise. */
struct pt_slot pt_lock(struct pgtable *pt, vaddr_t va);
/* The same, splitting nothing: where a huge entry is, there is no leaf table. */
struct pt_slot pt_lock_table(struct pgtable *pt, vaddr_t va);
/* Find without locking; slot.hw == NULL: no table.  The table stays while mm's lock is held; the entry may be peeked
 * at with hw_pte_get_lockless() and then locked. => mmap lock held */
struct pt_slot pt_find(struct pgtable *pt, vaddr_t va);
/* The same, splitting nothing: where a huge entry is, there is no leaf table. */
struct pt_slot pt_find_table(struct pgtable *pt, vaddr_t va);
/* The entry of @va, or NULL; splits nothing. => something else keeps its table: the lock of a reverse map in which the range is */
struct hw_pte *pt_peek(struct pgtable *pt, vaddr_t va);
/* The same; @near is the entry of @near_va, or without entry: if one table holds both, it is not searched for. */
static inline struct pt_slot pt_find_near(struct pgtable *pt, vaddr_t va, struct pt_slot near, vaddr_t near_va)
{
	if (!near.hw || (va ^ near_va) >= pt_span(1))
		return pt_find(pt, va);
	return (struct pt_slot){hw_pte_at((void *)((uintptr_t)near.hw & PAGE_MASK), pt_index(0, va)), near.table};
}
static inline void pt_lock_found(struct pt_slot slot)
{
	spin_lock(&slot.table->ptl);
}
/* The same for a second address space while one PTL is held (fork: parent before child). */
struct pt_slot pt_lock_nested(struct pgtable *pt, vaddr_t va);
/* Two entries, each with its table locked; perhaps of one table, perhaps of two trees. */
struct pt_two {
	struct pt_slot a, b;
};
/* Find and lock both, the table with the lower address first; false, and nothing is locked: one has no table. */
bool pt_lock_two(struct pgtable *pt_a, vaddr_t a, struct pgtable *pt_b, vaddr_t b, struct pt_two *two);
void pt_unlock_two(const struct pt_two *two);
/* Find and lock the entry of @va while the lock of table @held is held: the same table is not locked twice.
 * Two movers cannot meet crosswise: both hold the mmap lock for writing. */
struct pt_slot pt_lock_pair(struct pgtable *pt, vaddr_t va, struct page *held);
void pt_unlock_pair(struct pt_slot slot, struct page *held);
static inline void pt_unlock(struct pt_slot slot)
{
	spin_unlock(&slot.table->ptl);
}
/* The leaf entry without any lock, or NULL; splits nothing. => interrupts off until the caller is done with it (that is what keeps
 * the table there: who frees one first interrupts every CPU in pt->cpu_mask); @pt is loaded on this CPU */
struct hw_pte *pt_lookup_lockless(struct pgtable *pt, vaddr_t va);
/* Make sure that leaf tables exist for [start, end). 0 or -ENOMEM (some may have been made: harmless). => sleeps */
int pt_populate(struct pgtable *pt, vaddr_t start, vaddr_t end);

struct mmu_gather;
/* Unlink the tables that [start, end) touches and whose whole span lies in [floor, ceiling), where no range
 * is mapped any more; their frames go through @g. => mmap lock for writing (or the last user) */
void pt_free_tables(struct pgtable *pt, struct mmu_gather *g, vaddr_t start, vaddr_t end, vaddr_t floor,
                    vaddr_t ceiling);
/* A part of that work for [start, end), where something was mapped: a table below which others are left stays. What
 * pt_free_tables() is then asked for costs less, for it searches tables below which something is. */
void pt_free_tables_part(struct pgtable *pt, struct mmu_gather *g, vaddr_t start, vaddr_t end, vaddr_t floor,
                         vaddr_t ceiling);

/* Table pages of the tree, root included, by counting them. => the tree does not change */
unsigned long pt_count_tables(struct pgtable *pt);

/* The part of one leaf table that a walk covers; its lock is held. */
struct pt_extent {
	struct pgtable *pt;
	vaddr_t va, end;
	struct hw_pte *hw; /* entry of va */
	struct page *table;
};
/* Called once for each existing leaf table that [start, end) touches. Nonzero stops the walk and is returned. */
typedef int pt_extent_fn(struct pt_extent *x, void *ctx);
int pt_walk(struct pgtable *pt, vaddr_t start, vaddr_t end, pt_extent_fn *fn, void *ctx);

/* for (each page of the extent) with hw at its entry and va its address; x is used up. */
static inline void pt_extent_next(struct pt_extent *x)
{
	x->va += PAGE_SIZE;
	x->hw = hw_pte_next(x->hw);
}

/* Go to the first entry from here on that says something; returns its value, or none at the end of the extent. */
static inline pte_t pt_extent_skip_none(struct pt_extent *x)
{
	struct hw_pte *hw = x->hw;
	pte_t pte = pte_none();
	vaddr_t va = x->va;

	for (; va < x->end; va += PAGE_SIZE, hw = hw_pte_next(hw)) {
		pte = hw_pte_get(hw);
		if (!pte_is_none(pte))
			break;
	}
	x->va = va;
	x->hw = hw;
	return pte;
}

#endif
