/*
 * window.c - a look at any physical memory before the memory manager runs.  Layer 1 (boot).
 *
 * Two large-page entries that nothing else uses yet, re-pointed at will; one mapping at a time.  Gone when
 * kernel_main() starts.
 */
#include <arch/pgtable.h>
#include <asm/layout.h>
#include <asm/machine.h>

extern char boot_window_table[]; /* entry32.S: the table that holds the window's entries */

#define WINDOW_SHIFT (pt_geometry[1].shift)
#define WINDOW_ENTRIES 2

static void window_set(unsigned i, pte_t pte)
{
	vaddr_t va = BOOT_WINDOW_BASE + ((vaddr_t)i << WINDOW_SHIFT);

	struct hw_pte *hw = hw_pte_at(boot_window_table, pt_index(1, va));

	hw_pte_get_and_clear(hw);
	hw_pte_set(hw, pte);
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

void *boot_map(paddr_t pa, size_t size)
{
	paddr_t page = (paddr_t)1 << WINDOW_SHIFT;
	paddr_t first = pa & ~(page - 1);

	if (pa - first + size > WINDOW_ENTRIES * page || (PT_LEVELS == 2 && pa + size > (paddr_t)1 << 32))
		return NULL;
	for (unsigned i = 0; i < WINDOW_ENTRIES; i++)
		if (PT_LEVELS > 2 || first + i * page < (paddr_t)1 << 32)
			window_set(i, pte_mk_kernel((pfn_t)((first + i * page) >> PAGE_SHIFT), 1, KMAP_CACHED));
	return (void *)(BOOT_WINDOW_BASE + (vaddr_t)(pa - first));
}

void boot_unmap(void)
{
	for (unsigned i = 0; i < WINDOW_ENTRIES; i++)
		window_set(i, pte_none());
}
