/*
 * mmu.c - the simulated memory management unit: what hardware does with page tables.  Layer 1 (host).
 *
 *   access -> TLB says yes            -> RAM
 *          -> TLB says no             -> page fault, and the CPU forgets the entry (it may have been stale)
 *          -> no entry, or a store through an entry without D
 *                                     -> walk: every level by its entry; the leaf's A, and D for a store, are set by
 *                                        compare and exchange, so that a software change in between is seen -> TLB
 *
 * Of a huge page (a leaf at level 1) the TLB remembers the base pages that were used, as real ones may.
 *
 * Entries are read with hw_pte_get_lockless() and changed with hw_pte_cmpxchg() only: other CPUs run in between, but
 * no interrupt arrives in the middle of an instruction.  That is what mm relies on when it frees a table after a flush.
 */
#include "arch/host/machine.h"
#include <arch/phys.h>
#include <arch/tlb.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

#define RECENT 8
#define ROOT_LEVEL (PT_LEVELS - 1)
#define ROOT_COPY 4 /* entries that a CPU copies at a load, where it does (PT_ROOT_COPIED) */

static struct mmu {
	paddr_t root;
	pte_t copy[ROOT_COPY];
	vaddr_t recent[RECENT]; /* pages accessed lately, as va + 1; 0: none */
	unsigned next;
} mmus[MAX_CPUS];

static paddr_t kernel_root;

struct walk {
	struct cpu *cpu;
	vaddr_t va;
	enum fault_access access;
	bool present; /* the leaf entry is accessible */
	pfn_t pfn;
	bool write, exec, dirty;
};

/* -- trees ------------------------------------------------------------------------------------------------------- */
void arch_pgtable_init_root(void *root)
{
	for (unsigned i = arch_pgtable_user_entries(ROOT_LEVEL); i < pt_entries(ROOT_LEVEL); i++)
		BUG_ON(!pte_is_none(hw_pte_get(hw_pte_at(root, i))));
}

unsigned arch_pgtable_user_entries(unsigned level)
{
	unsigned n = level == ROOT_LEVEL ? pt_index(ROOT_LEVEL, KERNEL_BASE) : 0;

	return n ? n : (unsigned)pt_entries(level); /* tiny: the kernel half is beyond the root */
}

/* A tree without a user half: an empty table. => from arch_direct_map_init() */
void host_kernel_root_init(void *table)
{
	hw_table_init(table);
	kernel_root = virt_to_phys(table);
	pte_nx_mask = 1ULL << 63; /* these CPUs have NX, in formats that have */
	for (unsigned i = 0; i < MAX_CPUS; i++)
		mmus[i].root = kernel_root;
}

paddr_t arch_pgtable_kernel_root(void)
{
	return kernel_root;
}

/* Interrupts wait for the end of the instruction: the flag itself, without the point that irq_restore() is. */
static bool instruction_begins(void)
{
	bool on = host_irqs_on[this_cpu()->id];

	host_irqs_on[this_cpu()->id] = false;
	return on;
}

static void instruction_ends(bool on)
{
	host_irqs_on[this_cpu()->id] = on;
}

void arch_pgtable_load(paddr_t root)
{
	struct mmu *m = &mmus[this_cpu()->id];
	bool on = instruction_begins(); /* or an older copy could replace that of an interrupt's load */
	pte_t copy[ROOT_COPY];

	for (unsigned i = 0; PT_ROOT_COPIED && i < ROOT_COPY; i++)
		copy[i] = hw_pte_get_lockless(hw_pte_at(host_ram(root), i));
	m->root = root; /* no point from here on: it is one instruction */
	for (unsigned i = 0; PT_ROOT_COPIED && i < ROOT_COPY; i++)
		m->copy[i] = copy[i];
	tlb_clear(this_cpu());
	instruction_ends(on);
}

/* -- walking ------------------------------------------------------------------------------------------------------- */
static pte_t upper_entry(const struct mmu *m, void *table, unsigned level, vaddr_t va)
{
	unsigned index = pt_index(level, va);

	if (PT_ROOT_COPIED && level == ROOT_LEVEL)
		return m->copy[index % ROOT_COPY];
	return hw_pte_get_lockless(hw_pte_at(table, index));
}

/* The leaf entry, and at which level; NULL: there is none. */
static struct hw_pte *find_leaf(struct cpu *cpu, vaddr_t va, unsigned *leaf_level)
{
	const struct mmu *m = &mmus[cpu->id];
	void *table = tlb_table(cpu, va);

	*leaf_level = 0;
	if (table)
		return hw_pte_at(table, pt_index(0, va));
	table = host_ram(m->root);
	for (unsigned level = ROOT_LEVEL; level > 0; level--) {
		pte_t entry = upper_entry(m, table, level, va);

		if (level == 1 && pte_is_huge(entry, 1)) {
			*leaf_level = 1;
			return hw_pte_at(table, pt_index(1, va));
		}
		if (!pte_is_table(entry, level))
			return NULL;
		table = host_ram((paddr_t)pte_table_pfn(entry) << PAGE_SHIFT);
		BUG_ON(!table); /* no RAM there: a torn or wild entry */
	}
	tlb_fill_table(cpu, va, table);
	return hw_pte_at(table, pt_index(0, va));
}

static bool allows(bool write, bool exec, enum fault_access access)
{
	return access == FAULT_READ || (access == FAULT_WRITE ? write : exec);
}

/* The leaf: true if the access may go on, with A and D set.  Hardware reads the entry at once, we perhaps in halves: what
 * was read counts if the whole is still the same, even when there is nothing to set. */
static bool take_leaf(struct walk *w, struct hw_pte *hw, unsigned level)
{
	pte_t seen, want;

	do {
		seen = want = hw_pte_get_lockless(hw);
		w->present = pte_accessible(seen) && !pte_is_table(seen, level); /* a huge one may just have been split */
		if (!w->present)
			return false;
		w->write = pte_hw_write(seen);
		w->exec = pte_grant(seen) & GRANT_X;
		if (!allows(w->write, w->exec, w->access))
			return false;
		want = pte_mkyoung(want);
		if (w->access == FAULT_WRITE)
			want = pte_mkdirty(want);
	} while (!hw_pte_cmpxchg(hw, seen, want));
	w->pfn = pte_pfn(want) + (level ? pt_index(0, w->va) : 0);
	w->dirty = pte_dirty(want);
	return true;
}

static bool walk(struct walk *w)
{
	struct hw_pte *hw;
	unsigned level;

	w->present = false;
	if (w->va >= USER_END)
		return false;
	hw = find_leaf(w->cpu, w->va, &level);
	if (!hw || !take_leaf(w, hw, level))
		return false;
	tlb_fill(w->cpu, w->va, w->pfn, w->write, w->exec, w->dirty);
	return true;
}

/* -- accesses --------------------------------------------------------------------------------------------------------- */
static void remember(struct cpu *cpu, vaddr_t va)
{
	struct mmu *m = &mmus[cpu->id];

	if (m->recent[m->next % RECENT] != va + 1)
		m->recent[++m->next % RECENT] = va + 1;
}

vaddr_t mmu_recent(struct cpu *cpu, unsigned nth)
{
	return mmus[cpu->id].recent[nth % RECENT] - 1;
}

/* A machine that cannot forbid fetches does not tell them from loads. */
static bool fault(struct fault_cause *cause, vaddr_t va, enum fault_access access, bool present)
{
	if (access == FAULT_EXEC && !PTE_HAS_NX)
		access = FAULT_READ;
	tlb_drop(this_cpu(), va);
	*cause = (struct fault_cause){.addr = va, .access = access, .protection = present};
	return false;
}

/* Where the bytes are. False: @cause. */
static bool translate(vaddr_t va, enum fault_access access, char **ram, struct fault_cause *cause)
{
	struct cpu *cpu = this_cpu();
	struct tlb_entry *e = tlb_find(cpu, va);
	struct walk w = {.cpu = cpu, .va = va, .access = access};

	remember(cpu, va & PAGE_MASK);
	if (e && !allows(e->write, e->exec, access))
		return fault(cause, va, access, true);
	if (e && (access != FAULT_WRITE || e->dirty))
		w.pfn = e->pfn;
	else if (!walk(&w))
		return fault(cause, va, access, w.present);
	*ram = host_ram((paddr_t)w.pfn << PAGE_SHIFT);
	BUG_ON(!*ram);
	*ram += va & ~PAGE_MASK;
	return true;
}

/* User programs race with one another, and with the kernel's copies, as they like: not the thread sanitizer's concern.
 * An aligned word moves in one piece. */
__attribute__((no_sanitize_thread)) static void move(char *to, const char *from, size_t n)
{
	if (n == 8 && IS_ALIGNED((vaddr_t)to | (vaddr_t)from, 8))
		*(volatile u64 *)to = *(const volatile u64 *)from;
	else if (n == 4 && IS_ALIGNED((vaddr_t)to | (vaddr_t)from, 4))
		*(volatile u32 *)to = *(const volatile u32 *)from;
	else
		for (size_t i = 0; i < n; i++)
			((volatile char *)to)[i] = ((const volatile char *)from)[i];
}

bool mmu_access(vaddr_t va, enum fault_access access, void *bytes, size_t n, struct fault_cause *cause)
{
	bool on = instruction_begins(), ok;
	char *ram;

	ok = translate(va, access, &ram, cause);
	if (ok && bytes)
		move(access == FAULT_WRITE ? ram : bytes, access == FAULT_WRITE ? bytes : ram, n);
	instruction_ends(on);
	return ok;
}

bool mmu_cmpxchg(vaddr_t va, u32 *old, u32 new, struct fault_cause *cause)
{
	bool on = instruction_begins(), ok;
	char *ram;

	ok = translate(va, FAULT_WRITE, &ram, cause);
	if (ok)
		__atomic_compare_exchange_n((u32 *)ram, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	instruction_ends(on);
	return ok;
}

bool mmu_prefetch(struct cpu *cpu, vaddr_t va)
{
	struct walk w = {.cpu = cpu, .va = va, .access = FAULT_READ};

	return walk(&w);
}
