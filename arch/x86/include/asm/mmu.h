/*
 * asm/mmu.h - the kernel's own mappings, between the files of arch/x86/mm.  Layer 1 (x86).  Include it first.
 */
#ifndef ASM_MMU_H
#define ASM_MMU_H

#include <asm/pte_layout.h>
#include <arch/pgtable.h>

/* The entry at @level for kernel address @va in the kernel's tree, whose tables exist. */
struct hw_pte *mmu_kernel_entry(vaddr_t va, unsigned level);

/* Map [@va, @va + @size) to @pa with the largest entries that fit, replacing what was there.
 * => boot time, inside arch_direct_map_init() */
void mmu_kernel_map(vaddr_t va, paddr_t pa, u64 size, bool write, bool exec);

/* Store @pte into an entry that may be live, in one step. */
void mmu_entry_replace(struct hw_pte *hw, pte_t pte);

/* Fill in the kernel half of the root table @root, whose kernel half is empty. => hardware's format */
void mmu_share_kernel_half(void *root);

/* A table page, found from the entry that points to it; NULL if the direct map does not reach it. */
void *mmu_table(pte_t pte);

#endif
