/*
 * root.c - root tables of address spaces, where hardware walks them itself.  Layer 1 (x86).
 * With PAGING=scrambled it does not: shadow.c takes the place of this file.
 */
#include <asm/mmu.h>
#include <arch/debugger.h>
#include <asm/msr.h>

void arch_pgtable_init_root(void *root)
{
	mmu_share_kernel_half(root);
}

void arch_pgtable_load(paddr_t root)
{
	write_cr3((unsigned long)root);
}

paddr_t arch_debug_root(void)
{
	return read_cr3() & PAGE_MASK;
}
