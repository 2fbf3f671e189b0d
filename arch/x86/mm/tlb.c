/*
 * tlb.c - forgetting translations on this CPU.  Layer 1 (x86).
 */
#include <arch/cpu.h>
#include <arch/tlb.h>
#include <asm/msr.h>
#include <asm/shadow.h>

/* From this many pages on, one full flush and the misses that follow are cheaper than INVLPG each. */
#define FLUSH_ALL_PAGES 33

void tlb_flush_local_page(vaddr_t va)
{
	shadow_drop(va);
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

void tlb_flush_local_range(vaddr_t start, vaddr_t end)
{
	if (end - start >= FLUSH_ALL_PAGES * PAGE_SIZE) {
		tlb_flush_local_all();
		return;
	}
	for (vaddr_t va = start & PAGE_MASK; va < end; va += PAGE_SIZE)
		tlb_flush_local_page(va);
}

void tlb_flush_local_all(void)
{
	shadow_drop_all();
	write_cr3(read_cr3());
}

/* Global translations survive a CR3 load; clearing CR4.PGE drops them. */
void tlb_flush_local_kernel(void)
{
	unsigned long flags = irq_save(), cr4 = read_cr4();

	shadow_drop_all();
	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~(unsigned long)CR4_PGE);
		write_cr4(cr4);
	} else {
		tlb_flush_local_all();
	}
	irq_restore(flags);
}
