/*
 * asm/pte_soft8.h - page-less entries of the two 8-byte formats.  Layer 1 (x86).
 * Included only by asm/pte_amd64.h and asm/pte_pae.h.
 *
 *   bits 0..11, the same in both:   0: 0   1..3: kind   4: uffd-wp   5..8: 0   9: R   10: W   11: X
 *
 * Bits 5 and 6 stay clear because some CPUs set A and D in entries that are not present, bit 7 because it
 * means "large page being split" one level up, bit 8 because it means PROTNONE.  The grants are kept in
 * every kind.  The format header gives the rest:
 *
 *   X86_SOFT_PAYLOAD_SHIFT, X86_SOFT_PAYLOAD_BITS, X86_SOFT_TYPE_SHIFT (5 bits), X86_SOFT_EXCLUSIVE,
 *   X86_SOFT_A and X86_SOFT_D (migration only; may lie within the payload), X86_SOFT_PFN_MAX,
 *   X86_SOFT_INVERT: the bits that are stored inverted, so that a CPU which speculates through a non-present
 *   entry (L1TF) reaches for memory that does not exist.
 */
#ifndef ASM_PTE_SOFT8_H
#define ASM_PTE_SOFT8_H

enum x86_soft_code {
	X86_SOFT_NONE,
	X86_SOFT_FILE,
	X86_SOFT_SWAP,
	X86_SOFT_MIGR_R,
	X86_SOFT_MIGR_R_EXCL,
	X86_SOFT_MIGR_W,
	X86_SOFT_MARKER,
	X86_SOFT_POISON,
};

#define X86_SOFT_CODE_SHIFT 1
#define X86_SOFT_CODE ((pteval_t)7 << X86_SOFT_CODE_SHIFT)
#define X86_SOFT_UFFD_WP ((pteval_t)1 << 4)
#define X86_SOFT_GRANT_SHIFT 9
#define X86_SOFT_GRANT ((pteval_t)GRANT_MASK << X86_SOFT_GRANT_SHIFT)
#define X86_SOFT_TYPE ((pteval_t)PTE_SWAP_TYPE_MAX << X86_SOFT_TYPE_SHIFT)
#define X86_SOFT_PAYLOAD_MAX (((u64)1 << X86_SOFT_PAYLOAD_BITS) - 1)
#define X86_SOFT_PAYLOAD (X86_SOFT_PAYLOAD_MAX << X86_SOFT_PAYLOAD_SHIFT)

#define PTE_SWAP_TYPE_MAX 31
#define PTE_SWAP_SLOT_MAX X86_SOFT_PAYLOAD_MAX
#define PTE_FILE_PGOFF_MAX X86_SOFT_PAYLOAD_MAX
#define PTE_FILE_UFFD_WP true
#define X86_SOFT_W_ABOVE true
#include <asm/pte_soft.h>

/* Fields do not overlap, and the bits with a meaning for hardware errata or PROTNONE belong to none. */
_Static_assert(!(X86_SOFT_PAYLOAD & (X86_SOFT_TYPE | X86_SOFT_EXCLUSIVE | 0xfff)), "payload overlaps");
_Static_assert(!(X86_SOFT_TYPE & (X86_SOFT_EXCLUSIVE | X86_SOFT_A | X86_SOFT_D | 0xfff)), "type overlaps");
_Static_assert(!(X86_SOFT_EXCLUSIVE & (X86_SOFT_A | X86_SOFT_D | 0xfff)), "exclusive overlaps");
_Static_assert(!(X86_SOFT_A & X86_SOFT_D) && !((X86_SOFT_A | X86_SOFT_D) & 0xfff), "A and D overlap");
_Static_assert(!((X86_SOFT_PFN_MAX << X86_SOFT_PAYLOAD_SHIFT) & (X86_SOFT_A | X86_SOFT_D)), "pfn overlaps A or D");
_Static_assert((X86_SOFT_CODE | X86_SOFT_UFFD_WP | X86_SOFT_GRANT) == 0xe1e, "bits 0 and 5 to 8 must stay clear");

static inline bool pte_is_file(pte_t pte)
{
	return (X86_VAL(pte) & (X86_PTE_P | X86_PTE_PROTNONE | X86_SOFT_CODE)) == (pteval_t)X86_SOFT_FILE
	                                                                              << X86_SOFT_CODE_SHIFT;
}

static inline enum x86_soft_code x86_soft_code(pteval_t v)
{
	return (enum x86_soft_code)((v & X86_SOFT_CODE) >> X86_SOFT_CODE_SHIFT);
}

static inline enum pte_kind x86_soft_kind(pteval_t v)
{
	switch (x86_soft_code(v)) {
	case X86_SOFT_NONE:
		return PTE_KIND_NONE;
	case X86_SOFT_FILE:
		return PTE_KIND_FILE;
	case X86_SOFT_SWAP:
		return PTE_KIND_SWAP;
	case X86_SOFT_MARKER:
	case X86_SOFT_POISON:
		return PTE_KIND_MARKER;
	default:
		return PTE_KIND_MIGRATION;
	}
}

static inline unsigned x86_soft_grant(pteval_t v)
{
	return (unsigned)(v >> X86_SOFT_GRANT_SHIFT) & GRANT_MASK;
}

static inline bool x86_soft_uffd_wp(pteval_t v)
{
	return v & X86_SOFT_UFFD_WP;
}

static inline pteval_t x86_soft_with_grant(pteval_t v, unsigned grant)
{
	return (v & ~X86_SOFT_GRANT) | (pteval_t)grant << X86_SOFT_GRANT_SHIFT;
}

/* The bits that every page-less entry has: @code, @grant and the (inverted) @payload. */
static inline pteval_t x86_soft_base(enum x86_soft_code code, unsigned grant, u64 payload)
{
	pteval_t v = (pteval_t)code << X86_SOFT_CODE_SHIFT | (pteval_t)grant << X86_SOFT_GRANT_SHIFT;

	return v | ((payload << X86_SOFT_PAYLOAD_SHIFT) ^ X86_SOFT_INVERT);
}

static inline pteval_t x86_soft_file(pgoff_t pgoff, unsigned grant)
{
	u64 payload = pgoff;

	ASSERT(payload <= PTE_FILE_PGOFF_MAX);
	return x86_soft_base(X86_SOFT_FILE, grant, payload);
}

static inline pgoff_t x86_soft_file_pgoff(pteval_t v)
{
	return (pgoff_t)(((v ^ X86_SOFT_INVERT) & X86_SOFT_PAYLOAD) >> X86_SOFT_PAYLOAD_SHIFT);
}

static inline enum x86_soft_code x86_soft_code_of(const struct pte_view *w)
{
	switch (w->kind) {
	case PTE_KIND_FILE:
		return X86_SOFT_FILE;
	case PTE_KIND_SWAP:
		return X86_SOFT_SWAP;
	case PTE_KIND_MIGRATION:
		return w->write ? X86_SOFT_MIGR_W : w->exclusive ? X86_SOFT_MIGR_R_EXCL : X86_SOFT_MIGR_R;
	default:
		return w->type == PTE_MARKER_POISON ? X86_SOFT_POISON : X86_SOFT_MARKER;
	}
}

static inline pteval_t x86_soft_encode(const struct pte_view *w)
{
	pteval_t v = x86_soft_base(x86_soft_code_of(w), w->grant, w->payload) ^ X86_SOFT_INVERT;

	if (w->uffd_wp)
		v |= X86_SOFT_UFFD_WP;
	if (w->kind == PTE_KIND_SWAP)
		v |= (pteval_t)w->type << X86_SOFT_TYPE_SHIFT | (w->exclusive ? X86_SOFT_EXCLUSIVE : 0);
	if (w->kind == PTE_KIND_MIGRATION)
		v |= (w->accessed ? X86_SOFT_A : 0) | (w->dirty ? X86_SOFT_D : 0);
	return v ^ X86_SOFT_INVERT;
}

static inline void x86_soft_decode(pteval_t v, struct pte_view *w)
{
	enum x86_soft_code code = x86_soft_code(v);
	u64 payload;

	v ^= X86_SOFT_INVERT;
	payload = (v & X86_SOFT_PAYLOAD) >> X86_SOFT_PAYLOAD_SHIFT;
	w->kind = x86_soft_kind(v);
	w->grant = (u8)x86_soft_grant(v);
	w->uffd_wp = x86_soft_uffd_wp(v);
	w->payload = payload;
	switch (w->kind) {
	case PTE_KIND_SWAP:
		w->type = (u8)((v & X86_SOFT_TYPE) >> X86_SOFT_TYPE_SHIFT);
		w->exclusive = v & X86_SOFT_EXCLUSIVE;
		break;
	case PTE_KIND_MIGRATION:
		w->payload = payload & X86_SOFT_PFN_MAX;
		w->write = code == X86_SOFT_MIGR_W;
		w->exclusive = code != X86_SOFT_MIGR_R;
		w->accessed = v & X86_SOFT_A;
		w->dirty = v & X86_SOFT_D;
		break;
	case PTE_KIND_MARKER:
		w->type = code == X86_SOFT_POISON ? PTE_MARKER_POISON : PTE_MARKER_NOTE;
		break;
	case PTE_KIND_NONE: /* no entry at all: a view that is not valid */
		w->payload = v ^ X86_SOFT_INVERT;
		break;
	default:
		break;
	}
}

#endif
