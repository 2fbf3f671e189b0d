/*
 * ioremap.c - device memory, mapped uncached for good.  Layer 1 (x86).
 * Addresses of the window are handed out upwards and never taken back; its page tables exist since boot.
 */
#include <asm/mmu.h>
#include <arch/phys.h>

static size_t window_used; /* bytes; atomic */

/* Take @size bytes of the window; 0 when they are not there. */
static vaddr_t window_take(size_t size)
{
	size_t used = __atomic_load_n(&window_used, __ATOMIC_RELAXED);

	do {
		if (size > IOREMAP_SIZE - used)
			return 0;
	} while (!__atomic_compare_exchange_n(&window_used, &used, used + size, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return IOREMAP_BASE + used;
}

void *arch_ioremap(paddr_t pa, size_t size)
{
	size_t offset = pa & (PAGE_SIZE - 1), length;
	vaddr_t va;

	if (size == 0 || size > IOREMAP_SIZE - offset || pa + size - 1 < pa)
		return NULL;
	if ((pa + size - 1) >> PAGE_SHIFT > X86_PFN_MAX)
		return NULL;
	length = ALIGN_UP(offset + size, PAGE_SIZE);
	va = window_take(length);
	if (!va)
		return NULL;
	for (size_t done = 0; done < length; done += PAGE_SIZE)
		hw_pte_set(mmu_kernel_entry(va + done, 0), pte_mk_kernel((pfn_t)((pa + done) >> PAGE_SHIFT), 0, KMAP_UNCACHED));
	return (void *)(va + offset);
}
