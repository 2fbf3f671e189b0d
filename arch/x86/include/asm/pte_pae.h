/*
 * asm/pte_pae.h - the 8-byte entries of i386 with PAE.  Layer 1 (x86).
 * Included only by asm/pte.h.
 *
 * Page entries as in pte_common.h, frame numbers of 32 bits (44 physical bits); bits 62..44 are reserved.
 * Page-less entries: pte_soft8.h below, and above it
 *
 *   63..32: payload, 32 bits, inverted   31..20: 0   19: D   18: A   17: exclusive   16..12: swap type
 *
 * The price of 8-byte entries on a machine that moves 4 bytes at a time: an entry is live exactly when its
 * low word says so, therefore
 *
 *   hw_pte_set()           low := 0, high, low.  The first store is for lockless readers: without it they could
 *                          pair the old low word of one page-less entry with the high word of the next.
 *   hw_pte_get()           low, high: under the table's lock only A and D, in the low word, can change.
 *   hw_pte_get_lockless()  low, high, low again until the low words agree.  Between two present values comes a TLB
 *                          shootdown, which waits for a reader that has interrupts off; but where the lock is let go
 *                          before the flush (MADV_DONTNEED of clean entries), the same page may be back at once, and
 *                          the high word read in between was empty: who acts on the value looks at the entry again
 *                          (tests/protocol/pae.pml, NO_SHOOTDOWN).
 *                          Low word 0: empty, whatever hw_pte_set() is just storing above it.
 *   clear, exchange        cmpxchg8b.
 *
 * x86 keeps stores in order and loads in order; barrier() stops the compiler.
 */
#ifndef ASM_PTE_PAE_H
#define ASM_PTE_PAE_H

#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/types.h"

typedef u64 __attribute__((may_alias, aligned(8))) pteval_t;
typedef u32 __attribute__((may_alias)) x86_half_t;
#include <asm/pte_value.h>

#define X86_PTE_PFN ((pteval_t)0x00000ffffffff000)
#define X86_PTE_XD ((pteval_t)1 << 63)

#define X86_SOFT_PAYLOAD_SHIFT 32
#define X86_SOFT_PAYLOAD_BITS 32
#define X86_SOFT_TYPE_SHIFT 12
#define X86_SOFT_EXCLUSIVE ((pteval_t)1 << 17)
#define X86_SOFT_A ((pteval_t)1 << 18)
#define X86_SOFT_D ((pteval_t)1 << 19)
#define X86_SOFT_PFN_MAX (((u64)1 << 32) - 1)
#define X86_SOFT_INVERT ((pteval_t)0xffffffff << 32)

#include <asm/pte_common.h>
#include <asm/pte_soft8.h>

/* The four top entries have no RW, US, A or D: those bits are reserved there. */
static inline pte_t pte_mk_table(pfn_t pfn, unsigned level)
{
	return level == 2 ? x86_pte(x86_pfn_bits(pfn) | X86_PTE_P) : x86_mk_table(pfn);
}

static inline pte_t hw_pte_get(struct hw_pte *hw)
{
	x86_half_t *half = (x86_half_t *)hw;
	u32 low = READ_ONCE(half[0]);

	return x86_pte(low | (u64)READ_ONCE(half[1]) << 32);
}

static inline pte_t hw_pte_get_lockless(struct hw_pte *hw)
{
	x86_half_t *half = (x86_half_t *)hw;
	u32 low, high;

	do {
		low = READ_ONCE(half[0]);
		barrier();
		SYNC_POINT("entry-half-read");
		if (MUTATION(20))
			x86_mutation_delay();
		high = READ_ONCE(half[1]);
		barrier();
	} while (low != READ_ONCE(half[0]) && !MUTATION(20)); /* M20: no second look */
	return x86_pte(low ? low | (u64)high << 32 : 0);
}

/* One word of a user's entry for a page is stored.  (Some of the kernel's are set by the context switch.) */
static inline void x86_half_set(pte_t pte)
{
	if (pte.pteval & X86_PTE_US)
		SYNC_POINT("entry-half-set");
}

static inline void hw_pte_set(struct hw_pte *hw, pte_t pte)
{
	x86_half_t *half = (x86_half_t *)hw;

	ASSERT(!pte_accessible(hw_pte_get(hw)));
	if (MUTATION(20)) { /* M20: the entry is live before it is complete */
		WRITE_ONCE(half[0], (u32)X86_VAL(pte));
		x86_half_set(pte);
		x86_mutation_delay();
		WRITE_ONCE(half[1], (u32)(X86_VAL(pte) >> 32));
		return;
	}
	WRITE_ONCE(half[0], 0);
	barrier();
	WRITE_ONCE(half[1], (u32)(X86_VAL(pte) >> 32));
	x86_half_set(pte);
	barrier();
	WRITE_ONCE(half[0], (u32)X86_VAL(pte));
}

static inline bool hw_pte_cmpxchg(struct hw_pte *hw, pte_t old, pte_t new)
{
	return __sync_bool_compare_and_swap((pteval_t *)hw, X86_VAL(old), X86_VAL(new));
}

static inline pte_t hw_pte_get_and_clear(struct hw_pte *hw)
{
	pteval_t old = X86_VAL(hw_pte_get(hw)), seen;

	while ((seen = __sync_val_compare_and_swap((pteval_t *)hw, old, 0)) != old)
		old = seen;
	return x86_pte(old);
}

static inline bool hw_pte_test_and_clear_young(struct hw_pte *hw)
{
	pte_t old = hw_pte_get(hw);

	if (!pte_young(old))
		return false;
	SYNC_POINT("young-seen");
	if (MUTATION(21)) { /* M21: load, then a plain store */
		x86_mutation_delay();
		WRITE_ONCE(*(x86_half_t *)hw, (u32)(old.pteval & ~X86_PTE_A));
		return true;
	}
	return __atomic_fetch_and((x86_half_t *)hw, (u32)~X86_PTE_A, __ATOMIC_SEQ_CST) & X86_PTE_A;
}

#endif
