/*
 * kmap.c - temporary kernel mappings of any frame.  Layer 1 (x86).
 *
 * x86-64 maps all RAM for good.  i386 has, above that, a window of KMAP_DEPTH page slots for each CPU:
 *
 *   KMAP_BASE   | CPU 0: slot 0 .. slot 7 | CPU 1: slot 0 .. slot 7 | ...
 *
 * A thread uses its CPU's slots as a stack; what is on it is kept in its arch_context and put back by
 * arch_kmap_switch(), so a thread may sleep with slots in use.  It must then resume on the same CPU, as the
 * addresses name it: the scheduler does not move a thread whose kmap_depth is not zero.  Interrupt handlers
 * push and pop on top of the interrupted thread's stack.
 */
#include <asm/mmu.h>
#include <arch/context.h>
#include <arch/cpu.h>
#include <arch/phys.h>
#include <arch/tlb.h>
#include <asm/kmap.h>

#if BITS == 64

void *arch_kmap(pfn_t pfn)
{
	ASSERT((paddr_t)pfn << PAGE_SHIFT < phys_direct_end());
	return phys_to_virt((paddr_t)pfn << PAGE_SHIFT);
}

void arch_kunmap(void *va)
{
}

#else

STATIC_ASSERT(ARCH_KMAP_DEPTH == KMAP_DEPTH);
STATIC_ASSERT(MAX_CPUS *KMAP_DEPTH *PAGE_SIZE <= KMAP_SIZE);

static vaddr_t slot_va(unsigned slot)
{
	return KMAP_BASE + (this_cpu()->id * KMAP_DEPTH + slot) * PAGE_SIZE;
}

static void slot_set(unsigned slot, pfn_t pfn)
{
	hw_pte_set(mmu_kernel_entry(slot_va(slot), 0), pte_mk_kernel(pfn, 0, KMAP_CACHED));
}

static void slot_clear(unsigned slot)
{
	hw_pte_get_and_clear(mmu_kernel_entry(slot_va(slot), 0));
	tlb_flush_local_page(slot_va(slot));
}

void *arch_kmap(pfn_t pfn)
{
	struct arch_context *ctx;
	unsigned slot;

	if ((paddr_t)pfn << PAGE_SHIFT < phys_direct_end())
		return phys_to_virt((paddr_t)pfn << PAGE_SHIFT);
	ctx = this_cpu()->ctx;
	BUG_ON(ctx->kmap_depth >= KMAP_DEPTH);
	slot = ctx->kmap_depth++;
	barrier(); /* an interrupt from here on must use the next slot */
	ctx->kmap_pfn[slot] = pfn;
	slot_set(slot, pfn);
	return (void *)slot_va(slot);
}

void arch_kunmap(void *va)
{
	struct arch_context *ctx = this_cpu()->ctx;

	if ((vaddr_t)va < KMAP_BASE)
		return;
	BUG_ON(ctx->kmap_depth == 0 || ((vaddr_t)va & PAGE_MASK) != slot_va(ctx->kmap_depth - 1));
	slot_clear(ctx->kmap_depth - 1);
	barrier();
	ctx->kmap_depth--;
}

void kmap_switch_slots(struct arch_context *prev, struct arch_context *next)
{
	for (unsigned i = 0; i < prev->kmap_depth; i++)
		slot_clear(i);
	for (unsigned i = 0; i < next->kmap_depth; i++)
		slot_set(i, next->kmap_pfn[i]);
}

#endif
