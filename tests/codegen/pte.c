/*
 * pte.c - what reading a page-table entry costs: run.py looks at the machine code of these (T4-03).
 */
#include <arch/pte.h>

pte_t codegen_get(struct hw_pte *hw);
pte_t codegen_get_lockless(struct hw_pte *hw);
bool codegen_is_none(struct hw_pte *hw);
pte_t codegen_get_and_clear(struct hw_pte *hw);
bool codegen_clear_young(struct hw_pte *hw);
bool codegen_cmpxchg(struct hw_pte *hw, pte_t old, pte_t new);
void codegen_set(struct hw_pte *hw, pte_t pte);
void codegen_table_init(void *table);

pte_t codegen_get(struct hw_pte *hw)
{
	return hw_pte_get(hw);
}

pte_t codegen_get_lockless(struct hw_pte *hw)
{
	return hw_pte_get_lockless(hw);
}

bool codegen_is_none(struct hw_pte *hw)
{
	return pte_is_none(hw_pte_get(hw));
}

pte_t codegen_get_and_clear(struct hw_pte *hw)
{
	return hw_pte_get_and_clear(hw);
}

bool codegen_clear_young(struct hw_pte *hw)
{
	return hw_pte_test_and_clear_young(hw);
}

bool codegen_cmpxchg(struct hw_pte *hw, pte_t old, pte_t new)
{
	return hw_pte_cmpxchg(hw, old, new);
}

void codegen_set(struct hw_pte *hw, pte_t pte)
{
	hw_pte_set(hw, pte);
}

void codegen_table_init(void *table)
{
	hw_table_init(table);
}
