/*
 * shadow_walk.c - the walker of the scrambled format, in the place of a processor's.  Layer 1 (x86).
 * Interface and theory: asm/shadow.h.  Compiled for the format of generic code's tables.
 *
 * No locks, as hardware has none: accessed and dirty are set by exchanges that fail if the entry changed, and who
 * frees a table first interrupts every CPU that has the tree loaded.
 */
#include <arch/pgtable.h>
#include <arch/phys.h>
#include <asm/shadow.h>
#include "kernel/lib/printk.h"

#define ROOT_LEVEL (PT_LEVELS - 1)

/* The entry that maps @va, or the one where the tree ends; *level: where it stands. */
static struct hw_pte *walk_to_leaf(paddr_t root, vaddr_t va, unsigned *level)
{
	struct hw_pte *hw = hw_pte_at(phys_to_virt(root), pt_index(ROOT_LEVEL, va));
	pte_t pte = hw_pte_get_lockless(hw);

	for (*level = ROOT_LEVEL; pte_is_table(pte, *level); pte = hw_pte_get_lockless(hw)) {
		(*level)--;
		hw = hw_pte_at(phys_to_virt((paddr_t)pte_table_pfn(pte) << PAGE_SHIFT), pt_index(*level, va));
	}
	return hw;
}

static bool allows(pte_t pte, enum fault_access access)
{
	if (access == FAULT_WRITE)
		return pte_hw_write(pte);
	return access != FAULT_EXEC || (pte_grant(pte) & GRANT_X);
}

enum shadow_result shadow_walk(paddr_t root, vaddr_t va, enum fault_access access, struct shadow_page *page)
{
	unsigned level;
	struct hw_pte *hw = walk_to_leaf(root, va, &level);
	pte_t old, now;

	do {
		old = hw_pte_get_lockless(hw);
		if (!pte_has_page(old) || !pte_accessible(old))
			return SHADOW_ABSENT;
		if (!allows(old, access))
			return SHADOW_DENIED;
		now = access == FAULT_WRITE ? pte_mkdirty(pte_mkyoung(old)) : pte_mkyoung(old);
	} while (!pte_same(old, now) && !hw_pte_cmpxchg(hw, old, now));
	page->pfn = pte_pfn(now) + (pfn_t)((va & (pt_span(level) - 1)) >> PAGE_SHIFT);
	page->write = pte_hw_write(now) && pte_dirty(now);
	page->exec = pte_grant(now) & GRANT_X;
	return SHADOW_FOUND;
}

/* The kernel half is in every CPU's own root. */
void arch_pgtable_init_root(void *root)
{
}

void shadow_dump_tree(paddr_t root, vaddr_t va)
{
	void *table = phys_to_virt(root);

	printk("generic tree of %0*lx, root %llx:\n", (int)sizeof(va) * 2, va, (unsigned long long)root);
	for (unsigned level = ROOT_LEVEL;; level--) {
		struct pte_view w = pte_decode(hw_pte_get_lockless(hw_pte_at(table, pt_index(level, va))), level);

		printk("  level %u [%4u] %s type=%u value=%llx grant=%u%s%s%s\n", level, pt_index(level, va),
		       pte_kind_name(w.kind), w.type, (unsigned long long)w.payload, w.grant, w.write ? " write" : "",
		       w.accessed ? " accessed" : "", w.dirty ? " dirty" : "");
		if (w.kind != PTE_KIND_TABLE)
			return;
		table = phys_to_virt((paddr_t)w.payload << PAGE_SHIFT);
	}
}
