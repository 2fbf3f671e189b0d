/*
 * stack.c - the window for stacks.  Layer 1 (x86).
 * Its page tables exist since boot; each entry has one owner at a time, who alone writes it.
 */
#include <asm/mmu.h>
#include <arch/stack.h>

void arch_stack_map(vaddr_t va, pfn_t pfn)
{
	hw_pte_set(mmu_kernel_entry(va, 0), pte_mk_kernel(pfn, 0, KMAP_CACHED));
}

pfn_t arch_stack_unmap(vaddr_t va)
{
	return pte_pfn(hw_pte_get_and_clear(mmu_kernel_entry(va, 0)));
}
