/*
 * pte.h - the page-table entry, as generic code may see it.
 *
 * Layer 1, the machine contract; docs/arch-contract.md explains it and tests/contract/ asserts it on
 * every machine.  Three kinds of thing must never be confused, so each has a type of its own:
 *
 *   struct hw_pte *   a *live* entry in a table that hardware reads and writes.  The type is never
 *                     completed anywhere: *p, p[i], p + 1, sizeof *p do not compile (thread 4).
 *   pte_t             an entry *value*: a one-field struct, so arithmetic on it does not compile.
 *   struct pte_view   the decoded value: for dumps, checkers and tests.
 *
 * The law: pte_encode(pte_decode(v)) == v for every v the kernel makes, and
 * pte_decode(pte_encode(w)) == w for every view that pte_view_valid() accepts.
 */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#include "kernel/lib/types.h"

struct hw_pte;

/*
 * What the address space *grants* at this address, whatever hardware is told at the moment.  The values
 * equal PROT_READ, PROT_WRITE and PROT_EXEC.  Hardware RW implies a granted W; RW = 0 with a granted W
 * means "write-notify, copy-on-write or userfaultfd pending".
 */
enum pte_grant {
	GRANT_NONE = 0,
	GRANT_R = 1,
	GRANT_W = 2,
	GRANT_X = 4,
	GRANT_MASK = 7,
};

enum pte_kind {
	PTE_KIND_NONE,      /* nothing is known about this address */
	PTE_KIND_PAGE,      /* a page is mapped; with GRANT_NONE it is mapped but no access is allowed */
	PTE_KIND_FILE,      /* no page: a file offset and a grant (a nonlinear mapping's memory) */
	PTE_KIND_SWAP,      /* no page: a swap slot */
	PTE_KIND_MIGRATION, /* no page for now: it is being moved */
	PTE_KIND_MARKER,    /* no page: a note left for the fault handler */
	PTE_KIND_TABLE,     /* not a leaf: points to a lower table */
	PTE_KIND_COUNT,
};

struct pte_view {
	enum pte_kind kind;
	u8 grant;       /* GRANT_* */
	bool write;     /* PAGE: hardware lets user code store; MIGRATION: it did (then also exclusive) */
	bool accessed;  /* PAGE, MIGRATION */
	bool dirty;     /* PAGE, MIGRATION */
	bool special;   /* PAGE: no struct page accounting (the zero page, device memory) */
	bool uffd_wp;   /* all but NONE and TABLE; FILE if PTE_FILE_UFFD_WP */
	bool exclusive; /* SWAP, MIGRATION: the page belonged to one anonymous mapping only */
	u8 type;        /* SWAP: swap area; MARKER: which note */
	u64 payload;    /* PAGE, TABLE, MIGRATION: pfn; FILE: page offset; SWAP: slot */
};

/* How a kernel mapping uses the caches. */
enum kmap_cache { KMAP_CACHED, KMAP_UNCACHED };

/* <asm/pte.h> defines pte_t, PTE_FILE_PGOFF_MAX, PTE_SWAP_TYPE_MAX, PTE_SWAP_SLOT_MAX, PTE_HAS_NX, PTE_MARKER_NOTE,
 * PTE_MARKER_POISON, PTE_MARKER_TYPE_MAX, PTE_FILE_UFFD_WP (can a file entry hold uffd-wp?) and, as static inline
 * functions, everything declared below. */
#include <asm/pte.h>

/* -- values: questions ------------------------------------------------------------------------------ */
static inline bool pte_is_none(pte_t pte);    /* all-empty: exactly what pte_none() makes */
static inline bool pte_has_page(pte_t pte);   /* a page is mapped, accessible or not; leaf levels only */
static inline bool pte_accessible(pte_t pte); /* hardware would translate through it (P = 1) */
static inline bool pte_is_file(pte_t pte);
static inline bool pte_is_swap(pte_t pte);
static inline bool pte_is_migration(pte_t pte);
static inline bool pte_is_marker(pte_t pte);
static inline bool pte_same(pte_t a, pte_t b);
static inline unsigned pte_grant(pte_t pte); /* GRANT_* of a page or file entry; without NX, X == R */
/* The grant that this machine gives to who asks for @grant: W and X imply R; without NX, R implies X. The
 * makers apply it; views must have it applied. */
static inline unsigned pte_grant_normal(unsigned grant);
static inline bool pte_hw_write(pte_t pte); /* page entries: hardware RW */
static inline bool pte_dirty(pte_t pte);
static inline bool pte_young(pte_t pte);
static inline bool pte_special(pte_t pte);
static inline bool pte_uffd_wp(pte_t pte);
static inline pfn_t pte_pfn(pte_t pte); /* page entries */
static inline pgoff_t pte_file_pgoff(pte_t pte);

/* -- values: makers --------------------------------------------------------------------------------- */
static inline pte_t pte_none(void);
/* A page entry: young, clean, hardware RW off.  Follow with pte_mkwrite() / pte_mkdirty(). */
static inline pte_t pte_mk_page(pfn_t pfn, unsigned grant);
static inline pte_t pte_mk_special(pfn_t pfn, unsigned grant);
/* A file entry; @pgoff must not exceed PTE_FILE_PGOFF_MAX. */
static inline pte_t pte_mk_file(pgoff_t pgoff, unsigned grant);
static inline pte_t pte_mkwrite(pte_t pte);   /* hardware RW on; asserts a granted W */
static inline pte_t pte_wrprotect(pte_t pte); /* hardware RW off, grants kept */
static inline pte_t pte_mkdirty(pte_t pte);
static inline pte_t pte_mkclean(pte_t pte);
static inline pte_t pte_mkyoung(pte_t pte);
static inline pte_t pte_mkold(pte_t pte);
/* The same page (or file offset) with other grants; hardware RW off, accessed and dirty kept. */
static inline pte_t pte_with_grant(pte_t pte, unsigned grant);

/* -- values: tables (non-leaf levels) ---------------------------------------------------------------- */
static inline pte_t pte_mk_table(pfn_t pfn, unsigned level);
static inline bool pte_is_table(pte_t pte, unsigned level);
static inline pfn_t pte_table_pfn(pte_t pte);

/* -- values: huge pages (a leaf one level up) --------------------------------------------------------
 * One entry at level 1 that maps as many frames as a leaf table has entries, in order, the first of them aligned to their
 * number.  Every question and every change above that is about page entries means it as it means one at level 0. */
static inline bool pte_is_huge(pte_t pte, unsigned level); /* a page, at a level where tables could be */
static inline pte_t pte_mk_huge(pte_t page);               /* @page as it is at level 0, for level 1 */
/* What entry @index of a leaf table in its place would be: the same but for the frame, which is the @index-th. */
static inline pte_t pte_huge_part(pte_t huge, unsigned index);

/* -- values: kernel mappings ------------------------------------------------------------------------- */
/* A supervisor leaf entry: read-write, never executable where NX exists, global. @level 0 or a leaf level. */
static inline pte_t pte_mk_kernel(pfn_t pfn, unsigned level, enum kmap_cache cache);

/* -- live entries ------------------------------------------------------------------------------------
 * "Single-copy-atomic" holds for every one of them on every format; see the PAE header for its price. */

/* Read a live entry. => the table's lock is held (asserted by the callers' helpers) */
static inline pte_t hw_pte_get(struct hw_pte *hw);
/* Read a live entry with no lock. => interrupts off (or the table cannot go away otherwise) */
static inline pte_t hw_pte_get_lockless(struct hw_pte *hw);
/* Store into an entry that hardware will not update meanwhile: the old value is not accessible. */
static inline void hw_pte_set(struct hw_pte *hw, pte_t pte);
/* Empty the entry in one atomic step; the returned value is the only truth about accessed and dirty. */
static inline pte_t hw_pte_get_and_clear(struct hw_pte *hw);
/* Exchange @old for @new only if the entry still equals @old; false: it changed (A/D, say). */
static inline bool hw_pte_cmpxchg(struct hw_pte *hw, pte_t old, pte_t new);
static inline bool hw_pte_test_and_clear_young(struct hw_pte *hw);
/* Entry @index of the table that is mapped at @table. */
static inline struct hw_pte *hw_pte_at(void *table, unsigned index);
static inline struct hw_pte *hw_pte_next(struct hw_pte *hw);
/* Make the zeroed page at @table a table of empty entries.  Before this it is none: an empty entry need not be
 * zero.  Where it is, nothing happens here. */
static inline void hw_table_init(void *table);

/* -- decoded view (any level; @level 0 is the leaf level) ---------------------------------------------- */
struct pte_view pte_decode(pte_t pte, unsigned level);
pte_t pte_encode(const struct pte_view *view, unsigned level);
bool pte_view_valid(const struct pte_view *view, unsigned level); /* representable in this format? */
const char *pte_kind_name(enum pte_kind kind);
/* Does an entry without a page keep clear the bits that this machine wants clear there? (True of others.)
 * For the auditor and T4-19. */
bool pte_reserved_ok(pte_t pte, unsigned level);

#endif
