/*
 * pgtable.c - one address space's tree: birth, death, loading, and its share of the TLBs.
 *
 * Layer 4 (mm/pgtable).  Interface: pgtable.h.
 */
#include "mm/pgtable/pgtable.h"

#include <arch/cpu.h>
#include <arch/tlb.h>

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "mm/pgtable/gather.h"
#include "mm/pgtable/table.h"

int pgtable_init(struct pgtable *pt)
{
	pt->root = table_alloc();
	if (!pt->root)
		return -ENOMEM;
	pt->root_pa = page_to_phys(pt->root);
	spin_init(&pt->lock, LOCK_PT_UPPER);
	pt->cpu_mask = 0;
	pt->nr_tables = 1;
	pt->nr_pages = 0;
	arch_pgtable_init_root(page_address(pt->root));
	return 0;
}

void pgtable_destroy(struct pgtable *pt)
{
	struct mmu_gather g;

	ASSERT(pt->nr_pages == 0);
	if (this_cpu()->loaded == pt)
		pgtable_load(NULL);
	/* USER_END may lie inside the last table's span. */
	mmu_gather_begin(&g, pt);
	pt_free_tables(pt, &g, 0, USER_END, 0, ALIGN_UP((vaddr_t)USER_END, pt_span(1)));
	mmu_gather_finish(&g);
	ASSERT(pt->nr_tables == 1);
	table_free(pt->root);
	pt->root = NULL;
}

void pgtable_load(struct pgtable *pt)
{
	struct cpu *cpu = this_cpu();

	if (cpu->loaded == pt)
		return;
	if (cpu->loaded)
		__atomic_fetch_and(&cpu->loaded->cpu_mask, ~BIT(cpu->id), __ATOMIC_SEQ_CST);
	/*
	 * The bit is set before the tree is loaded, and a flusher reads the mask after it cleared the entry
	 * (both fully ordered): either the flusher sees the bit, or this CPU walks the cleared entry (RF.11).
	 */
	if (pt)
		__atomic_fetch_or(&pt->cpu_mask, BIT(cpu->id), __ATOMIC_SEQ_CST);
	cpu->loaded = pt;
	arch_pgtable_load(pt ? pt->root_pa : arch_pgtable_kernel_root());
}

void pgtable_flush_range(struct pgtable *pt, vaddr_t start, vaddr_t end)
{
	if (this_cpu()->loaded == pt)
		tlb_flush_local_range(start, end);
}

void pgtable_flush_page(struct pgtable *pt, vaddr_t va)
{
	if (this_cpu()->loaded == pt)
		tlb_flush_local_page(va);
}
