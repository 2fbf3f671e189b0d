/*
 * huge.h - huge pages: one entry at level 1 instead of a leaf table.
 *
 * Layer 4 (mm/pgtable); docs/huge.md.  A huge entry maps PT_HUGE_PAGES frames, each of which keeps a frame record of its own,
 * with one reference and one mapcount for this entry.  With each goes a *deposit*: an empty leaf table, taken when the
 * entry was made, so that it can always be split, under any lock and without an allocation.
 *
 *   entry at level 1     guarded by pt->lock (a leaf table's entries: by its own lock)
 *   none -> huge         a fault (mmap lock for reading), a move, a collapse
 *   huge -> table        pt_split_huge(): anybody
 *   huge -> none         who empties the whole range
 *   table -> none        munmap, and pt_take_table(): both with the mmap lock for writing and no reverse map that leads here
 *
 * So what holds of leaf tables stays true: while the mmap lock or the lock of a reverse map is held, none goes away.
 * Nearly everybody need not know of huge pages: the functions of pgtable.h that find or visit base entries split a huge one
 * that is in their way.  Who knows better uses what is here.
 */
#ifndef MM_PGTABLE_HUGE_H
#define MM_PGTABLE_HUGE_H

#include "mm/pgtable/pgtable.h"

#define PT_HUGE_ORDER ((unsigned)pt_geometry[0].bits) /* of page_alloc() */
#define PT_HUGE_PAGES pt_entries(0)
#define PT_HUGE_SIZE pt_span(1)

/* What the split of a huge zero page maps everywhere; set once, at boot, by who maps one. */
extern pfn_t pt_zero_pfn;

/* The entry that a leaf table in the place of @huge would have at @index. */
pte_t pt_huge_part(pte_t huge, unsigned index);

/* A huge entry, or the part of it that a walk covers; pt->lock is held. */
struct pt_huge {
	struct pgtable *pt;
	vaddr_t base;      /* where it begins */
	vaddr_t va, end;   /* the part asked for */
	struct hw_pte *hw; /* at level 1 */
	pte_t pte;
	struct page *above; /* the table that it is in */
};

static inline bool pt_huge_whole(const struct pt_huge *h)
{
	return h->va == h->base && h->end - h->base == PT_HUGE_SIZE;
}

/* Called for each huge entry that a walk meets. 0: go on after it; PT_WALK_SPLIT: split it and visit the leaf table;
 * else the walk ends with that result. => pt->lock held */
typedef int pt_huge_fn(struct pt_huge *h, void *ctx);
#define PT_WALK_SPLIT (-0x10000)
/* pt_walk() for who knows of huge pages; @huge NULL: they are left out. */
int pt_walk_huge(struct pgtable *pt, vaddr_t start, vaddr_t end, pt_extent_fn *fn, pt_huge_fn *huge, void *ctx);

/* Is there a huge entry at @va?  Then *h (all of it) with pt->lock held. */
bool pt_lock_huge(struct pgtable *pt, vaddr_t va, struct pt_huge *h);
void pt_unlock_huge(struct pt_huge *h);
/* Was there, just now? */
bool pt_is_huge(struct pgtable *pt, vaddr_t va);

/* A leaf table for the deposit; NULL: no memory. => may sleep */
struct page *pt_deposit_alloc(void);
void pt_deposit_free(struct page *deposit);
/* See to it that the level-1 table of @va exists. 0 or -ENOMEM. => as pt_populate() */
int pt_populate_upper(struct pgtable *pt, vaddr_t va);

/* Put a huge entry where there is nothing: false if there is something. Takes @deposit. => pt->lock held, the level-1
 * table exists */
bool pt_set_huge(struct pgtable *pt, vaddr_t va, pte_t pte, struct page *deposit);
/* Empty the entry: what it was, and in *@deposit what went with it. => pt_lock_huge(); the caller flushes */
pte_t pt_clear_huge(struct pt_huge *h, struct page **deposit);
/* Exchange the entry for one that allows less or more, in one step. => pt_lock_huge(); the caller flushes */
pte_t pt_change_huge(struct pt_huge *h, pte_t (*change)(pte_t old, void *ctx), void *ctx);
/* Another page for the one that is there: no access, flush, set. Returns what was there. => pt_lock_huge(); subscribers know */
pte_t pt_replace_huge(struct pt_huge *h, pte_t pte);
/* Replace what is there by a leaf table that says the same; nothing to do if no huge entry is there. => any lock that
 * ranks before LOCK_PT_UPPER */
void pt_split_huge(struct pgtable *pt, vaddr_t va);

/*
 * A huge entry's way to @dst of @to, the same tree or another, with its deposit:
 *   pt_lock_huge_move(), look; pt_clear_huge(); flush; pt_set_huge(), there or, if it may not leave after all, where it was;
 *   pt_unlock_huge_move().
 * False: there is none at @src, and nothing is locked.
 */
bool pt_lock_huge_move(struct pgtable *from, vaddr_t src, struct pgtable *to, struct pt_huge *h);
void pt_unlock_huge_move(struct pt_huge *h, struct pgtable *to);
/* Is there nothing in the place of a huge entry at @va, not even a table? => pt->lock held */
bool pt_vacant(struct pgtable *pt, vaddr_t va);
/*
 * All of that at once.  False, and nothing happened: there is none at @src, it is not @expected, or there is something at
 * @dst.  The value that the clear returns is what moves, so no accessed or dirty bit is lost; @adapt, if not NULL, makes of
 * it what the destination gets.
 * => the level-1 table of @dst exists; subscribers of @src know
 */
bool pt_move_huge(struct pgtable *from, vaddr_t src, struct pgtable *to, vaddr_t dst, pte_t expected,
                  pte_t (*adapt)(pte_t moved, void *ctx), void *ctx);

/*
 * Take the leaf table of @va out of the tree, with whatever it has: no CPU uses it or what it maps when this returns.
 * NULL: there is none.  It can be put back, or where another range begins a table's span, or freed if it is empty, or serve
 * as a deposit.
 * => mmap lock for writing, the lock of every reverse map that leads here held for writing; the caller tells subscribers
 */
struct page *pt_take_table(struct pgtable *pt, vaddr_t va);
/* Put it where there is no table. => the same locks; the level-1 table exists */
void pt_put_table(struct pgtable *pt, vaddr_t va, struct page *table);
/* The entry at @index of a table that is in no tree. */
static inline struct hw_pte *pt_table_entry(struct page *table, unsigned index)
{
	return hw_pte_at(page_address(table), index);
}

/*
 * The entry of @va as a base page's, whatever maps it, under the lock that guards it.
 * False: there is no table, and nothing is locked.
 */
struct pt_reading {
	pte_t pte;         /* a huge entry's part */
	struct hw_pte *hw; /* the live entry ... */
	pte_t raw;         /* ... and its value */
	spinlock_t *lock;
};
bool pt_read_lock(struct pgtable *pt, vaddr_t va, struct pt_reading *r);
static inline void pt_read_unlock(struct pt_reading *r)
{
	spin_unlock(r->lock);
}

/* The same by a look without any lock; nothing there is pte_none(). => as pt_peek() */
pte_t pt_peek_pte(struct pgtable *pt, vaddr_t va);
/* What hardware translates by: in the huge zero page, that one's frames. */
pte_t pt_peek_hardware(struct pgtable *pt, vaddr_t va);

/* Deposits of the tree, counted. => the tree does not change */
unsigned long pt_count_deposits(struct pgtable *pt);
/* Huge entries of all trees that map memory, in pages. */
extern unsigned long pt_huge_mapped;

#endif
