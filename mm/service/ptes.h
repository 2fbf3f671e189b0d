/*
 * ptes.h - what the page-table entries of an address space say, as runs of like ones: for people (/proc/<pid>/ptes).
 * Layer 7.
 */
#ifndef MM_SERVICE_PTES_H
#define MM_SERVICE_PTES_H

#include "mm/space/mm.h"

/* What a page is placed by: run.where counts in pages of it. */
enum pte_place {
	PTE_PLACE_NONE, /* anonymous memory without a slot, the zero page */
	PTE_PLACE_FILE, /* the object's page offset */
	PTE_PLACE_SWAP, /* a slot of swap area run.type */
};

/* Neighbouring pages of one vma whose entries say the same, but for where, which goes in equal steps. */
struct pte_run {
	vaddr_t start, end;
	enum pte_kind kind;
	enum pte_place place;
	u8 grant;    /* GRANT_*: what an access is judged by, the entry's or the vma's (R0.5) */
	u8 type;     /* PTE_KIND_SWAP, PTE_KIND_MARKER */
	bool shared; /* the vma's pages are, in the sense of /proc/<pid>/maps */
	bool anon;   /* PTE_KIND_PAGE: anonymous memory */
	bool zero;   /* PTE_KIND_PAGE: the zero page */
	bool write;  /* hardware lets stores through now */
	bool young, dirty;
	unsigned pins; /* of each page */
	u64 where;     /* of the first page */
	int step;      /* from each page to the next: -1, 0, 1; meaningless for one page */
};

#define PTE_SCAN_RUNS 16

/* A reader's place in an address space. */
struct pte_scan {
	struct mm *mm; /* referenced by the caller */
	vaddr_t at;    /* whatever is below was looked at */
	struct pte_run runs[PTE_SCAN_RUNS + 2];
	unsigned nr; /* complete ones; runs[nr] may still grow if @open */
	unsigned given;
	bool open;
};

/* Begin at @at, which must be where a run ended, or 0. */
void pte_scan_init(struct pte_scan *s, struct mm *mm, vaddr_t at);
/*
 * The next run; false: no more, or a fatal signal came.  => mm->lock not held, may sleep
 * Takes mm->lock for reading for at most one leaf table at a time, and that table's PTL: an address space that
 * changes meanwhile is seen as a mixture, with every address at most once.
 */
bool pte_scan_next(struct pte_scan *s, struct pte_run *run);

#endif
