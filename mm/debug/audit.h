/*
 * audit.h - what the files of the auditor tell each other.  Layer 8, private to mm/debug/check.c and audit_*.c.
 */
#ifndef MM_DEBUG_AUDIT_H
#define MM_DEBUG_AUDIT_H

#include "mm/debug/debug.h"
#include "mm/object/swap.h"

/* One pass over everything. */
struct audit {
	struct mm_audit *out;
	bool loud;   /* print the violations */
	bool leaks;  /* judge references that nobody accounts for */
	u32 **tally; /* how many entries were found for each frame; chunks of TALLY_CHUNK; top bit: audit_lru.c */
	unsigned long chunks;
	const void **seen;    /* objects already looked at; a hash table of SEEN_SIZE */
	unsigned long tables; /* table pages found */
	u16 **swap;           /* how many entries were found for each slot: pages of SWAP_TALLY_CHUNK, area by area */
	unsigned long swap_first[SWAP_AREAS + 1]; /* where in it an area begins */
};

#define SWAP_TALLY_CHUNK (PAGE_SIZE / sizeof(u16))

#define TALLY_CHUNK (PAGE_SIZE / sizeof(u32))
#define SEEN_SIZE 4096

/* One violation: counted, the first one kept. */
__printf(2, 3) void audit_error(struct audit *a, const char *fmt, ...);

static inline u32 *audit_tally(struct audit *a, pfn_t pfn)
{
	return &a->tally[pfn / TALLY_CHUNK][pfn % TALLY_CHUNK];
}

/* The slots' tally: memory for the areas there are now; zeroed; given back. */
bool audit_swap_begin(struct audit *a);
void audit_swap_forget(struct audit *a);
void audit_swap_end(struct audit *a);
/* An entry refers to the slot. */
void audit_swap_entry(struct audit *a, swap_entry_t entry);

/* => every mm is frozen */
void audit_mm(struct audit *a, struct mm *mm);      /* audit_mm.c: ranges */
void audit_entries(struct audit *a, struct mm *mm); /* audit_entry.c; counts into the tally */
void audit_subscribers(struct audit *a, struct mm *mm);
/* => after every mm */
void audit_pages(struct audit *a);                         /* audit_page.c: frame records */
void audit_object(struct audit *a, struct vm_object *obj); /* audit_object.c. => the object cannot go away */
void audit_lists(struct audit *a);                         /* audit_lru.c: lists by age */
void audit_memory(struct audit *a);                        /* audit_phys.c: buddy, slabs, tables */
void audit_swap(struct audit *a);                          /* audit_swap.c: slots and the swap cache */

#endif
