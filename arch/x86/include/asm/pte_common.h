/*
 * asm/pte_common.h - what the three x86 entry formats share: hardware bits, software bits, page entries,
 * table entries, kernel entries.  Layer 1 (x86).  Included only by the format headers, which define first:
 *
 *   pteval_t, pte_t          the integer that hardware reads, and the one-field struct around it (pte_value.h)
 *   X86_PTE_PFN              mask of the frame number in a present entry
 *   X86_PTE_XD               the execute-disable bit, or 0 where the format has none
 *
 *   A page entry (P = 1, or P = 0 and bit 8 = 1):
 *
 *     63     62..52  51..12  11         10       9        8    7    6  5  4    3    2   1   0
 *     XD     0       pfn     GRANTED_W  UFFD_WP  SPECIAL  G/N  PSE  D  A  PCD  PWT  US  RW  P
 *
 * - Bit 8 of an entry with P = 0 is PROTNONE: a page is here, nobody may touch it.  Every page-less entry
 *   keeps bit 8 clear.  Its frame number is stored plainly, as the specification has it; only page-less
 *   entries invert their payload.
 * - P = 1 grants R; GRANTED_W grants W whatever RW says; XD = 0 grants X.  So W or X without R does not exist
 *   here, and without NX, X equals R: pte_grant_normal() says what a requested grant becomes.
 * - XD is 0 in PROTNONE entries; in the 4-byte format bits 31..12 are all there is of the frame number.
 */
#ifndef ASM_PTE_COMMON_H
#define ASM_PTE_COMMON_H

#include <asm/pte_grant.h>

#define X86_PTE_P ((pteval_t)1 << 0)
#define X86_PTE_RW ((pteval_t)1 << 1)
#define X86_PTE_US ((pteval_t)1 << 2)
#define X86_PTE_PWT ((pteval_t)1 << 3)
#define X86_PTE_PCD ((pteval_t)1 << 4)
#define X86_PTE_A ((pteval_t)1 << 5)
#define X86_PTE_D ((pteval_t)1 << 6)
#define X86_PTE_PSE ((pteval_t)1 << 7)      /* in a non-leaf table: a large page */
#define X86_PTE_G ((pteval_t)1 << 8)        /* P = 1: global */
#define X86_PTE_PROTNONE ((pteval_t)1 << 8) /* P = 0: a page without access */
#define X86_PTE_SPECIAL ((pteval_t)1 << 9)
#define X86_PTE_UFFD_WP ((pteval_t)1 << 10)
#define X86_PTE_GRANTED_W ((pteval_t)1 << 11)

/* What pte_with_grant() replaces in a page entry. */
#define X86_PTE_GRANT_BITS (X86_PTE_P | X86_PTE_RW | X86_PTE_PROTNONE | X86_PTE_GRANTED_W | X86_PTE_XD)

#define X86_PFN_MAX ((u64)(X86_PTE_PFN >> PAGE_SHIFT))

/* Mutations of live entries take their wrong steps slowly, so that a test can see what happens in between. */
static inline void x86_mutation_delay(void)
{
	for (unsigned i = 0; i < 200; i++)
		barrier();
}

/* -- page-less entries: the format's part ------------------------------------------------------------- */
static inline bool pte_is_file(pte_t pte);
static inline enum pte_kind x86_soft_kind(pteval_t v); /* => no page; 0 gives PTE_KIND_NONE */
static inline unsigned x86_soft_grant(pteval_t v);
static inline bool x86_soft_uffd_wp(pteval_t v);
static inline pteval_t x86_soft_with_grant(pteval_t v, unsigned grant); /* => not none */
static inline pteval_t x86_soft_file(pgoff_t pgoff, unsigned grant);
static inline pgoff_t x86_soft_file_pgoff(pteval_t v);
static inline bool x86_soft_valid(const struct pte_view *w, unsigned level);
static inline pteval_t x86_soft_encode(const struct pte_view *w);
static inline void x86_soft_decode(pteval_t v, struct pte_view *w);
static inline bool x86_soft_reserved_ok(pteval_t v, unsigned level); /* => no page, no table */

/* -- grants -------------------------------------------------------------------------------------------- */
/* By table: every entry that is made passes here. */
static inline pteval_t x86_grant_bits(unsigned grant)
{
	static const u16 bits[GRANT_MASK + 1] = {
		[GRANT_NONE] = X86_PTE_PROTNONE,
		[GRANT_R] = X86_PTE_P,
		[GRANT_W] = X86_PTE_P | X86_PTE_GRANTED_W,
		[GRANT_R | GRANT_W] = X86_PTE_P | X86_PTE_GRANTED_W,
		[GRANT_X] = X86_PTE_P,
		[GRANT_R | GRANT_X] = X86_PTE_P,
		[GRANT_W | GRANT_X] = X86_PTE_P | X86_PTE_GRANTED_W,
		[GRANT_MASK] = X86_PTE_P | X86_PTE_GRANTED_W,
	};
	bool executable = grant & GRANT_X || !(grant & GRANT_MASK);

	return bits[grant & GRANT_MASK] | (executable ? 0 : x86_nx());
}

/* -- questions ------------------------------------------------------------------------------------------ */
static inline bool pte_is_none(pte_t pte)
{
	return X86_VAL(pte) == 0;
}

static inline bool pte_accessible(pte_t pte)
{
	return X86_VAL(pte) & X86_PTE_P;
}

static inline bool pte_has_page(pte_t pte)
{
	return X86_VAL(pte) & (X86_PTE_P | X86_PTE_PROTNONE);
}

static inline bool pte_is_swap(pte_t pte)
{
	return !pte_has_page(pte) && x86_soft_kind(X86_VAL(pte)) == PTE_KIND_SWAP;
}

static inline bool pte_is_migration(pte_t pte)
{
	return !pte_has_page(pte) && x86_soft_kind(X86_VAL(pte)) == PTE_KIND_MIGRATION;
}

static inline bool pte_is_marker(pte_t pte)
{
	return !pte_has_page(pte) && x86_soft_kind(X86_VAL(pte)) == PTE_KIND_MARKER;
}

static inline unsigned pte_grant(pte_t pte)
{
	if (X86_VAL(pte) & X86_PTE_P)
		return GRANT_R | (X86_VAL(pte) & X86_PTE_GRANTED_W ? GRANT_W : 0) | (X86_VAL(pte) & X86_PTE_XD ? 0 : GRANT_X);
	if (X86_VAL(pte) & X86_PTE_PROTNONE)
		return GRANT_NONE;
	return x86_soft_grant(X86_VAL(pte));
}

static inline bool pte_hw_write(pte_t pte)
{
	return (X86_VAL(pte) & (X86_PTE_P | X86_PTE_RW)) == (X86_PTE_P | X86_PTE_RW);
}

static inline bool pte_dirty(pte_t pte)
{
	return pte_has_page(pte) && (X86_VAL(pte) & X86_PTE_D);
}

static inline bool pte_young(pte_t pte)
{
	return pte_has_page(pte) && (X86_VAL(pte) & X86_PTE_A);
}

static inline bool pte_special(pte_t pte)
{
	return pte_has_page(pte) && (X86_VAL(pte) & X86_PTE_SPECIAL);
}

static inline bool pte_uffd_wp(pte_t pte)
{
	return pte_has_page(pte) ? (X86_VAL(pte) & X86_PTE_UFFD_WP) != 0 : x86_soft_uffd_wp(X86_VAL(pte));
}

static inline pfn_t pte_pfn(pte_t pte)
{
	return (pfn_t)((X86_VAL(pte) & X86_PTE_PFN) >> PAGE_SHIFT);
}

static inline pgoff_t pte_file_pgoff(pte_t pte)
{
	ASSERT(pte_is_file(pte));
	return x86_soft_file_pgoff(X86_VAL(pte));
}

/* -- makers ----------------------------------------------------------------------------------------------- */
static inline pte_t pte_none(void)
{
	return x86_pte(0);
}

static inline pteval_t x86_pfn_bits(pfn_t pfn)
{
	ASSERT(pfn <= (pfn_t)X86_PFN_MAX);
	return (pteval_t)pfn << PAGE_SHIFT;
}

static inline pte_t pte_mk_page(pfn_t pfn, unsigned grant)
{
	return x86_pte(x86_pfn_bits(pfn) | X86_PTE_US | X86_PTE_A | x86_grant_bits(grant));
}

static inline pte_t pte_mk_special(pfn_t pfn, unsigned grant)
{
	return x86_pte(X86_VAL(pte_mk_page(pfn, grant)) | X86_PTE_SPECIAL);
}

static inline pte_t pte_mk_file(pgoff_t pgoff, unsigned grant)
{
	return x86_pte(x86_soft_file(pgoff, pte_grant_normal(grant)));
}

static inline pte_t pte_mkwrite(pte_t pte)
{
	ASSERT(pte_accessible(pte) && (X86_VAL(pte) & X86_PTE_GRANTED_W) && !(X86_VAL(pte) & X86_PTE_UFFD_WP));
	return x86_pte(X86_VAL(pte) | X86_PTE_RW);
}

static inline pte_t pte_wrprotect(pte_t pte)
{
	return pte_has_page(pte) ? x86_pte(X86_VAL(pte) & ~X86_PTE_RW) : pte;
}

static inline pte_t pte_mkdirty(pte_t pte)
{
	ASSERT(pte_has_page(pte));
	return x86_pte(X86_VAL(pte) | X86_PTE_D);
}

static inline pte_t pte_mkclean(pte_t pte)
{
	ASSERT(pte_has_page(pte));
	return x86_pte(X86_VAL(pte) & ~X86_PTE_D);
}

static inline pte_t pte_mkyoung(pte_t pte)
{
	ASSERT(pte_has_page(pte));
	return x86_pte(X86_VAL(pte) | X86_PTE_A);
}

static inline pte_t pte_mkold(pte_t pte)
{
	ASSERT(pte_has_page(pte));
	return x86_pte(X86_VAL(pte) & ~X86_PTE_A);
}

static inline pte_t pte_with_grant(pte_t pte, unsigned grant)
{
	if (pte_has_page(pte))
		return x86_pte((X86_VAL(pte) & ~X86_PTE_GRANT_BITS) | x86_grant_bits(grant));
	ASSERT(!pte_is_none(pte));
	return x86_pte(x86_soft_with_grant(X86_VAL(pte), pte_grant_normal(grant)));
}

static inline pte_t x86_encode_page(const struct pte_view *w, unsigned level)
{
	pteval_t v = X86_VAL(pte_mk_page((pfn_t)w->payload, w->grant));

	if (!w->accessed)
		v &= ~X86_PTE_A;
	v |= level ? X86_PTE_PSE : 0;
	v |= w->write ? X86_PTE_RW : 0;
	v |= w->dirty ? X86_PTE_D : 0;
	v |= w->special ? X86_PTE_SPECIAL : 0;
	v |= w->uffd_wp ? X86_PTE_UFFD_WP : 0;
	return x86_pte(v);
}

/* Bit 8 always; bits 5 and 6 in 8-byte entries, where some CPUs set them behind our back; bit 7, "a large page
 * being split", above level 0.  The 4-byte format has no bits to spare and no such CPUs. */
static inline bool x86_soft_reserved_ok(pteval_t v, unsigned level)
{
	pteval_t clear = X86_PTE_PROTNONE;

	if (sizeof(pteval_t) == 8)
		clear |= X86_PTE_A | X86_PTE_D;
	if (level > 0)
		clear |= X86_PTE_PSE;
	return !(v & clear);
}

/* -- kernel entries ------------------------------------------------------------------------------------------ */
/* The general supervisor leaf: accessed and dirty are set at once, so that hardware never writes to it. */
static inline pte_t x86_mk_kernel(pfn_t pfn, unsigned level, bool write, bool exec)
{
	return x86_pte(x86_pfn_bits(pfn) | X86_PTE_P | X86_PTE_A | X86_PTE_D | X86_PTE_G | (level ? X86_PTE_PSE : 0) |
	               (write ? X86_PTE_RW | X86_PTE_GRANTED_W : 0) | (exec ? 0 : x86_nx()));
}

static inline pte_t pte_mk_kernel(pfn_t pfn, unsigned level, enum kmap_cache cache)
{
	pte_t pte = x86_mk_kernel(pfn, level, true, false);

	return cache == KMAP_UNCACHED ? x86_pte(X86_VAL(pte) | X86_PTE_PCD | X86_PTE_PWT) : pte;
}

/* -- tables --------------------------------------------------------------------------------------------------- */
static inline bool pte_is_table(pte_t pte, unsigned level)
{
	return level > 0 && (X86_VAL(pte) & (X86_PTE_P | X86_PTE_PSE)) == X86_PTE_P;
}

static inline pfn_t pte_table_pfn(pte_t pte)
{
	return pte_pfn(pte);
}

/* A table entry that lets the leaf decide; A and D as kernel entries have them. */
static inline pte_t x86_mk_table(pfn_t pfn)
{
	return x86_pte(x86_pfn_bits(pfn) | X86_PTE_P | X86_PTE_RW | X86_PTE_US | X86_PTE_A | X86_PTE_D);
}

/* -- huge pages ----------------------------------------------------------------------------------------------- */
static inline bool pte_is_huge(pte_t pte, unsigned level)
{
	return level > 0 && pte_has_page(pte) && (X86_VAL(pte) & X86_PTE_PSE);
}

static inline pte_t pte_mk_huge(pte_t page)
{
	ASSERT(pte_has_page(page));
	return x86_pte(X86_VAL(page) | X86_PTE_PSE);
}

static inline pte_t pte_huge_part(pte_t huge, unsigned index)
{
	ASSERT(pte_is_huge(huge, 1));
	return x86_pte((X86_VAL(huge) & ~X86_PTE_PSE) + ((pteval_t)index << PAGE_SHIFT));
}

/* -- live entries: places --------------------------------------------------------------------------------------- */
static inline struct hw_pte *hw_pte_at(void *table, unsigned index)
{
	return (struct hw_pte *)((pteval_t *)table + index);
}

static inline struct hw_pte *hw_pte_next(struct hw_pte *hw)
{
	return (struct hw_pte *)((pteval_t *)hw + 1);
}

/* Zero is none. */
static inline void hw_table_init(void *table)
{
}

#endif
