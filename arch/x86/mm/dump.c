/*
 * dump.c - every level of the loaded page table on the way to an address, decoded.  Layer 1 (x86).
 * For a dying kernel: takes no lock, follows no pointer outside the direct map.
 */
#include <asm/mmu.h>
#include <asm/pte_view.h>
#include <arch/debug.h>
#include <arch/pgtable.h>
#include <arch/phys.h>
#include <asm/msr.h>
#include <asm/shadow.h>
#include "kernel/lib/printk.h"

static void dump_grant(const struct pte_view *w)
{
	printk(" grant=%c%c%c", w->grant & GRANT_R ? 'r' : '-', w->grant & GRANT_W ? 'w' : '-',
	       w->grant & GRANT_X ? 'x' : '-');
}

static void dump_flags(const struct pte_view *w)
{
	printk("%s%s%s%s%s%s", w->write ? " write" : "", w->accessed ? " accessed" : "", w->dirty ? " dirty" : "",
	       w->special ? " special" : "", w->uffd_wp ? " uffd-wp" : "", w->exclusive ? " exclusive" : "");
}

/* What hardware sees in a present entry and the view does not tell. */
static void dump_hardware(pte_t pte)
{
	if (!pte_accessible(pte))
		return;
	printk("%s%s%s", X86_VAL(pte) & X86_PTE_US ? " user" : " kernel", X86_VAL(pte) & X86_PTE_G ? " global" : "",
	       X86_VAL(pte) & X86_PTE_PCD ? " uncached" : "");
}

static void dump_entry(pte_t pte, unsigned level, vaddr_t va)
{
	struct pte_view w = x86_decode(pte, level);

	printk("  level %u [%4u] %0*llx %s", level, pt_index(level, va), (int)sizeof(pte) * 2,
	       (unsigned long long)X86_VAL(pte), pte_kind_name(w.kind));
	if (w.kind == PTE_KIND_TABLE) {
		printk(" pfn=%llx", (unsigned long long)w.payload);
	} else if (w.kind != PTE_KIND_NONE) {
		printk(" type=%u value=%llx", w.type, (unsigned long long)w.payload);
		dump_grant(&w);
		dump_flags(&w);
		dump_hardware(pte);
	}
	printk("\n");
}

void arch_dump_walk(vaddr_t va)
{
	paddr_t root = read_cr3() & PAGE_MASK;
	void *table = root == arch_pgtable_kernel_root() ? boot_pt_root : mmu_table(x86_pte((pteval_t)root));

	shadow_dump(va);
	printk("page table of %0*lx, root %llx:\n", (int)sizeof(va) * 2, va, (unsigned long long)root);
	for (unsigned level = PT_LEVELS - 1; table; level--) {
		pte_t pte = hw_pte_get_lockless(hw_pte_at(table, pt_index(level, va)));

		dump_entry(pte, level, va);
		if (!pte_is_table(pte, level))
			return;
		table = mmu_table(pte);
	}
	printk("  (table outside the direct map)\n");
}
