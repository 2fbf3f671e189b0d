/*
 * asm/pgtable.h - geometries of the simulated machine.  Layer 1 (host); reached through <arch/pgtable.h>.
 *
 * Those of x86, and two so small that every boundary is near: five levels of four entries each, or of two and a root of
 * sixteen.  There, all of the root belongs to user space.  The kernel itself lies outside: no tree maps it.
 */
#ifndef ARCH_PGTABLE_H
#include <arch/pgtable.h> /* comes back here with struct pt_level */
#elif !defined(ASM_PGTABLE_H)
#define ASM_PGTABLE_H

#define PT_MAPS_KERNEL false

#if !defined(PTE_FORMAT_tiny2) && !defined(PTE_FORMAT_tiny4)
#include <asm/pt_geometry.h>
#include <asm/user_layout.h>
#else
#define PT_ROOT_COPIED false
#if defined(PTE_FORMAT_tiny2)
#define TINY_BITS 1
#define TINY_ROOT_BITS 4
#else
#define TINY_BITS 2
#define TINY_ROOT_BITS 2
#endif
#define PT_LEVELS 5
#define USER_END (1UL << (12 + (PT_LEVELS - 1) * TINY_BITS + TINY_ROOT_BITS))
#define USER_MMAP_BASE (USER_END - 0x4000)
#define KERNEL_BASE USER_END
static const struct pt_level pt_geometry[PT_LEVELS] __unused = {
	{12, TINY_BITS, true},
	{12 + TINY_BITS, TINY_BITS, true},
	{12 + 2 * TINY_BITS, TINY_BITS, true},
	{12 + 3 * TINY_BITS, TINY_BITS, false},
	{12 + 4 * TINY_BITS, TINY_ROOT_BITS, false},
};
#endif

#endif
