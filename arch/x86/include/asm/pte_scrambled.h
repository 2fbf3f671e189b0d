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
#define X86_SOFT_PFN_MAX X86_PFN_MAX
#define X86_SOFT_W_ABOVE true
#include <asm/pte_grant.h>
#include <asm/pte_soft.h>

_Static_assert((SCR_D ^ SCR_X ^ SCR_UFFD_WP ^ SCR_A ^ SCR_HW_W ^ SCR_W ^ SCR_R ^ SCR_SPECIAL ^ SCR_TYPE ^ SCR_ZERO ^
                SCR_PAYLOAD ^ (u64)15 << SCR_KIND_SHIFT) == ~(u64)0,
               "every bit has one use");

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

/* -- huge pages: the level tells ------------------------------------------------------------------------------ */
static inline bool pte_is_huge(pte_t pte, unsigned level)
{
	return level > 0 && pte_has_page(pte);
}

static inline pte_t pte_mk_huge(pte_t page)
{
	ASSERT(pte_has_page(page));
	return page;
}

static inline pte_t pte_huge_part(pte_t huge, unsigned index)
{
	ASSERT(pte_has_page(huge));
	return scr_close(scr_open(huge) + ((u64)index << SCR_PAYLOAD_SHIFT));
}

#include <asm/pte_scrambled_live.h>
#include <asm/pte_scrambled_view.h>

#endif
