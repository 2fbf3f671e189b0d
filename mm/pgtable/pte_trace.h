/*
 * pte_trace.h - an entry as one word for the trace ring: the same on every format.  Layer 4.
 * The layout is in kernel/uapi/mm_debug.h (struct mm_trace_record).
 */
#ifndef MM_PGTABLE_PTE_TRACE_H
#define MM_PGTABLE_PTE_TRACE_H

#include <arch/pte.h>

#include "kernel/lib/trace.h"

static inline u64 pte_trace(pte_t pte)
{
	struct pte_view v = pte_decode(pte, 0);

	return (u64)v.kind | (u64)v.grant << 4 | (u64)v.write << 7 | (u64)v.accessed << 8 | (u64)v.dirty << 9 |
	       (u64)v.special << 10 | v.payload << 12;
}

/* The frame of an entry that has one. */
static inline u64 pte_trace_pfn(pte_t pte)
{
	return pte_has_page(pte) ? pte_pfn(pte) : 0;
}

#endif
