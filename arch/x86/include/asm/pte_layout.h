/*
 * asm/pte_layout.h - lets a file of arch/ name the bits of a page-table entry.  Layer 1 (x86).
 *
 * Everywhere else <arch/pte.h> poisons those names when it has defined what needs them, so that
 * `pte.pteval & 1` does not compile in mm/ or kernel/.  Must come before any other header that includes
 * <arch/pte.h>.
 */
#ifndef ASM_PTE_LAYOUT_H
#if defined(ARCH_PTE_H)
#error "the layout of a page-table entry belongs to arch/: only its files may include <asm/pte_layout.h>, first of all"
#endif
#define ASM_PTE_LAYOUT_H

#include <arch/pte.h>

#endif
