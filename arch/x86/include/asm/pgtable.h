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

/* PAE: the four top entries are read only when CR3 is written. */
#if defined(PTE_FORMAT_pae)
#define PT_ROOT_COPIED true
#else
#define PT_ROOT_COPIED false
#endif

#if defined(PTE_FORMAT_amd64) || defined(PTE_FORMAT_scrambled)
#define PT_LEVELS 4
static const struct pt_level pt_geometry[PT_LEVELS] __unused = {
	{12, 9, true},
	{21, 9, true},
	{30, 9, true},
	{39, 9, false},
};
#elif defined(PTE_FORMAT_pae)
#define PT_LEVELS 3
static const struct pt_level pt_geometry[PT_LEVELS] __unused = {
	{12, 9, true},
	{21, 9, true},
	{30, 2, false},
};
#else
#define PT_LEVELS 2
static const struct pt_level pt_geometry[PT_LEVELS] __unused = {
	{12, 10, true},
	{22, 10, true},
};
#endif

#endif
