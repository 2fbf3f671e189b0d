/*
 * asm/pgtable.h - geometry of the x86 page tables.  Layer 1 (x86); reached through <arch/pgtable.h>.
 * USER_END, USER_MMAP_BASE and KERNEL_BASE come with the rest of the map from asm/layout.h.
 */
#ifndef ARCH_PGTABLE_H
#include <arch/pgtable.h> /* comes back here with struct pt_level */
#elif !defined(ASM_PGTABLE_H)
#define ASM_PGTABLE_H

#include <asm/layout.h>

/* The scrambled format's trees have a user half only: the rest is in the tables that hardware walks (asm/shadow.h). */
#if defined(PTE_FORMAT_scrambled)
#define PT_MAPS_KERNEL false
#else
#define PT_MAPS_KERNEL true
#endif

#include <asm/pt_geometry.h>

#endif
