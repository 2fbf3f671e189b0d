/*
 * asm/pte_scrambled_live.h - scrambled entries in their tables: where they are, and how they are read and written.
 * Layer 1 (x86).  Included only by asm/pte_scrambled.h.
 */
#ifndef ASM_PTE_SCRAMBLED_LIVE_H
#define ASM_PTE_SCRAMBLED_LIVE_H

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
