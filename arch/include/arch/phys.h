/*
 * phys.h - what physical memory there is, and how the kernel reaches it.  Layer 1.
 */
#ifndef ARCH_PHYS_H
#define ARCH_PHYS_H

#include "kernel/lib/types.h"

/* One range of physical memory, page aligned inwards. */
struct phys_range {
	paddr_t start, end;
};

#define PHYS_RANGES_MAX 64

/* Filled by boot/bootinfo.c before mm starts; usable RAM sorted, not overlapping, minus everything the
 * boot loader, the kernel image, modules and firmware use. */
struct boot_info {
	char cmdline[1024];
	struct phys_range ram[PHYS_RANGES_MAX];
	unsigned nr_ram;
	struct phys_range module; /* the first boot module (RAM disk image), or start == end */
	paddr_t rsdp;             /* ACPI root pointer, or 0 */
	paddr_t low_page;         /* a page below 640 KiB that is nobody's, for starting other CPUs; or 0 */
	const char *loader;       /* "pvh", "multiboot1", "multiboot2" */
};
extern struct boot_info boot_info;

/* Physical memory below this is mapped for good in the kernel's direct map ("low memory"). */
paddr_t phys_direct_end(void);
/* <asm/phys.h>: phys_to_virt(pa) and virt_to_phys(p) for direct-mapped memory, inline. */
#include <asm/phys.h>

/* Map the whole direct map. Called once by mm start-up; @alloc_table hands out zeroed, direct-mapped
 * pages below 4 GiB that are already mapped. */
void arch_direct_map_init(paddr_t ram_end, void *(*alloc_table)(void));

/* A temporary kernel mapping of any frame: at most KMAP_DEPTH at a time per thread, last in first out.
 * On machines with a full direct map both are free. The thread may sleep between the two. */
#define KMAP_DEPTH 8
void *arch_kmap(pfn_t pfn);
void arch_kunmap(void *va);

/* Map device memory, uncached, for good; NULL when the window is used up. */
void *arch_ioremap(paddr_t pa, size_t size);

#endif
