/*
 * asm/pte_amd64.h - the 8-byte entries of x86-64.  Layer 1 (x86).
 * Included only by asm/pte.h.
 *
 * Page entries as in pte_common.h, frame numbers of 40 bits.  Page-less entries: pte_soft8.h below,
 * and above it
 *
 *   63: exclusive   62..58: swap type   57..12: payload, 46 bits, inverted (migration: 57 D, 56 A, 51..12 pfn)
 *
 * One aligned 8-byte access is single-copy atomic: a read is one mov, locked or not.
 */
#ifndef ASM_PTE_AMD64_H
#define ASM_PTE_AMD64_H

#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/types.h"

typedef u64 __attribute__((may_alias)) pteval_t;
#include <asm/pte_value.h>

#define X86_PTE_PFN ((pteval_t)0x000ffffffffff000)
#define X86_PTE_XD ((pteval_t)1 << 63)

#define X86_SOFT_PAYLOAD_SHIFT 12
#define X86_SOFT_PAYLOAD_BITS 46
#define X86_SOFT_TYPE_SHIFT 58
#define X86_SOFT_EXCLUSIVE ((pteval_t)1 << 63)
#define X86_SOFT_A ((pteval_t)1 << 56)
#define X86_SOFT_D ((pteval_t)1 << 57)
#define X86_SOFT_PFN_MAX (((u64)1 << 40) - 1)
#define X86_SOFT_INVERT ((((pteval_t)1 << 46) - 1) << 12)

#include <asm/pte_common.h>
#include <asm/pte_soft8.h>

static inline pte_t pte_mk_table(pfn_t pfn, unsigned level)
{
	return x86_mk_table(pfn);
}

#include <asm/pte_word.h>

#endif
