/*
 * phys.c - RAM of the simulated machine.  Layer 1 (host).
 *
 *   frames            entries of x86-64 and the tiny ones     i386 and PAE
 *   1 .. 63           direct                                  direct
 *   256 ..            direct, three quarters of the RAM       direct
 *   after a hole      direct, the last quarter                only by arch_kmap()
 *   from 4 GiB on     direct, if asked for                    PAE: only by arch_kmap();  2-level: not to be named
 *
 * Addresses without RAM, and the direct map beyond its end, are not mapped in the process: touching them is a crash.
 */
#include <arch/phys.h>
#include "arch/host/machine.h"
#include "arch/host/os/os.h"
#include <arch/context.h>
#include "kernel/lib/assert.h"

#define FIRST_END 64
#define SECOND_START 256
#define HOLE 17
#define FOUR_GIB (1ULL << 32)
#define RECORD_MAX 128 /* bytes of a frame's record, at most */

struct boot_info boot_info;
char *host_direct;
static char *indirect; /* physical 0 of the second window */
static paddr_t ram_end, direct_end;

void host_kernel_root_init(void *table);

static bool maps_all(void)
{
	struct pte_view beyond = {.kind = PTE_KIND_PAGE, .payload = 1ULL << 36};

	return pte_view_valid(&beyond, 0); /* a machine of 64 bits */
}

static void add_range(u64 start_pfn, u64 pages)
{
	struct phys_range *r = &boot_info.ram[boot_info.nr_ram++];

	*r = (struct phys_range){start_pfn << PAGE_SHIFT, (start_pfn + pages) << PAGE_SHIFT};
}

/* The window [@base + start, @base + end) of the process becomes memory. */
static void back_range(const struct phys_range *r)
{
	os_memory_open((r->start < direct_end ? host_direct : indirect) + r->start, r->end - r->start);
}

void host_ram_init(unsigned long pages, unsigned long high_pages)
{
	unsigned long low;

	BUG_ON(host_direct || pages < 512);
	if (high_pages) /* room for the records of the gap; they may use half of low memory */
		pages += 2 * (FOUR_GIB / PAGE_SIZE + high_pages) * RECORD_MAX / PAGE_SIZE;
	low = pages - (pages - FIRST_END) / 4;
	add_range(1, FIRST_END - 1);
	add_range(SECOND_START, low);
	direct_end = boot_info.ram[1].end;
	add_range(SECOND_START + low + HOLE, pages - FIRST_END - low);
	if (high_pages)
		add_range(FOUR_GIB >> PAGE_SHIFT, high_pages);
	ram_end = boot_info.ram[boot_info.nr_ram - 1].end;
	if (maps_all())
		direct_end = ram_end;
	host_direct = os_memory_reserve(direct_end);
	indirect = direct_end < ram_end ? os_memory_reserve(ram_end) : NULL;
	for (unsigned i = 0; i < boot_info.nr_ram; i++)
		back_range(&boot_info.ram[i]);
	boot_info.loader = "host";
}

paddr_t phys_direct_end(void)
{
	return direct_end;
}

void arch_direct_map_init(paddr_t end, void *(*alloc_table)(void))
{
	host_kernel_root_init(alloc_table());
}

char *host_ram(paddr_t pa)
{
	for (unsigned i = 0; i < boot_info.nr_ram; i++)
		if (pa >= boot_info.ram[i].start && pa < boot_info.ram[i].end)
			return (pa < direct_end ? host_direct : indirect) + pa;
	return NULL;
}

/* -- temporary mappings: nothing to do but to keep count ---------------------------------------------------------------- */
void *arch_kmap(pfn_t pfn)
{
	paddr_t pa = (paddr_t)pfn << PAGE_SHIFT;

	if (pa < direct_end)
		return phys_to_virt(pa);
	BUG_ON(this_cpu()->ctx->kmaps++ >= KMAP_DEPTH);
	return indirect + pa;
}

void arch_kunmap(void *va)
{
	if ((char *)va >= host_direct && (char *)va < host_direct + direct_end)
		return;
	BUG_ON(this_cpu()->ctx->kmaps-- == 0);
}

void *arch_ioremap(paddr_t pa, size_t size)
{
	return NULL;
}
