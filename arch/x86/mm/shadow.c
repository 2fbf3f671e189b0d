/*
 * shadow.c - each CPU's own tables, filled from the generic tree that it has loaded.  Layer 1 (x86).
 * Interface and theory: asm/shadow.h.  Takes the place of root.c with PAGING=scrambled.
 *
 * The tables of a CPU are read and written by that CPU alone, with interrupts off; so there are no locks.  There
 * are few of them: when they are used up, all translations are forgotten, as a small TLB would.
 */
#include <asm/mmu.h>
#include <arch/debugger.h>
#include <arch/cpu.h>
#include <arch/phys.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include <asm/shadow.h>
#include "kernel/lib/string.h"

#define ROOT_LEVEL (PT_LEVELS - 1)
#define SHADOW_TABLES 32 /* a CPU's, roots apart; a path takes three */
#define PF_PRESENT 1     /* in the error code */

/* What this CPU has loaded. Its own, interrupts off. */
struct shadow {
	paddr_t generic; /* root of the generic tree; 0: the kernel's own tree, without a user half */
	unsigned used;   /* tables; those from here on are free */
	bool ready;      /* the root has its kernel half */
};

static struct shadow shadows[MAX_CPUS];
static u8 roots[MAX_CPUS][PAGE_SIZE] __aligned(PAGE_SIZE);
static u8 tables[MAX_CPUS][SHADOW_TABLES][PAGE_SIZE] __aligned(PAGE_SIZE);

static struct shadow *my_shadow(void)
{
	return &shadows[this_cpu()->id];
}

static void *my_root(void)
{
	return roots[this_cpu()->id];
}

/* Forget every translation. => interrupts off; the caller flushes the TLB before a table is used again */
static void forget_all(struct shadow *s)
{
	for (unsigned i = 0; s->used && i < arch_pgtable_user_entries(ROOT_LEVEL); i++)
		mmu_entry_replace(hw_pte_at(my_root(), i), pte_none());
	s->used = 0;
}

/* An empty table, or NULL. */
static void *take_table(struct shadow *s)
{
	void *table;

	if (s->used == SHADOW_TABLES)
		return NULL;
	table = tables[this_cpu()->id][s->used++];
	memset(table, 0, PAGE_SIZE);
	hw_table_init(table);
	return table;
}

/* The leaf entry of @va; NULL: a table on the way is not there (and, with @make, there are no more). */
static struct hw_pte *leaf_entry(struct shadow *s, vaddr_t va, bool make)
{
	void *table = my_root();

	for (unsigned level = ROOT_LEVEL; level > 0; level--) {
		struct hw_pte *hw = hw_pte_at(table, pt_index(level, va));
		pte_t pte = hw_pte_get(hw);

		if (pte_is_table(pte, level)) {
			table = mmu_table(pte);
			continue;
		}
		table = make ? take_table(s) : NULL;
		if (!table)
			return NULL;
		hw_pte_set(hw, pte_mk_table((pfn_t)(image_to_phys(table) >> PAGE_SHIFT), level));
	}
	return hw_pte_at(table, pt_index(0, va));
}

static struct hw_pte *make_leaf_entry(struct shadow *s, vaddr_t va)
{
	struct hw_pte *hw = leaf_entry(s, va, true);

	if (hw)
		return hw;
	forget_all(s);
	write_cr3(read_cr3());
	return leaf_entry(s, va, true);
}

static pte_t hardware_entry(const struct shadow_page *page)
{
	pte_t pte = pte_mk_page(page->pfn, GRANT_R | (page->write ? GRANT_W : 0) | (page->exec ? GRANT_X : 0));

	return page->write ? pte_mkwrite(pte_mkdirty(pte)) : pte;
}

/* False: the entry was there already, so the fault had another reason (SMAP, a stale translation). */
static bool fill(struct shadow *s, vaddr_t va, const struct shadow_page *page)
{
	struct hw_pte *hw = make_leaf_entry(s, va);
	pte_t pte = hardware_entry(page);

	if (pte_same(hw_pte_get(hw), pte))
		return false;
	mmu_entry_replace(hw, pte);
	return true;
}

bool shadow_fault(struct fault_cause *cause)
{
	struct shadow *s = my_shadow();
	struct shadow_page page;
	enum shadow_result result;

	if (!s->generic || cause->addr >= USER_END || cause->reserved || (!cause->user && cause->access == FAULT_EXEC))
		return false;
	result = shadow_walk(s->generic, cause->addr, cause->access, &page);
	if (result == SHADOW_FOUND && fill(s, cause->addr, &page))
		return true;
	cause->protection = result != SHADOW_ABSENT;
	cause->error_code = (cause->error_code & ~(unsigned long)PF_PRESENT) | (cause->protection ? PF_PRESENT : 0);
	return false;
}

/* -- forgetting ------------------------------------------------------------------------------------------------ */
void shadow_drop(vaddr_t va)
{
	unsigned long flags = irq_save();
	struct hw_pte *hw = va < USER_END ? leaf_entry(my_shadow(), va, false) : NULL;

	if (hw)
		mmu_entry_replace(hw, pte_none());
	irq_restore(flags);
}

void shadow_drop_all(void)
{
	unsigned long flags = irq_save();

	forget_all(my_shadow());
	write_cr3(read_cr3());
	irq_restore(flags);
}

/* -- roots ------------------------------------------------------------------------------------------------------ */
void arch_pgtable_load(paddr_t root)
{
	unsigned long flags = irq_save();
	bool kernel = root == arch_pgtable_kernel_root();
	struct shadow *s = my_shadow();

	if (!s->ready && !kernel) {
		mmu_share_kernel_half(my_root());
		s->ready = true;
	}
	forget_all(s);
	s->generic = kernel ? 0 : root;
	write_cr3((unsigned long)(kernel ? root : image_to_phys(my_root())));
	irq_restore(flags);
}

void shadow_dump(vaddr_t va)
{
	if (my_shadow()->generic && va < USER_END)
		shadow_dump_tree(my_shadow()->generic, va);
}

paddr_t arch_debug_root(void)
{
	return my_shadow()->generic ?: arch_pgtable_kernel_root();
}
