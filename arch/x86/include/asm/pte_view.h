/*
 * asm/pte_view.h - an entry decoded, in the format that the including file is compiled for.  Layer 1 (x86).
 *
 * Generic code calls pte_decode() (mm/pte_view.c), which is this for the format of its tables.  A kernel of the
 * scrambled format has two formats: the files of arch/x86 that read hardware's use x86_decode().  Include it first.
 */
#ifndef ASM_PTE_VIEW_H
#define ASM_PTE_VIEW_H

#include <asm/pte_layout.h>
#include <arch/pgtable.h>

/* Frames in one entry at @level: the low bits of a large page's frame number that must be zero (one of them
 * is the PAT bit), plus one. */
static inline u64 x86_level_frames(unsigned level)
{
	return (u64)1 << (pt_geometry[level].shift - PAGE_SHIFT);
}

static inline void x86_decode_page(pte_t pte, unsigned level, struct pte_view *w)
{
	w->kind = PTE_KIND_PAGE;
	w->grant = (u8)pte_grant(pte);
	w->write = pte_hw_write(pte);
	w->accessed = pte_young(pte);
	w->dirty = pte_dirty(pte);
	w->special = pte_special(pte);
	w->uffd_wp = pte_uffd_wp(pte);
	w->payload = (u64)pte_pfn(pte) & ~(x86_level_frames(level) - 1);
}

static inline struct pte_view x86_decode(pte_t pte, unsigned level)
{
	struct pte_view w = {.kind = PTE_KIND_NONE};

	if (pte_is_table(pte, level)) {
		w.kind = PTE_KIND_TABLE;
		w.payload = pte_table_pfn(pte);
	} else if (pte_has_page(pte)) {
		x86_decode_page(pte, level, &w);
	} else if (!pte_is_none(pte)) {
		x86_soft_decode(X86_VAL(pte), &w);
	}
	return w;
}

#endif
