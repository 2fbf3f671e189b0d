/*
 * asm/shadow.h - real tables filled on demand from tables that no processor can walk.  Layer 1 (x86).
 *
 * In a kernel of the scrambled format (PAGING=scrambled) generic code's tables are not hardware's.  Each CPU has
 * tables of its own, which hold what a TLB would hold: translations of the loaded tree that were used since they
 * were last forgotten.
 *
 *   access, no translation    page_fault() -> shadow_fault() -> shadow_walk()     shadow_walk.c: generic format
 *                                                   `---------> the CPU's tables  shadow.c: hardware's format
 *   tlb_flush_local_*()       shadow_drop*()
 *   arch_pgtable_load()       forgets all of them
 *
 * Otherwise nothing of this exists and the functions below do nothing.
 */
#ifndef ASM_SHADOW_H
#define ASM_SHADOW_H

#include <arch/upcall.h>
#include "kernel/lib/types.h"

/* What walking the generic tree came to. */
enum shadow_result {
	SHADOW_ABSENT, /* no accessible page there */
	SHADOW_DENIED, /* a page, but not for this access */
	SHADOW_FOUND,  /* accessed (and dirty, for a write) is set in the entry */
};

struct shadow_page {
	pfn_t pfn;
	bool write; /* granted to hardware, and already dirty: the first store to a clean page must be noticed */
	bool exec;
};

/* Walk the tree at @root for one @access to @va, as a processor would. => interrupts off; @root is loaded here */
enum shadow_result shadow_walk(paddr_t root, vaddr_t va, enum fault_access access, struct shadow_page *page);
/* The walk in words, for a dying kernel. */
void shadow_dump_tree(paddr_t root, vaddr_t va);

#ifdef PTE_SHADOW
/* A page fault at a user address: true if the translation was only missing from this CPU's tables and is there now.
 * If not, @cause becomes what it would be if hardware had walked the generic tree. => interrupts off */
bool shadow_fault(struct fault_cause *cause);
void shadow_drop(vaddr_t va);
void shadow_drop_all(void);
void shadow_dump(vaddr_t va);
#else
static inline bool shadow_fault(struct fault_cause *cause)
{
	return false;
}

static inline void shadow_drop(vaddr_t va)
{
}

static inline void shadow_drop_all(void)
{
}

static inline void shadow_dump(vaddr_t va)
{
}
#endif

#endif
