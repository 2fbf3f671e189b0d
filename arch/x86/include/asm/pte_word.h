/*
 * asm/pte_word.h - live entries that one machine word holds (x86-64, i386 2-level).  Layer 1 (x86).
 * Included only by the format headers.  An aligned word is read and written in one piece: a read is one mov,
 * locked or not.
 */
#ifndef ASM_PTE_WORD_H
#define ASM_PTE_WORD_H

static inline pte_t hw_pte_get(struct hw_pte *hw)
{
	return x86_pte(READ_ONCE(*(pteval_t *)hw));
}

static inline pte_t hw_pte_get_lockless(struct hw_pte *hw)
{
	return x86_pte(READ_ONCE(*(pteval_t *)hw));
}

static inline void hw_pte_set(struct hw_pte *hw, pte_t pte)
{
	ASSERT(!pte_accessible(hw_pte_get(hw)));
	WRITE_ONCE(*(pteval_t *)hw, X86_VAL(pte));
}

static inline pte_t hw_pte_get_and_clear(struct hw_pte *hw)
{
	return x86_pte(__atomic_exchange_n((pteval_t *)hw, 0, __ATOMIC_SEQ_CST));
}

static inline bool hw_pte_cmpxchg(struct hw_pte *hw, pte_t old, pte_t new)
{
	return __atomic_compare_exchange_n((pteval_t *)hw, &X86_VAL(old), X86_VAL(new), false, __ATOMIC_SEQ_CST,
	                                   __ATOMIC_SEQ_CST);
}

static inline bool hw_pte_test_and_clear_young(struct hw_pte *hw)
{
	pte_t old = hw_pte_get(hw);

	if (!pte_young(old))
		return false;
	SYNC_POINT("young-seen");
	if (MUTATION(21)) { /* M21: load, then a plain store */
		x86_mutation_delay();
		WRITE_ONCE(*(pteval_t *)hw, X86_VAL(old) & ~X86_PTE_A);
		return true;
	}
	return __atomic_fetch_and((pteval_t *)hw, ~X86_PTE_A, __ATOMIC_SEQ_CST) & X86_PTE_A;
}

#endif
