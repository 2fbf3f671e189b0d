/*
 * pgtable.h - geometry of the page tables as data, and the few operations on a whole tree that only the
 * machine can do.  Layer 1.  Used by mm/pgtable and by nobody above it.
 */
#ifndef ARCH_PGTABLE_H
#define ARCH_PGTABLE_H

#include <arch/pte.h>

/* Level 0 holds leaf entries; level PT_LEVELS - 1 is the root. */
struct pt_level {
	u8 shift;  /* an entry covers 1 << shift bytes */
	u8 bits;   /* a table holds 1 << bits entries */
	bool leaf; /* may hold a leaf (a huge page) */
};

#define PT_MAX_LEVELS 5

/* <asm/pgtable.h> defines: PT_LEVELS, static const struct pt_level pt_geometry[PT_LEVELS],
 * USER_END (first address that is not user's), USER_MMAP_BASE, KERNEL_BASE, and PT_MAPS_KERNEL: every tree maps the
 * kernel itself (those that no processor walks do not). */
#include <asm/pgtable.h>

static inline unsigned pt_index(unsigned level, vaddr_t va)
{
	return (va >> pt_geometry[level].shift) & ((1u << pt_geometry[level].bits) - 1);
}

static inline unsigned long pt_entries(unsigned level)
{
	return 1UL << pt_geometry[level].bits;
}

/* Bytes covered by one entry, and the last address + 1 of the entry's range that holds @va (never 0 for
 * user addresses). */
static inline vaddr_t pt_span(unsigned level)
{
	return (vaddr_t)1 << pt_geometry[level].shift;
}

/* Make @root, a table of empty entries (hw_table_init()), a root: kernel half filled in. => cannot fail */
void arch_pgtable_init_root(void *root);

/* First root index that belongs to the kernel half: user walks must stop before it. */
unsigned arch_pgtable_user_entries(unsigned level);

/* <asm/pgtable.h> also defines PT_ROOT_COPIED: loading a tree copies the root's entries into the CPU (PAE), so
 * after one of them was set or cleared, every CPU that has the tree loaded must load it again. */

/* Load the tree into this CPU; flushes non-global translations. => interrupts may be on */
void arch_pgtable_load(paddr_t root);
/* The kernel's own tree, loaded while no process is. */
paddr_t arch_pgtable_kernel_root(void);

#endif
