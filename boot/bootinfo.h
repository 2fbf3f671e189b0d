/*
 * bootinfo.h - reading what the boot loader left.  boot/ only; the result is struct boot_info (<arch/phys.h>).
 */
#ifndef BOOT_BOOTINFO_H
#define BOOT_BOOTINFO_H

#include "kernel/lib/types.h"

/* Fill boot_info from @info of protocol @magic; everything that is needed later is copied. */
void bootinfo_parse(u32 magic, paddr_t info);

/* For the three readers. */
void bootinfo_cmdline(paddr_t text);
void bootinfo_memory(u64 start, u64 size, u32 type); /* @type 1: usable RAM */
void bootinfo_module(u64 start, u64 end);
void bootinfo_rsdp_copy(const void *rsdp, size_t size); /* a copy that the loader made */

void multiboot1_read(paddr_t info);
void multiboot2_read(paddr_t info);
void pvh_read(paddr_t info);

/* boot/ranges.c: sorted lists of physical ranges. */
struct phys_range;
bool ranges_add(struct phys_range *list, unsigned *count, paddr_t start, paddr_t end);
void ranges_sort_merge(struct phys_range *list, unsigned *count);
bool ranges_subtract(struct phys_range *list, unsigned *count, paddr_t start, paddr_t end);

#endif
