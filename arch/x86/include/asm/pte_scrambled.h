/*
 * asm/pte_scrambled.h - an adversarial entry format, which no processor walks.  Layer 1 (x86).
 * Included only by asm/pte.h.
 *
 * It keeps every promise of <arch/pte.h> and none that <arch/pte.h> does not make: whoever outside arch/ tests
 * an entry for zero, clears a table with memset, knows where the frame number is or that the next entry lies at
 * the next address, fails here.  Two walkers exist: the simulated machine of the host, and the kernel built with
 * PAGING=scrambled, where arch/x86/mm/shadow.c fills real tables from these.
 *
 * - Eight bytes, stored XOR SCR_KEY, in values (pte_t) and in tables alike.  None is the key itself.  Memory full
 *   of zeros, or of the poison of freed frames, holds no entry of any kind: reading it is a bug, and asserted.
 * - Entry i of a table is at (173 i + 85) mod 512.
 * - Before the key, with every bit that is not named clear:
 *
 *              63..60  59..14              13  12..8  7          6  5  4         3  2        1  0
 *   page       1       frame (40 bits)     0   cache  special    R  W  hardware  A  uffd-wp  X  D
 *   file       2       page offset         0   0      0          R  W  0         0  uffd-wp  X  0
 *   swap       4       slot                0   area   exclusive  R  W  0         0  uffd-wp  X  0
 *   migration  8       frame (40 bits)     0   0      exclusive  R  W  written   A  uffd-wp  X  D
 *   marker     9       0                   0   which  0          R  W  0         0  uffd-wp  X  0
 *   table      14      frame (40 bits)     0   0      0          0  0  0         0  0        0  0
 *   none       0       0
 *
 * Cache: bit 8 supervisor, bit 9 uncached.  A page is accessible if it grants R, a table always.
 */
#ifndef ASM_PTE_SCRAMBLED_H
#define ASM_PTE_SCRAMBLED_H

#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/types.h"

typedef u64 __attribute__((may_alias)) pteval_t;
#include <asm/pte_value.h>

#define SCR_KEY ((pteval_t)0xa1c3a5968bf04e6d)
#define SCR_STEP 173
#define SCR_START 85
#define SCR_SLOTS (PAGE_SIZE / sizeof(pteval_t))

#define SCR_D ((u64)1 << 0)
#define SCR_X ((u64)1 << 1)
#define SCR_UFFD_WP ((u64)1 << 2)
#define SCR_A ((u64)1 << 3)
#define SCR_HW_W ((u64)1 << 4)
#define SCR_W ((u64)1 << 5)
#define SCR_R ((u64)1 << 6)
#define SCR_SPECIAL ((u64)1 << 7)
#define SCR_EXCLUSIVE ((u64)1 << 7)
#define SCR_TYPE_SHIFT 8
#define SCR_TYPE ((u64)31 << SCR_TYPE_SHIFT)
#define SCR_SUPERVISOR ((u64)1 << 8)
#define SCR_UNCACHED ((u64)1 << 9)
#define SCR_ZERO ((u64)1 << 13)
#define SCR_PAYLOAD_SHIFT 14
#define SCR_PAYLOAD_MAX (((u64)1 << 46) - 1)
#define SCR_PAYLOAD (SCR_PAYLOAD_MAX << SCR_PAYLOAD_SHIFT)
#define SCR_KIND_SHIFT 60
#define SCR_GRANT (SCR_R | SCR_W | SCR_X)

enum scr_kind {
	SCR_NONE = 0,
	SCR_PAGE = 1,
	SCR_FILE = 2,
	SCR_SWAP = 4,
	SCR_MIGRATION = 8,
	SCR_MARKER = 9,
	SCR_TABLE = 14,
};

#define X86_PTE_XD SCR_X /* not 0: a format with NX */
#define X86_PFN_MAX (((u64)1 << 40) - 1)
#define PTE_SWAP_TYPE_MAX 31
#define PTE_SWAP_SLOT_MAX SCR_PAYLOAD_MAX
#define PTE_FILE_PGOFF_MAX SCR_PAYLOAD_MAX
#define PTE_FILE_UFFD_WP true

_Static_assert((SCR_D ^ SCR_X ^ SCR_UFFD_WP ^ SCR_A ^ SCR_HW_W ^ SCR_W ^ SCR_R ^ SCR_SPECIAL ^ SCR_TYPE ^ SCR_ZERO ^
                SCR_PAYLOAD ^ (u64)15 << SCR_KIND_SHIFT) == ~(u64)0,
               "every bit has one use");

extern u64 pte_nx_mask; /* not 0: the CPU has NX */
#define PTE_HAS_NX (pte_nx_mask != 0)

#define PTE_MARKER_NOTE 0
#define PTE_MARKER_POISON 1
#define PTE_MARKER_TYPE_MAX 1

/* A value from the bits that are stored. */
static inline pte_t x86_pte(pteval_t v)
{
	return (pte_t){v};
}

static inline pte_t scr_close(u64 plain)
{
	return x86_pte(plain ^ SCR_KEY);
}

static inline u64 scr_open(pte_t pte)
{
	return X86_VAL(pte) ^ SCR_KEY;
}

static inline enum scr_kind scr_kind(pte_t pte)
{
	return (enum scr_kind)(scr_open(pte) >> SCR_KIND_SHIFT);
}

/* Is it the value of any entry at all? */
static inline bool scr_is_entry(pte_t pte)
{
	enum scr_kind kind = scr_kind(pte);

	return kind == SCR_NONE ? scr_open(pte) == 0
	                        : kind == SCR_PAGE || kind == SCR_FILE || kind == SCR_SWAP || kind == SCR_MIGRATION ||
	                              kind == SCR_MARKER || kind == SCR_TABLE;
}

static inline u64 scr_payload(pte_t pte)
{
	return (scr_open(pte) & SCR_PAYLOAD) >> SCR_PAYLOAD_SHIFT;
}

/* -- grants -------------------------------------------------------------------------------------------- */
static inline unsigned pte_grant_normal(unsigned grant)
{
	if (grant & (GRANT_W | GRANT_X))
		grant |= GRANT_R;
	if ((grant & GRANT_R) && !PTE_HAS_NX)
		grant |= GRANT_X;
	return grant & GRANT_MASK;
}

/* => @grant normal */
static inline u64 scr_grant_bits(unsigned grant)
{
	return (grant & GRANT_R ? SCR_R : 0) | (grant & GRANT_W ? SCR_W : 0) | (grant & GRANT_X ? SCR_X : 0);
}

static inline unsigned pte_grant(pte_t pte)
{
	u64 v = scr_open(pte);

	return (v & SCR_R ? GRANT_R : 0) | (v & SCR_W ? GRANT_W : 0) | (v & SCR_X ? GRANT_X : 0);
}

/* -- questions ------------------------------------------------------------------------------------------ */
static inline bool pte_is_none(pte_t pte)
{
	return X86_VAL(pte) == SCR_KEY;
}

static inline bool pte_has_page(pte_t pte)
{
	return scr_kind(pte) == SCR_PAGE;
}

static inline bool pte_is_table(pte_t pte, unsigned level)
{
	return level > 0 && scr_kind(pte) == SCR_TABLE;
}

static inline bool pte_accessible(pte_t pte)
{
	return scr_kind(pte) == SCR_TABLE || (pte_has_page(pte) && (scr_open(pte) & SCR_R));
}

static inline bool pte_is_file(pte_t pte)
{
	return scr_kind(pte) == SCR_FILE;
}

static inline bool pte_is_swap(pte_t pte)
{
	return scr_kind(pte) == SCR_SWAP;
}

static inline bool pte_is_migration(pte_t pte)
{
	return scr_kind(pte) == SCR_MIGRATION;
}

static inline bool pte_is_marker(pte_t pte)
{
	return scr_kind(pte) == SCR_MARKER;
}

static inline bool pte_same(pte_t a, pte_t b)
{
	return X86_VAL(a) == X86_VAL(b);
}

/* Is @bit set in a page entry? */
static inline bool scr_page_has(pte_t pte, u64 bit)
{
	return pte_has_page(pte) && (scr_open(pte) & bit);
}

static inline bool pte_hw_write(pte_t pte)
{
	return scr_page_has(pte, SCR_HW_W);
}

static inline bool pte_dirty(pte_t pte)
{
	return scr_page_has(pte, SCR_D);
}

static inline bool pte_young(pte_t pte)
{
	return scr_page_has(pte, SCR_A);
}

static inline bool pte_special(pte_t pte)
{
	return scr_page_has(pte, SCR_SPECIAL);
}

static inline bool pte_uffd_wp(pte_t pte)
{
	return scr_open(pte) & SCR_UFFD_WP;
}

static inline pfn_t pte_pfn(pte_t pte)
{
	return (pfn_t)(scr_payload(pte) & X86_PFN_MAX);
}

static inline pgoff_t pte_file_pgoff(pte_t pte)
{
	ASSERT(pte_is_file(pte));
	return (pgoff_t)scr_payload(pte);
}

static inline pfn_t pte_table_pfn(pte_t pte)
{
	return pte_pfn(pte);
}

/* -- makers ----------------------------------------------------------------------------------------------- */
static inline pte_t scr_make(enum scr_kind kind, u64 payload, u64 bits)
{
	ASSERT(payload <= (kind == SCR_PAGE || kind == SCR_TABLE ? X86_PFN_MAX : SCR_PAYLOAD_MAX));
	return scr_close((u64)kind << SCR_KIND_SHIFT | payload << SCR_PAYLOAD_SHIFT | bits);
}

static inline pte_t pte_none(void)
{
	return scr_close(0);
}

static inline pte_t pte_mk_page(pfn_t pfn, unsigned grant)
{
	return scr_make(SCR_PAGE, pfn, SCR_A | scr_grant_bits(pte_grant_normal(grant)));
}

static inline pte_t pte_mk_special(pfn_t pfn, unsigned grant)
{
	return scr_close(scr_open(pte_mk_page(pfn, grant)) | SCR_SPECIAL);
}

static inline pte_t pte_mk_file(pgoff_t pgoff, unsigned grant)
{
	return scr_make(SCR_FILE, pgoff, scr_grant_bits(pte_grant_normal(grant)));
}

static inline pte_t pte_mk_table(pfn_t pfn, unsigned level)
{
	return scr_make(SCR_TABLE, pfn, 0);
}

static inline pte_t pte_mk_kernel(pfn_t pfn, unsigned level, enum kmap_cache cache)
{
	u64 bits = SCR_R | SCR_W | SCR_HW_W | SCR_A | SCR_D | SCR_SUPERVISOR | (PTE_HAS_NX ? 0 : SCR_X);

	return scr_make(SCR_PAGE, pfn, bits | (cache == KMAP_UNCACHED ? SCR_UNCACHED : 0));
}

static inline pte_t pte_mkwrite(pte_t pte)
{
	ASSERT(pte_accessible(pte) && (pte_grant(pte) & GRANT_W) && !pte_uffd_wp(pte));
	return scr_close(scr_open(pte) | SCR_HW_W);
}

static inline pte_t pte_wrprotect(pte_t pte)
{
	return pte_has_page(pte) ? scr_close(scr_open(pte) & ~SCR_HW_W) : pte;
}

static inline pte_t pte_mkdirty(pte_t pte)
{
	ASSERT(pte_has_page(pte));
	return scr_close(scr_open(pte) | SCR_D);
}

static inline pte_t pte_mkclean(pte_t pte)
{
	ASSERT(pte_has_page(pte));
	return scr_close(scr_open(pte) & ~SCR_D);
}

static inline pte_t pte_mkyoung(pte_t pte)
{
	ASSERT(pte_has_page(pte));
	return scr_close(scr_open(pte) | SCR_A);
}

static inline pte_t pte_mkold(pte_t pte)
{
	ASSERT(pte_has_page(pte));
	return scr_close(scr_open(pte) & ~SCR_A);
}

static inline pte_t pte_with_grant(pte_t pte, unsigned grant)
{
	u64 v = scr_open(pte) & ~SCR_GRANT;

	ASSERT(!pte_is_none(pte));
	if (pte_has_page(pte))
		v &= ~SCR_HW_W;
	return scr_close(v | scr_grant_bits(pte_grant_normal(grant)));
}

/* -- views: what asm/pte_view.h asks of a format ------------------------------------------------------------ */
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

static inline bool x86_soft_valid(const struct pte_view *w, unsigned level)
{
	switch (w->kind) {
	case PTE_KIND_FILE:
		return level == 0 && !w->exclusive && !w->type && w->payload <= PTE_FILE_PGOFF_MAX;
	case PTE_KIND_SWAP:
		return w->type <= PTE_SWAP_TYPE_MAX && w->payload <= PTE_SWAP_SLOT_MAX;
	case PTE_KIND_MIGRATION:
		return !w->type && w->payload <= X86_PFN_MAX;
	case PTE_KIND_MARKER:
		return !w->exclusive && w->type <= PTE_MARKER_TYPE_MAX && !w->payload;
	default:
		return false;
	}
}

/* => no page, no table */
static inline bool x86_soft_reserved_ok(pteval_t stored, unsigned level)
{
	pte_t pte = x86_pte(stored);

	return scr_is_entry(pte) && !(scr_open(pte) & SCR_ZERO);
}

/* -- live entries ---------------------------------------------------------------------------------------------- */
static inline struct hw_pte *hw_pte_at(void *table, unsigned index)
{
	unsigned slot = (index * SCR_STEP + SCR_START) % SCR_SLOTS;

	return (struct hw_pte *)((pteval_t *)table + (index - index % SCR_SLOTS) + slot);
}

/* Within the one table that the page is. */
static inline struct hw_pte *hw_pte_next(struct hw_pte *hw)
{
	vaddr_t page = (vaddr_t)hw & PAGE_MASK;
	vaddr_t slot = ((vaddr_t)hw - page) / sizeof(pteval_t);

	return (struct hw_pte *)((pteval_t *)page + (slot + SCR_STEP) % SCR_SLOTS);
}

static inline void hw_table_init(void *table)
{
	for (unsigned i = 0; i < SCR_SLOTS; i++)
		((pteval_t *)table)[i] = X86_VAL(pte_none());
}

static inline pte_t hw_pte_get_lockless(struct hw_pte *hw)
{
	pte_t pte = x86_pte(READ_ONCE(*(pteval_t *)hw));

	ASSERT(scr_is_entry(pte)); /* else the table was never made one, or is one no more */
	return pte;
}

static inline pte_t hw_pte_get(struct hw_pte *hw)
{
	return hw_pte_get_lockless(hw);
}

static inline void hw_pte_set(struct hw_pte *hw, pte_t pte)
{
	ASSERT(!pte_accessible(hw_pte_get(hw)) && scr_is_entry(pte));
	WRITE_ONCE(*(pteval_t *)hw, X86_VAL(pte));
}

static inline pte_t hw_pte_get_and_clear(struct hw_pte *hw)
{
	pte_t old = x86_pte(__atomic_exchange_n((pteval_t *)hw, X86_VAL(pte_none()), __ATOMIC_SEQ_CST));

	ASSERT(scr_is_entry(old));
	return old;
}

static inline bool hw_pte_cmpxchg(struct hw_pte *hw, pte_t old, pte_t new)
{
	return __atomic_compare_exchange_n((pteval_t *)hw, &X86_VAL(old), X86_VAL(new), false, __ATOMIC_SEQ_CST,
	                                   __ATOMIC_SEQ_CST);
}

static inline bool hw_pte_test_and_clear_young(struct hw_pte *hw)
{
	pte_t old;

	do {
		old = hw_pte_get_lockless(hw);
		if (!pte_young(old))
			return false;
		SYNC_POINT("young-seen");
		if (MUTATION(21)) { /* M21: load, then a plain store */
			for (unsigned i = 0; i < 200; i++)
				barrier();
			WRITE_ONCE(*(pteval_t *)hw, X86_VAL(pte_mkold(old)));
			return true;
		}
	} while (!hw_pte_cmpxchg(hw, old, pte_mkold(old)));
	return true;
}

#endif
