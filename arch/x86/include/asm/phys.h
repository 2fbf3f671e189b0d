/*
 * phys.h - physical addresses as kernel pointers.  Layer 1 (x86); <arch/phys.h> includes it.
 */
#ifndef ASM_PHYS_H
#define ASM_PHYS_H

#include "kernel/lib/types.h"
#include <asm/layout.h>

/* Direct-mapped memory only: @pa < phys_direct_end(). */
static inline void *phys_to_virt(paddr_t pa)
{
	return (void *)(DIRECT_BASE + (vaddr_t)pa);
}

static inline paddr_t virt_to_phys(const void *p)
{
	return (vaddr_t)p - DIRECT_BASE;
}

/* Objects of the kernel image: code, .data, .bss. */
static inline paddr_t image_to_phys(const void *p)
{
	return (vaddr_t)p - IMAGE_BASE;
}

/* The kernel image's bounds and, page aligned, those of its parts (linker.ld). */
extern char image_start[], text_start[], rodata_start[], data_start[], image_end[];
/* The kernel's own root table, filled by boot/entry32.S; PAE: the four-entry top table. */
extern char boot_pt_root[];

#endif
