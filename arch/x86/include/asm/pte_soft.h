/*
 * asm/pte_soft.h - what the page-less entries of all formats have in common: the kinds of marker, and which views fit.
 * Layer 1 (x86).  Included only by the format headers, which define the limits first: PTE_SWAP_TYPE_MAX,
 * PTE_SWAP_SLOT_MAX, PTE_FILE_PGOFF_MAX, PTE_FILE_UFFD_WP, X86_SOFT_PFN_MAX, and
 *
 *   X86_SOFT_W_ABOVE         may one above the leaf level grant W?
 */
#ifndef ASM_PTE_SOFT_H
#define ASM_PTE_SOFT_H

/* Kinds of marker (struct pte_view.type). */
#define PTE_MARKER_NOTE 0   /* carries uffd_wp and the grant, nothing else */
#define PTE_MARKER_POISON 1 /* touching it is SIGBUS */
#define PTE_MARKER_TYPE_MAX 1

static inline bool x86_soft_valid(const struct pte_view *w, unsigned level)
{
	if (level > 0 && (w->grant & GRANT_W) && !X86_SOFT_W_ABOVE)
		return false;
	switch (w->kind) {
	case PTE_KIND_FILE:
		return level == 0 && !w->exclusive && !w->type && (PTE_FILE_UFFD_WP || !w->uffd_wp) &&
		       w->payload <= PTE_FILE_PGOFF_MAX;
	case PTE_KIND_SWAP:
		return w->type <= PTE_SWAP_TYPE_MAX && w->payload <= PTE_SWAP_SLOT_MAX;
	case PTE_KIND_MIGRATION:
		return !w->type && w->payload <= X86_SOFT_PFN_MAX;
	case PTE_KIND_MARKER:
		return !w->exclusive && w->type <= PTE_MARKER_TYPE_MAX && !w->payload;
	default:
		return false;
	}
}

#endif
