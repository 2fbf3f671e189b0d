/*
 * asm/pte_i386.h - the 4-byte entries of i386 without PAE.  Layer 1 (x86).
 * Included only by asm/pte.h.
 *
 * Page entries as in pte_common.h, frame numbers of 20 bits, no XD: a page that may be read may be executed.
 * Page-less entries (bit 0 and bit 8 clear, not all zero):
 *
 *              31         30..9              8  7          6        5..3            2..1
 *   file       payload, bits 27..5           0  payload, bits 4..0                 grant: 1 none, 2 R, 3 RW
 *   swap-like  no access  payload (22 bits)  0  granted W  uffd-wp  code (3 bits)   0
 *
 *   Codes: 1..3 swap area 0..2, 4 migration, 5 the same and exclusive, 6 the same and writable, 7 marker.
 *   Swap payload: 29..9 slot, 30 exclusive.  Migration payload: 28..9 pfn, 29 A, 30 D.  Marker payload: its type.
 *
 * There are 2^30 values with bits 0 and 8 clear.  File entries take three quarters of them: 2^28 offsets (1 TiB, as
 * thread 0 has it) times three grants.  For uffd-wp there would be room with 2^27 offsets only; so a file entry
 * cannot hold it (PTE_FILE_UFFD_WP), and who wants it on a nonlinear mapping must be refused here.
 *
 * "No access" and "exclusive" cost the swap slot two of the 23 bits that the specification counts (8 GiB for each
 * of the three areas), and let every kind keep every grant.  Granted W lies in bit 7, which must be clear one level
 * up: there such entries cannot grant W.
 */
#ifndef ASM_PTE_I386_H
#define ASM_PTE_I386_H

#include "kernel/lib/assert.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/types.h"

typedef u32 __attribute__((may_alias)) pteval_t;
#include <asm/pte_value.h>

#define X86_PTE_PFN ((pteval_t)0xfffff000)
#define X86_PTE_XD ((pteval_t)0)

#include <asm/pte_common.h>

#define X86_SOFT_FILE_GRANT_SHIFT 1
#define X86_SOFT_FILE_GRANT ((pteval_t)3 << X86_SOFT_FILE_GRANT_SHIFT) /* 0: not a file entry */
#define X86_SOFT_FILE_LOW_SHIFT 3
#define X86_SOFT_FILE_LOW_BITS 5
#define X86_SOFT_FILE_LOW ((pteval_t)0x1f << X86_SOFT_FILE_LOW_SHIFT)
#define X86_SOFT_FILE_HIGH_SHIFT 9
#define X86_SOFT_FILE_HIGH ((pteval_t)0x7fffff << X86_SOFT_FILE_HIGH_SHIFT)

enum x86_soft_file_grant { X86_SOFT_FILE_NO, X86_SOFT_FILE_NONE, X86_SOFT_FILE_R, X86_SOFT_FILE_RW };

enum x86_soft_code {
	X86_SOFT_NONE,
	X86_SOFT_SWAP, /* area 0; 2 and 3 are areas 1 and 2 */
	X86_SOFT_MIGR_R = 4,
	X86_SOFT_MIGR_R_EXCL,
	X86_SOFT_MIGR_W,
	X86_SOFT_MARKER,
};

#define X86_SOFT_CODE_SHIFT 3
#define X86_SOFT_CODE ((pteval_t)7 << X86_SOFT_CODE_SHIFT)
#define X86_SOFT_UFFD_WP ((pteval_t)1 << 6)
#define X86_SOFT_GRANTED_W ((pteval_t)1 << 7)
#define X86_SOFT_NO_ACCESS ((pteval_t)1 << 31)
#define X86_SOFT_PAYLOAD_SHIFT 9
#define X86_SOFT_PAYLOAD ((pteval_t)0x3fffff << X86_SOFT_PAYLOAD_SHIFT)
#define X86_SOFT_PFN_MAX 0xfffff
#define X86_SOFT_A ((pteval_t)1 << 29)
#define X86_SOFT_D ((pteval_t)1 << 30)
#define X86_SOFT_EXCLUSIVE ((pteval_t)1 << 30)

#define PTE_FILE_PGOFF_MAX (((u64)1 << 28) - 1)
#define PTE_FILE_UFFD_WP false
#define PTE_SWAP_TYPE_MAX 2
#define PTE_SWAP_SLOT_MAX (((u64)1 << 21) - 1)
#define X86_SOFT_W_ABOVE false
#include <asm/pte_soft.h>

_Static_assert((X86_SOFT_FILE_GRANT ^ X86_SOFT_FILE_LOW ^ X86_SOFT_FILE_HIGH) == 0xfffffefe,
               "a file entry uses every bit but 0 and 8, each once");
_Static_assert((X86_SOFT_CODE ^ X86_SOFT_UFFD_WP ^ X86_SOFT_GRANTED_W ^ X86_SOFT_NO_ACCESS ^ X86_SOFT_PAYLOAD) ==
                   (0xfffffefe ^ X86_SOFT_FILE_GRANT),
               "a swap-like entry uses every bit but 0, 8 and the file grant, each once");
_Static_assert(((pteval_t)PTE_SWAP_SLOT_MAX << X86_SOFT_PAYLOAD_SHIFT ^ X86_SOFT_EXCLUSIVE) == X86_SOFT_PAYLOAD &&
                   ((pteval_t)X86_SOFT_PFN_MAX << X86_SOFT_PAYLOAD_SHIFT ^ X86_SOFT_A ^ X86_SOFT_D) == X86_SOFT_PAYLOAD,
               "slots and frames with their flags fill the payload");

static inline bool pte_is_file(pte_t pte)
{
	return !(X86_VAL(pte) & (X86_PTE_P | X86_PTE_PROTNONE)) && (X86_VAL(pte) & X86_SOFT_FILE_GRANT);
}

static inline enum x86_soft_code x86_soft_code(pteval_t v)
{
	return (enum x86_soft_code)((v & X86_SOFT_CODE) >> X86_SOFT_CODE_SHIFT);
}

static inline enum pte_kind x86_soft_kind(pteval_t v)
{
	if (v & X86_SOFT_FILE_GRANT)
		return PTE_KIND_FILE;
	switch (x86_soft_code(v)) {
	case X86_SOFT_NONE:
		return PTE_KIND_NONE;
	case X86_SOFT_MIGR_R:
	case X86_SOFT_MIGR_R_EXCL:
	case X86_SOFT_MIGR_W:
		return PTE_KIND_MIGRATION;
	case X86_SOFT_MARKER:
		return PTE_KIND_MARKER;
	default:
		return PTE_KIND_SWAP;
	}
}

static inline unsigned x86_soft_grant(pteval_t v)
{
	bool none, write;

	if (v & X86_SOFT_FILE_GRANT) {
		none = (v & X86_SOFT_FILE_GRANT) == X86_SOFT_FILE_NONE << X86_SOFT_FILE_GRANT_SHIFT;
		write = (v & X86_SOFT_FILE_GRANT) == X86_SOFT_FILE_RW << X86_SOFT_FILE_GRANT_SHIFT;
	} else {
		none = v == 0 || (v & X86_SOFT_NO_ACCESS);
		write = v & X86_SOFT_GRANTED_W;
	}
	return none ? GRANT_NONE : GRANT_R | GRANT_X | (write ? GRANT_W : 0);
}

static inline bool x86_soft_uffd_wp(pteval_t v)
{
	return !(v & X86_SOFT_FILE_GRANT) && (v & X86_SOFT_UFFD_WP);
}

static inline pteval_t x86_soft_file_grant(unsigned grant)
{
	return (pteval_t)(grant & GRANT_W ? X86_SOFT_FILE_RW
	                  : grant         ? X86_SOFT_FILE_R
	                                  : X86_SOFT_FILE_NONE)
	       << X86_SOFT_FILE_GRANT_SHIFT;
}

static inline pteval_t x86_soft_other_grant(unsigned grant)
{
	return grant & GRANT_W ? X86_SOFT_GRANTED_W : grant ? 0 : X86_SOFT_NO_ACCESS;
}

static inline pteval_t x86_soft_with_grant(pteval_t v, unsigned grant)
{
	if (v & X86_SOFT_FILE_GRANT)
		return (v & ~X86_SOFT_FILE_GRANT) | x86_soft_file_grant(grant);
	return (v & ~(X86_SOFT_NO_ACCESS | X86_SOFT_GRANTED_W)) | x86_soft_other_grant(grant);
}

static inline pteval_t x86_soft_file(pgoff_t pgoff, unsigned grant)
{
	pteval_t low = (pteval_t)pgoff & (((pteval_t)1 << X86_SOFT_FILE_LOW_BITS) - 1);

	ASSERT(pgoff <= PTE_FILE_PGOFF_MAX);
	return x86_soft_file_grant(grant) | low << X86_SOFT_FILE_LOW_SHIFT |
	       (pteval_t)(pgoff >> X86_SOFT_FILE_LOW_BITS) << X86_SOFT_FILE_HIGH_SHIFT;
}

static inline pgoff_t x86_soft_file_pgoff(pteval_t v)
{
	return (v & X86_SOFT_FILE_LOW) >> X86_SOFT_FILE_LOW_SHIFT |
	       (v & X86_SOFT_FILE_HIGH) >> X86_SOFT_FILE_HIGH_SHIFT << X86_SOFT_FILE_LOW_BITS;
}

/* Code and payload of a swap-like entry. */
static inline pteval_t x86_soft_core(const struct pte_view *w)
{
	pteval_t payload = (pteval_t)w->payload << X86_SOFT_PAYLOAD_SHIFT;
	unsigned code;

	if (w->kind == PTE_KIND_SWAP) {
		code = X86_SOFT_SWAP + w->type;
		payload |= w->exclusive ? X86_SOFT_EXCLUSIVE : 0;
	} else if (w->kind == PTE_KIND_MIGRATION) {
		code = w->write ? X86_SOFT_MIGR_W : w->exclusive ? X86_SOFT_MIGR_R_EXCL : X86_SOFT_MIGR_R;
		payload |= (w->accessed ? X86_SOFT_A : 0) | (w->dirty ? X86_SOFT_D : 0);
	} else {
		code = X86_SOFT_MARKER;
		payload = (pteval_t)w->type << X86_SOFT_PAYLOAD_SHIFT;
	}
	return (pteval_t)code << X86_SOFT_CODE_SHIFT | payload;
}

static inline pteval_t x86_soft_encode(const struct pte_view *w)
{
	if (w->kind == PTE_KIND_FILE)
		return x86_soft_file((pgoff_t)w->payload, w->grant);
	return x86_soft_core(w) | x86_soft_other_grant(w->grant) | (w->uffd_wp ? X86_SOFT_UFFD_WP : 0);
}

static inline void x86_soft_decode(pteval_t v, struct pte_view *w)
{
	enum x86_soft_code code = x86_soft_code(v);

	w->kind = x86_soft_kind(v);
	w->grant = (u8)x86_soft_grant(v);
	w->uffd_wp = x86_soft_uffd_wp(v);
	w->payload = (v & X86_SOFT_PAYLOAD) >> X86_SOFT_PAYLOAD_SHIFT;
	switch (w->kind) {
	case PTE_KIND_FILE:
		w->payload = x86_soft_file_pgoff(v);
		break;
	case PTE_KIND_SWAP:
		w->type = (u8)(code - X86_SOFT_SWAP);
		w->payload &= PTE_SWAP_SLOT_MAX;
		w->exclusive = v & X86_SOFT_EXCLUSIVE;
		break;
	case PTE_KIND_MIGRATION:
		w->payload &= X86_SOFT_PFN_MAX;
		w->write = code == X86_SOFT_MIGR_W;
		w->exclusive = code != X86_SOFT_MIGR_R;
		w->accessed = v & X86_SOFT_A;
		w->dirty = v & X86_SOFT_D;
		break;
	case PTE_KIND_MARKER:
		w->type = (u8)w->payload;
		w->payload = 0;
		break;
	default: /* no entry at all: a view that is not valid */
		w->payload = v;
		break;
	}
}

static inline pte_t pte_mk_table(pfn_t pfn, unsigned level)
{
	return x86_mk_table(pfn);
}

#include <asm/pte_word.h>

#endif
