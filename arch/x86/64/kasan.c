/*
 * kasan.c - shadow memory for the address sanitizer: the byte for address a is at (a >> 3) + offset.  Layer 1
 * (x86-64).  Only in SAN=kasan builds, and itself not instrumented.
 *
 * The shadow of the kernel half takes 16 TiB from ffffec0000000000 on.  At first all of it is one page, mapped
 * everywhere through one table of each level; what instrumented functions write there at that time is garbage,
 * and nothing is reported yet.  Once there is memory, the direct map, the image and the stacks get pages of their
 * own; everything else keeps the common one, zeroed and read-only.
 */
#include <asm/mmu.h>
#include <arch/kasan.h>
#include <arch/phys.h>
#include <asm/layout.h>
#include "kernel/lib/kasan.h"

#define SHADOW_SHIFT 3
#define ROOT_LEVEL (PT_LEVELS - 1)

static u8 common_page[PAGE_SIZE] __aligned(PAGE_SIZE);
static u8 common_tables[ROOT_LEVEL][PAGE_SIZE] __aligned(PAGE_SIZE); /* by level */

extern void (*constructors_start[])(void), (*constructors_end[])(void);

u8 *arch_kasan_shadow(const void *p)
{
	return (u8 *)(((vaddr_t)p >> SHADOW_SHIFT) + KASAN_SHADOW_OFFSET);
}

static pfn_t pfn_of(const void *image)
{
	return (pfn_t)(image_to_phys(image) >> PAGE_SHIFT);
}

/* The entry at @level that leads into nothing but the common page. */
static pte_t common_entry(unsigned level, bool write)
{
	return level ? pte_mk_table(pfn_of(common_tables[level - 1]), level)
	             : x86_mk_kernel(pfn_of(common_page), 0, write, false);
}

static bool is_common(pte_t pte, unsigned level)
{
	return level ? pte_table_pfn(pte) == pfn_of(common_tables[level - 1]) : pte_pfn(pte) == pfn_of(common_page);
}

/* => nothing uses @table yet */
static void fill(void *table, unsigned level)
{
	for (unsigned i = 0; i < pt_entries(level); i++)
		hw_pte_set(hw_pte_at(table, i), common_entry(level, true));
}

void arch_kasan_early(void)
{
	vaddr_t start = (vaddr_t)arch_kasan_shadow((void *)KERNEL_BASE), last = (vaddr_t)arch_kasan_shadow((void *)~0UL);

	for (unsigned level = 0; level < ROOT_LEVEL; level++)
		fill(common_tables[level], level);
	for (unsigned i = pt_index(ROOT_LEVEL, start); i <= pt_index(ROOT_LEVEL, last); i++)
		hw_pte_set(hw_pte_at(boot_pt_root, i), common_entry(ROOT_LEVEL, true));
}

/* A page of its own for the shadow at @va, all zero. */
static void map_page(vaddr_t va, void *(*alloc_table)(void))
{
	void *table = boot_pt_root;
	struct hw_pte *hw;

	for (unsigned level = ROOT_LEVEL; level > 0; level--) {
		hw = hw_pte_at(table, pt_index(level, va));
		if (is_common(hw_pte_get(hw), level)) {
			table = alloc_table();
			fill(table, level - 1);
			mmu_entry_replace(hw, pte_mk_table((pfn_t)(virt_to_phys(table) >> PAGE_SHIFT), level));
		} else {
			table = mmu_table(hw_pte_get(hw));
		}
	}
	hw = hw_pte_at(table, pt_index(0, va));
	if (is_common(hw_pte_get(hw), 0))
		mmu_entry_replace(hw, x86_mk_kernel((pfn_t)(virt_to_phys(alloc_table()) >> PAGE_SHIFT), 0, true, false));
}

static void map_range(vaddr_t start, u64 size, void *(*alloc_table)(void))
{
	vaddr_t end = (vaddr_t)arch_kasan_shadow((void *)(start + size - 1));

	for (vaddr_t va = (vaddr_t)arch_kasan_shadow((void *)start) & PAGE_MASK; va <= end; va += PAGE_SIZE)
		map_page(va, alloc_table);
}

/* Entries of the common page in tables that are not common any more, too: hence the walk. */
static void protect(void *table, unsigned level)
{
	for (unsigned i = 0; i < pt_entries(level); i++) {
		struct hw_pte *hw = hw_pte_at(table, i);
		pte_t pte = hw_pte_get(hw);

		if (level == 0 && is_common(pte, 0))
			mmu_entry_replace(hw, common_entry(0, false));
		else if (level > 0 && !is_common(pte, level))
			protect(mmu_table(pte), level - 1);
	}
}

static void protect_all(void)
{
	vaddr_t start = (vaddr_t)arch_kasan_shadow((void *)KERNEL_BASE), last = (vaddr_t)arch_kasan_shadow((void *)~0UL);

	for (unsigned i = 0; i < pt_entries(0); i++)
		mmu_entry_replace(hw_pte_at(common_tables[0], i), common_entry(0, false));
	for (unsigned i = pt_index(ROOT_LEVEL, start); i <= pt_index(ROOT_LEVEL, last); i++)
		if (!is_common(hw_pte_get(hw_pte_at(boot_pt_root, i)), ROOT_LEVEL))
			protect(mmu_table(hw_pte_get(hw_pte_at(boot_pt_root, i))), ROOT_LEVEL - 1);
}

void arch_kasan_map(paddr_t ram_end, void *(*alloc_table)(void))
{
	map_range(DIRECT_BASE, ram_end, alloc_table);
	map_range((vaddr_t)image_start, (u64)(image_end - image_start), alloc_table);
	map_range(STACKS_BASE, STACKS_SIZE, alloc_table);
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		((volatile u8 *)common_page)[i] = 0;
	protect_all();
}

void arch_kasan_constructors(void)
{
	for (void (**fn)(void) = constructors_start; fn < constructors_end; fn++)
		(*fn)();
}
