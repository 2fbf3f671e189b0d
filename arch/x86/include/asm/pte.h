/*
 * asm/pte.h - chooses the page-table entry format of this build.  Layer 1 (x86); reached through <arch/pte.h>.
 *
 * Everything in the format headers is a pure static inline function: they also compile, unchanged, as ordinary
 * user-space C (the simulated machine and tests/unit use them).  No processor walks the scrambled format.
 */
#ifndef ARCH_PTE_H
#include <arch/pte.h> /* comes back here with the types that the formats need */
#elif !defined(ASM_PTE_H)
#define ASM_PTE_H

#if defined(PTE_FORMAT_amd64)
#include <asm/pte_amd64.h>
#elif defined(PTE_FORMAT_pae)
#include <asm/pte_pae.h>
#elif defined(PTE_FORMAT_i386)
#include <asm/pte_i386.h>
#elif defined(PTE_FORMAT_scrambled)
#include <asm/pte_scrambled.h>
#else
#error "define PTE_FORMAT_amd64, PTE_FORMAT_pae, PTE_FORMAT_i386 or PTE_FORMAT_scrambled"
#endif

#ifndef ASM_PTE_LAYOUT_H
#include <asm/pte_hide.h>
#endif

#endif
