/*
 * page.h - the frame record: one struct page per physical frame, and the functions on one page.
 *
 * Layer 3 (mm/phys).  A page is in exactly one state: free (in the buddy), a page table, a slab, or *in
 * use*: anonymous, page cache, or kernel-private.
 *
 *   field      read under            written under            meaning
 *   flags      -                     atomic bit operations    PG_*
 *   refs       -                     atomic                   who may free it: entries + cache + pins + borrowers
 *   mapcount   -                     atomic, under a PTL      number of entries that map it, and nothing else
 *   pins_*     -                     atomic                   DMA pins, exact (thread 1); never part of mapcount
 *   object     page lock or PTL      page lock                page cache: owner
 *   family     page lock             page lock, or new page   anonymous: whose reverse links to follow while mapped
 *   index      page lock             page lock                offset in the object, or linear index of the address
 *   (both, of a mapped anonymous page: also written without it, under its family's lock: anon_page_move())
 *   link       owner of the page     owner of the page        buddy, slab, gather; list by age (its lock)
 *   migrating  -                     atomic, under a PTL      PG_MIGRATING, so on no list: entries that say so
 */
#ifndef MM_PHYS_PAGE_H
#define MM_PHYS_PAGE_H

#include <arch/phys.h>
#include "kernel/lib/list.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/types.h"
#include "kernel/sync/spinlock.h"

struct vm_object;
struct anon_family;

enum page_flag {
	PG_LOCKED,    /* the page lock: a sleeping bit lock */
	PG_WAITERS,   /* somebody sleeps for LOCKED or WRITEBACK */
	PG_UPTODATE,  /* content is what the file says */
	PG_DIRTY,     /* content is newer than the file */
	PG_WRITEBACK, /* being written to the device */
	PG_ERROR,     /* last read or write of it failed */
	PG_REFERENCED,
	PG_ANON,           /* anonymous memory */
	PG_ANON_EXCLUSIVE, /* belongs to one mapping only: a write may reuse it, a pin may hold it */
	PG_LRU,            /* on a list by age (lru.h) */
	PG_ACTIVE,         /* ... an active one */
	PG_UNEVICTABLE,    /* ... that of pages which an mlocked range maps */
	PG_RECLAIM,        /* to be freed as soon as it is written */
	PG_SWAPBACKED,     /* has no file to be written to (anonymous, tmpfs); anonymous without it: MADV_FREE gave it up */
	PG_SWAPCACHE,      /* anonymous, has a slot: private = which */
	PG_TABLE,          /* holds page-table entries */
	PG_SLAB,
	PG_BUDDY,      /* first page of a free block; private = its order */
	PG_RESERVED,   /* not RAM, or used before the allocator existed */
	PG_STACKED,    /* with PG_BUDDY: free, in a CPU's own stock (page_alloc.c) */
	PG_DMA_PINNED, /* debug: pinned since writeback last found it unpinned (pin_witness.h) */
	PG_FROZEN,     /* only with mutation M131: secondary MMUs may not have it */
	PG_MIGRATING,  /* its entries say that it is leaving for another frame (mm/object/migrate.h) */
	PG_MERGED,     /* anonymous, shared by entries that no reverse map leads to (mm/service/merge.c) */
	PG_FLAG_COUNT,
};
/* The top four bits of the flags: whose list it is on (lru.c). */

struct page {
	unsigned long flags;
	int refs;
	int mapcount;
	int pins_w; /* outstanding write pins */
	int pins_r; /* outstanding read pins */
	union {
		struct vm_object *object;   /* unless PG_ANON; see page_object() */
		struct anon_family *family; /* PG_ANON: mm/rmap/anon.h */
	};
	union {
		pgoff_t index; /* which page of its object; PG_TABLE, a leaf: which of the address space's leaf tables */
		/* PG_TABLE, no leaf: its entries that name a table; pt->lock, read also by who frees tables */
		unsigned long nr_below;
	};
	union {
		struct list link;
		int migrating;
	};
	union {
		/* buddy: order; slab: its own; cached: its file system's; PG_SWAPCACHE: the slot (both: page lock) */
		unsigned long private;
		spinlock_t ptl; /* PG_TABLE: guards the entries in this table */
	};
};

extern struct page *mem_map; /* indexed by pfn */
extern pfn_t max_pfn;        /* first pfn beyond mem_map */

static inline struct page *pfn_to_page(pfn_t pfn)
{
	return mem_map + pfn;
}

static inline pfn_t page_to_pfn(const struct page *page)
{
	return (pfn_t)(page - mem_map);
}

static inline paddr_t page_to_phys(const struct page *page)
{
	return (paddr_t)page_to_pfn(page) << PAGE_SHIFT;
}

static inline bool pfn_valid(pfn_t pfn)
{
	return pfn < max_pfn;
}

static inline bool page_test(const struct page *page, enum page_flag f)
{
	return (__atomic_load_n(&page->flags, __ATOMIC_RELAXED) >> f) & 1;
}

/* The object in whose cache it is, or NULL. */
static inline struct vm_object *page_object(const struct page *page)
{
	return page_test(page, PG_ANON) ? NULL : __atomic_load_n(&page->object, __ATOMIC_RELAXED);
}

static inline void page_set(struct page *page, enum page_flag f)
{
	__atomic_fetch_or(&page->flags, BIT(f), __ATOMIC_SEQ_CST);
}

static inline void page_clear(struct page *page, enum page_flag f)
{
	__atomic_fetch_and(&page->flags, ~BIT(f), __ATOMIC_SEQ_CST);
}

/* Returns the old value. */
static inline bool page_test_and_set(struct page *page, enum page_flag f)
{
	return (__atomic_fetch_or(&page->flags, BIT(f), __ATOMIC_SEQ_CST) >> f) & 1;
}

static inline bool page_test_and_clear(struct page *page, enum page_flag f)
{
	return (__atomic_fetch_and(&page->flags, ~BIT(f), __ATOMIC_SEQ_CST) >> f) & 1;
}

static inline void page_get(struct page *page)
{
	__atomic_fetch_add(&page->refs, 1, __ATOMIC_RELAXED);
}

/* A reference only if the page is not on its way to being freed. */
static inline bool page_try_get(struct page *page)
{
	int refs = __atomic_load_n(&page->refs, __ATOMIC_RELAXED);

	while (refs > 0)
		if (__atomic_compare_exchange_n(&page->refs, &refs, refs + 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
			return true;
	return false;
}

void page_free_last(struct page *page); /* refs just became 0 */

/*
 * Does a device use the page?  Exact: nothing but pins counts (R1.1); a lockless pin that is about to be taken back may be
 * seen for a moment.  Who is going to believe "no" has first taken away what a pin needs, so that the next one must fault:
 *
 *	pin (mm/service/pin_fast.c)              writeback, reclaim, fork, ... (they ask here)
 *	  count it (full barrier)                  clear the entry, or its RW (full barrier); mostly flush, too
 *	  look at the entry again                  page_pinned()?
 *
 * One of the two sees the other.
 */
static inline bool page_write_pinned(const struct page *page)
{
	return __atomic_load_n(&page->pins_w, __ATOMIC_SEQ_CST) > 0;
}

static inline bool page_pinned(const struct page *page)
{
	return page_write_pinned(page) || __atomic_load_n(&page->pins_r, __ATOMIC_SEQ_CST) > 0;
}

/* Before the last reference of a page table goes: its frame will not be filled as others are (debug builds). */
#define PAGE_WAS_TABLE (~(pgoff_t)0 - 1)
static inline void page_was_table(struct page *page)
{
	if (DEBUG)
		page->index = PAGE_WAS_TABLE;
}

/* Drop a reference; the last one frees the frame. => any context; the page must be out of the cache */
static inline void page_put(struct page *page)
{
	if (__atomic_sub_fetch(&page->refs, 1, __ATOMIC_SEQ_CST) == 0)
		page_free_last(page);
}

/* Has nobody a reference but @known ones, and does no entry map it? => who could take one can not: its cache's lock is held */
static inline bool page_unreferenced(const struct page *page, int known)
{
	if (MUTATION(181)) /* M181: nobody asks who refers to a page that is moved */
		return true;
	return __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 0 &&
	       __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == known;
}

/* @new, fresh and locked, gets everything that is known of @page but its content, its entries, and what only locks know. */
static inline void page_inherit(struct page *new, const struct page *page)
{
	const unsigned long goes = BIT(PG_DIRTY) | BIT(PG_ERROR) | BIT(PG_REFERENCED) | BIT(PG_ANON) | BIT(PG_ACTIVE) |
	                           BIT(PG_UNEVICTABLE) | BIT(PG_SWAPBACKED) | BIT(PG_DMA_PINNED) | BIT(PG_FROZEN);

	__atomic_fetch_or(&new->flags, page->flags & goes, __ATOMIC_SEQ_CST);
	new->object = page->object;
	new->index = page->index;
	new->private = page->private;
}

/* The same for @n pages; @pages is used up. */
void page_put_all(struct page **pages, unsigned n);

/* -- the page lock (rank LOCK_PAGE; several at once: ascending pfn, or try) ---------------------------- */
void page_lock(struct page *page);         /* => may sleep */
int page_lock_killable(struct page *page); /* 0 or -EINTR */
bool page_try_lock(struct page *page);
void page_unlock(struct page *page);         /* => any context */
void page_wait_writeback(struct page *page); /* => may sleep; page lock may be held */
void page_end_writeback(struct page *page);  /* clears PG_WRITEBACK, wakes. => any context */

/* -- content, wherever the frame lies -------------------------------------------------------------------- */
void *page_kmap(struct page *page); /* see arch_kmap(); last in, first out */
void page_kunmap(void *va);
void page_zero(struct page *page);
void page_copy(struct page *dst, struct page *src);

/* Only for pages allocated without GFP_HIGH: they are in the direct map. */
static inline void *page_address(const struct page *page)
{
	return phys_to_virt(page_to_phys(page));
}
struct page *virt_to_page(const void *va);

/* -- the page allocator (buddy) --------------------------------------------------------------------------- */
enum gfp {
	GFP_KERNEL = 0,      /* direct-mapped memory, may sleep */
	GFP_ATOMIC = 1 << 0, /* must not sleep; may use the reserve */
	GFP_HIGH = 1 << 1,   /* any frame will do, even one that only page_kmap() reaches */
	GFP_ZERO = 1 << 2,   /* zero-filled */
	GFP_NOWARN = 1 << 3,
	GFP_NORECLAIM = 1 << 4, /* only what is free: neither reclaim nor wait for it */
	GFP_COMPACT = 1 << 5, /* a large block is worth moving pages for. => no page lock, no lock of a reverse map held */
};
#define GFP_USER (GFP_HIGH)
#define PAGE_MAX_ORDER 10

/* 1 << order contiguous frames, refs = 1 (on the first), everything else in struct page zero; NULL when
 * there are none. => may sleep unless GFP_ATOMIC */
struct page *page_alloc(unsigned order, enum gfp gfp);
void page_free(struct page *page, unsigned order); /* refs must be 1 or 0 */

/* Counters for /proc/meminfo, in pages. */
struct phys_stat {
	unsigned long total, free, high_total, high_free, slab, tables, kernel;
};
void phys_stat(struct phys_stat *st);

extern unsigned long phys_table_pages; /* page-table pages; atomic, kept by mm/pgtable */

/* What reclaim does for the allocator (mm/service/reclaim.c sets both; NULL: nothing can be freed).
 * Little is free: wake who reclaims in the background. => any context */
extern void (*page_reclaim_wake)(void);
/* Nothing is free for who allocates with @gfp: free about @nr pages. How many were freed; 0: give it up. => may sleep */
extern unsigned long (*page_reclaim)(unsigned long nr, enum gfp gfp);

/* What compaction does for it (mm/service/compact.c; NULL: nothing): a block of 1 << @order frames, as they are when they are
 * free, of places that serve @gfp; NULL. => may sleep */
extern struct page *(*page_compact)(unsigned order, enum gfp gfp);

/* Frames that the kernel always reaches, and the others. Where there is one kind only, all are CLASS_LOW. */
enum page_class { CLASS_LOW, CLASS_HIGH, CLASS_COUNT };
extern const struct page *page_first_high;
static inline enum page_class page_class(const struct page *page)
{
	return page >= page_first_high;
}

/*
 * How many pages of a class are free, and what that means: below `low` background reclaim is woken, and works until
 * there are `high`.  The last `min` are the reserve: half of it for GFP_ATOMIC, all of it for who is about to free
 * memory (SYNC_MEMORY_RESERVE).
 */
struct page_marks {
	unsigned long free, min, low, high;
};
void page_marks(enum page_class class, struct page_marks *marks);
/* May an allocation with @gfp be given frames of @class, and are there any? */
bool page_class_serves(enum page_class class, enum gfp gfp);

/* Boot option "prefer_high": hand out frames above 4 GiB to GFP_HIGH first (the default, in fact). */
void phys_init(void); /* mem_map, buddy, slab from boot_info; end of boot_alloc() */

#endif
