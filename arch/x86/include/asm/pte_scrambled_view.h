/*
 * asm/pte_scrambled_view.h - scrambled entries from and to views: what asm/pte_view.h asks of a format.  Layer 1 (x86).
 * Included only by asm/pte_scrambled.h.
 */
#ifndef ASM_PTE_SCRAMBLED_VIEW_H
#define ASM_PTE_SCRAMBLED_VIEW_H

static inline u64 scr_flag_bits(const struct pte_view *w)
{
	return scr_grant_bits(w->grant) | (w->write ? SCR_HW_W : 0) | (w->accessed ? SCR_A : 0) | (w->dirty ? SCR_D : 0) |
	       (w->uffd_wp ? SCR_UFFD_WP : 0) | (w->exclusive ? SCR_EXCLUSIVE : 0) | (u64)w->type << SCR_TYPE_SHIFT;
}

static inline pte_t x86_encode_page(const struct pte_view *w, unsigned level)
{
	return scr_make(SCR_PAGE, w->payload, scr_flag_bits(w) | (w->special ? SCR_SPECIAL : 0));
}

static inline pteval_t x86_soft_encode(const struct pte_view *w)
{
	enum scr_kind kind = w->kind == PTE_KIND_FILE        ? SCR_FILE
	                     : w->kind == PTE_KIND_SWAP      ? SCR_SWAP
	                     : w->kind == PTE_KIND_MIGRATION ? SCR_MIGRATION
	                                                     : SCR_MARKER;

	return X86_VAL(scr_make(kind, w->payload, scr_flag_bits(w)));
}

/* What is no entry becomes a view of nothing that has a payload: pte_view_valid() refuses it. */
static inline enum pte_kind scr_view_kind(pte_t pte)
{
	switch (scr_kind(pte)) {
	case SCR_FILE:
		return PTE_KIND_FILE;
	case SCR_SWAP:
		return PTE_KIND_SWAP;
	case SCR_MIGRATION:
		return PTE_KIND_MIGRATION;
	case SCR_MARKER:
		return PTE_KIND_MARKER;
	default:
		return PTE_KIND_NONE;
	}
}

static inline void x86_soft_decode(pteval_t stored, struct pte_view *w)
{
	pte_t pte = x86_pte(stored);
	u64 v = scr_open(pte);

	w->kind = scr_view_kind(pte);
	w->payload = w->kind == PTE_KIND_NONE ? v : scr_payload(pte);
	w->grant = (u8)pte_grant(pte);
	w->uffd_wp = pte_uffd_wp(pte);
	w->type = (u8)((v & SCR_TYPE) >> SCR_TYPE_SHIFT);
	w->exclusive = v & SCR_EXCLUSIVE;
	w->write = v & SCR_HW_W;
	w->accessed = v & SCR_A;
	w->dirty = v & SCR_D;
}

/* => no page, no table */
static inline bool x86_soft_reserved_ok(pteval_t stored, unsigned level)
{
	pte_t pte = x86_pte(stored);

	return scr_is_entry(pte) && !(scr_open(pte) & SCR_ZERO);
}

#endif
