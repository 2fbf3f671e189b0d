/*
 * mmu.c - the kernel half of every address space.  Layer 1 (x86).
 *
 * The kernel has one tree, rooted at boot_pt_root (boot/entry32.S).  A new root shares the kernel half by
 * copying its top-level entries once; nothing is ever synchronised later, because after
 * arch_direct_map_init() no top-level entry of the kernel half changes any more:
 *
 *   x86-64   all level-2 tables that the direct map, the ioremap and stack windows and the image need exist
 *   PAE      the fourth top entry points to the one kernel table of level 1, shared by all
 *   2-level  every page table of the ioremap, kmap and stack windows exists
 *
 * No locks: the tables are built at boot by one CPU; later only leaf entries of the windows change, each by
 * its one owner.
 */
#include <asm/mmu.h>
#include <asm/pte_view.h>
#include <arch/cpu.h>
#include <arch/kasan.h>
#include <arch/pgtable.h>
#include <arch/phys.h>
#include <arch/tlb.h>
#include <asm/machine.h>
#include <asm/msr.h>
#include "kernel/lib/kasan.h"
#include "kernel/lib/string.h"

#define ROOT_LEVEL (PT_LEVELS - 1)
#define LARGE_LEVEL 1

static void *(*alloc_boot_table)(void);
static paddr_t direct_end = BOOT_DIRECT_SIZE;

paddr_t phys_direct_end(void)
{
	return direct_end;
}

/* -- walking the kernel's tree ---------------------------------------------------------------------------- */
void *mmu_table(pte_t pte)
{
	paddr_t pa = (paddr_t)pte_table_pfn(pte) << PAGE_SHIFT;

	return pa < direct_end ? phys_to_virt(pa) : NULL;
}

void mmu_entry_replace(struct hw_pte *hw, pte_t pte)
{
	while (!hw_pte_cmpxchg(hw, hw_pte_get(hw), pte))
		cpu_relax();
}

/* Fill @table with what the large page @pte at @level maps. */
static void split_large(void *table, pte_t pte, unsigned level)
{
	struct pte_view w = x86_decode(pte, level);
	pfn_t step = pt_span(level - 1) >> PAGE_SHIFT;

	for (unsigned i = 0; i < pt_entries(level - 1); i++)
		hw_pte_set(hw_pte_at(table, i),
		           x86_mk_kernel((pfn_t)w.payload + i * step, level - 1, w.write, w.grant & GRANT_X));
}

/* The table below @hw, made if it does not exist. */
static void *table_below(struct hw_pte *hw, unsigned level)
{
	pte_t pte = hw_pte_get(hw);
	void *table;

	if (pte_is_table(pte, level))
		return mmu_table(pte);
	BUG_ON(!alloc_boot_table);
	table = alloc_boot_table();
	if (pte_has_page(pte))
		split_large(table, pte, level);
	mmu_entry_replace(hw, pte_mk_table((pfn_t)(virt_to_phys(table) >> PAGE_SHIFT), level));
	return table;
}

struct hw_pte *mmu_kernel_entry(vaddr_t va, unsigned level)
{
	void *table = boot_pt_root;

	for (unsigned l = ROOT_LEVEL; l > level; l--)
		table = table_below(hw_pte_at(table, pt_index(l, va)), l);
	return hw_pte_at(table, pt_index(level, va));
}

/* A large page fits here, and no table has been put in its place already. */
static bool large_fits(vaddr_t va, paddr_t pa, u64 size)
{
	u64 span = pt_span(LARGE_LEVEL);

	return IS_ALIGNED(va, span) && IS_ALIGNED(pa, span) && size >= span &&
	       !pte_is_table(hw_pte_get(mmu_kernel_entry(va, LARGE_LEVEL)), LARGE_LEVEL);
}

void mmu_kernel_map(vaddr_t va, paddr_t pa, u64 size, bool write, bool exec)
{
	while (size > 0) {
		unsigned level = large_fits(va, pa, size) ? LARGE_LEVEL : 0;

		mmu_entry_replace(mmu_kernel_entry(va, level), x86_mk_kernel((pfn_t)(pa >> PAGE_SHIFT), level, write, exec));
		va += pt_span(level);
		pa += pt_span(level);
		size -= pt_span(level);
	}
}

/* Make every table of a window, so that mapping a page there never allocates. */
static void prepare_window(vaddr_t start, size_t size)
{
	for (vaddr_t va = start; va < start + size; va += pt_span(LARGE_LEVEL))
		mmu_kernel_entry(va, 0);
}

/* The image where @base maps physical 0: code can be executed (with @exec) but not written, constants only
 * read, everything else read and written. */
static void map_image(vaddr_t base, bool exec)
{
	paddr_t boot = image_to_phys(image_start), text = image_to_phys(text_start), rodata = image_to_phys(rodata_start);
	paddr_t data = image_to_phys(data_start), end = image_to_phys(image_end);

	mmu_kernel_map(base + boot, boot, text - boot, true, false);
	mmu_kernel_map(base + text, text, rodata - text, false, exec);
	mmu_kernel_map(base + rodata, rodata, data - rodata, false, false);
	mmu_kernel_map(base + data, data, end - data, true, false);
}

/* All of [0, @end), but the image with its own protections: at no moment may the running code lose its right
 * to run. */
static void map_direct(paddr_t end)
{
	paddr_t image = image_to_phys(image_start), after = image_to_phys(image_end);

	map_image(IMAGE_BASE, true);
	if (IMAGE_BASE != DIRECT_BASE)
		map_image(DIRECT_BASE, false);
	mmu_kernel_map(DIRECT_BASE, 0, image, true, false);
	mmu_kernel_map(DIRECT_BASE + (vaddr_t)after, after, end - after, true, false);
}

#if BITS == 64
/* Keep only the image in its own window: boot mapped all of low memory there. */
static void trim_image_window(void)
{
	vaddr_t start = (vaddr_t)image_start, end = (vaddr_t)image_end;

	for (vaddr_t va = IMAGE_BASE; va - IMAGE_BASE < IMAGE_WINDOW; va += pt_span(LARGE_LEVEL)) {
		struct hw_pte *large = mmu_kernel_entry(va, LARGE_LEVEL);

		if (!pte_is_table(hw_pte_get(large), LARGE_LEVEL)) { /* all of the image or nothing of it */
			if (va < start || va >= end)
				mmu_entry_replace(large, pte_none());
			continue;
		}
		for (vaddr_t page = va; page < va + pt_span(LARGE_LEVEL); page += PAGE_SIZE)
			if (page < start || page >= end)
				mmu_entry_replace(mmu_kernel_entry(page, 0), pte_none());
	}
}
#else
static void trim_image_window(void)
{
}
#endif

void arch_direct_map_init(paddr_t ram_end, void *(*alloc_table)(void))
{
	paddr_t end = ALIGN_UP(max(ram_end, boot_info.module.end), (paddr_t)pt_span(LARGE_LEVEL));

	end = min(max(end, (paddr_t)BOOT_DIRECT_SIZE), (paddr_t)DIRECT_MAX);
	alloc_boot_table = alloc_table;
	map_direct(end);
	prepare_window(IOREMAP_BASE, IOREMAP_SIZE);
	prepare_window(STACKS_BASE, STACKS_SIZE);
#if BITS == 32
	prepare_window(KMAP_BASE, KMAP_SIZE);
#endif
	trim_image_window();
	if (KASAN)
		arch_kasan_map(end, alloc_table);
	alloc_boot_table = NULL;
	direct_end = end;
	tlb_flush_local_kernel();
	if (KASAN)
		kasan_start();
}

/* -- root tables -------------------------------------------------------------------------------------------- */
/* One table for each level above the leaves; the last one maps a large page. */
static u8 trampoline_tables[PT_LEVELS - 1][PAGE_SIZE] __aligned(PAGE_SIZE);

paddr_t mmu_trampoline_root(void)
{
	void *table = trampoline_tables[0];

	mmu_share_kernel_half(table);
	for (unsigned level = ROOT_LEVEL; level > LARGE_LEVEL; level--) {
		void *below = trampoline_tables[PT_LEVELS - level];

		hw_pte_set(hw_pte_at(table, 0), pte_mk_table((pfn_t)(image_to_phys(below) >> PAGE_SHIFT), level));
		table = below;
	}
	hw_pte_set(hw_pte_at(table, 0), x86_mk_kernel(0, LARGE_LEVEL, true, true));
	return image_to_phys(trampoline_tables[0]);
}

unsigned arch_pgtable_user_entries(unsigned level)
{
	return level == ROOT_LEVEL ? pt_index(ROOT_LEVEL, KERNEL_BASE) : pt_entries(level);
}

void mmu_share_kernel_half(void *root)
{
	for (unsigned i = arch_pgtable_user_entries(ROOT_LEVEL); i < pt_entries(ROOT_LEVEL); i++)
		hw_pte_set(hw_pte_at(root, i), hw_pte_get(hw_pte_at(boot_pt_root, i)));
}

paddr_t arch_pgtable_kernel_root(void)
{
	return image_to_phys(boot_pt_root);
}
