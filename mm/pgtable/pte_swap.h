/*
 * pte_swap.h - entries of pages that are in a swap slot, in terms of the decoded view: one text for every format.
 *
 * Layer 4 (mm/pgtable).  A slot's name is one word, the area above its number; `swap_entry_t` of mm/object wraps it.
 * Where a word has 32 bits an area is limited to 2^SWAP_SLOT_BITS pages even if its entries could say more.
 */
#ifndef MM_PGTABLE_PTE_SWAP_H
#define MM_PGTABLE_PTE_SWAP_H

#include <arch/pte.h>
#include "kernel/lib/assert.h"

#define SWAP_SLOT_BITS (sizeof(unsigned long) == 8 ? 48 : 26)
#define SWAP_SLOT_MAX (min((u64)PTE_SWAP_SLOT_MAX, ((u64)1 << SWAP_SLOT_BITS) - 1))

static inline unsigned long swap_word(unsigned type, unsigned long slot)
{
	return (unsigned long)type << SWAP_SLOT_BITS | slot;
}

static inline unsigned swap_word_type(unsigned long word)
{
	return (unsigned)(word >> SWAP_SLOT_BITS);
}

static inline unsigned long swap_word_slot(unsigned long word)
{
	return word & ((1ul << SWAP_SLOT_BITS) - 1);
}

static inline pte_t pte_mk_swap(unsigned long word, unsigned grant, bool exclusive)
{
	struct pte_view view = {.kind = PTE_KIND_SWAP,
	                        .grant = (u8)pte_grant_normal(grant),
	                        .exclusive = exclusive,
	                        .type = (u8)swap_word_type(word),
	                        .payload = swap_word_slot(word)};

	return pte_encode(&view, 0);
}

static inline unsigned long pte_swap_word(pte_t pte)
{
	struct pte_view view = pte_decode(pte, 0);

	ASSERT(view.kind == PTE_KIND_SWAP);
	return swap_word(view.type, (unsigned long)view.payload);
}

/* Did the page belong to this mapping only when it was unmapped, and does it still? */
static inline bool pte_swap_exclusive(pte_t pte)
{
	return pte_decode(pte, 0).exclusive;
}

/* The same slot, now shared: fork. */
static inline pte_t pte_swap_share(pte_t pte)
{
	struct pte_view view = pte_decode(pte, 0);

	view.exclusive = false;
	return pte_encode(&view, 0);
}

/* An entry whose page is lost: touching it is SIGBUS. */
static inline pte_t pte_mk_poison(unsigned grant)
{
	struct pte_view view = {.kind = PTE_KIND_MARKER, .grant = (u8)pte_grant_normal(grant), .type = PTE_MARKER_POISON};

	return pte_encode(&view, 0);
}

#endif
