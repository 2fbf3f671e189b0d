/*
 * hw_pte.c - contract of <arch/pte.h>: live entries, on a scratch table that no CPU uses.
 */
#include <arch/pgtable.h>
#include "kernel/lib/string.h"
#include "tests/contract/contract.h"

static u8 scratch[PAGE_SIZE] __aligned(PAGE_SIZE);

static void scratch_clear(void)
{
	memset(scratch, 0, sizeof(scratch));
	hw_table_init(scratch);
}

/* What table pages go through: zeroed, made a table, used, emptied entry by entry. */
bool contract_hw_table(void)
{
	scratch_clear();
	for (unsigned i = 0; i < pt_entries(0); i++)
		contract_check(pte_is_none(hw_pte_get(hw_pte_at(scratch, i))), "entry %u of a new table is not none", i);
	for (unsigned i = 0; i < pt_entries(0); i++)
		hw_pte_set(hw_pte_at(scratch, i), pte_mk_page(i, GRANT_R));
	for (unsigned i = 0; i < pt_entries(0); i++)
		hw_pte_get_and_clear(hw_pte_at(scratch, i));
	for (unsigned i = 0; i < pt_entries(0); i++)
		contract_check(pte_is_none(hw_pte_get(hw_pte_at(scratch, i))), "cleared entry %u is not none", i);
	return contract_held();
}

static pte_t sample(unsigned i)
{
	pte_t page = pte_mk_page(0x1000 + i, i & GRANT_MASK);

	return i % 3 == 0 ? pte_mk_file(i * 5, i & GRANT_MASK) : i % 3 == 1 ? page : pte_mkdirty(page);
}

/* Every entry of a table holds what was put there, whichever way it is reached. */
bool contract_hw_set_get(void)
{
	struct hw_pte *hw = hw_pte_at(scratch, 0);

	scratch_clear();
	for (unsigned i = 0; i < pt_entries(0); i++)
		hw_pte_set(hw_pte_at(scratch, i), sample(i));
	for (unsigned i = 0; i < pt_entries(0); i++, hw = hw_pte_next(hw)) {
		contract_check(hw == hw_pte_at(scratch, i), "entry %u is not where next leads", i);
		contract_check(pte_same(hw_pte_get(hw), sample(i)), "entry %u reads back wrong", i);
		contract_check(pte_same(hw_pte_get_lockless(hw), sample(i)), "entry %u reads back wrong without lock", i);
	}
	for (unsigned i = 0; i < pt_entries(0); i += 2)
		contract_check(pte_same(hw_pte_get_and_clear(hw_pte_at(scratch, i)), sample(i)), "clear of %u returns wrong",
		               i);
	for (unsigned i = 0; i < pt_entries(0); i++)
		contract_check(pte_same(hw_pte_get(hw_pte_at(scratch, i)), i % 2 ? sample(i) : pte_none()),
		               "clearing its neighbour changed entry %u", i);
	scratch_clear();
	hw_pte_set(hw_pte_at(scratch, 1), pte_mk_file(3, GRANT_R));
	hw_pte_set(hw_pte_at(scratch, 1), pte_none());
	contract_check(pte_is_none(hw_pte_get(hw_pte_at(scratch, 1))), "set to none");
	contract_check((vaddr_t)hw_pte_at(scratch, (unsigned)pt_entries(0)) <= (vaddr_t)hw_pte_at(scratch + PAGE_SIZE, 0),
	               "a table is more than one page");
	return contract_held();
}

bool contract_hw_young(void)
{
	struct hw_pte *hw = hw_pte_at(scratch, 5);
	pte_t pte = pte_mkwrite(pte_mkdirty(pte_mk_page(0xabcde, GRANT_R | GRANT_W)));

	scratch_clear();
	hw_pte_set(hw, pte);
	contract_check(hw_pte_test_and_clear_young(hw), "a young entry was not young");
	contract_check(pte_same(hw_pte_get(hw), pte_mkold(pte)), "clearing accessed changed something else");
	contract_check(!hw_pte_test_and_clear_young(hw), "an old entry was young");
	contract_check(pte_same(hw_pte_get(hw), pte_mkold(pte)), "asking an old entry changed it");
	hw_pte_get_and_clear(hw);
	hw_pte_set(hw, pte_mk_file(PTE_FILE_PGOFF_MAX, GRANT_R));
	contract_check(!hw_pte_test_and_clear_young(hw), "a file entry was young");
	contract_check(pte_file_pgoff(hw_pte_get(hw)) == PTE_FILE_PGOFF_MAX, "asking a file entry changed it");
	scratch_clear();
	return contract_held();
}

bool contract_hw_cmpxchg(void)
{
	struct hw_pte *hw = hw_pte_at(scratch, (unsigned)pt_entries(0) - 1);
	pte_t a = pte_mk_page(0x12345, GRANT_R), b = pte_mkdirty(a), c = pte_mk_file(77, GRANT_R | GRANT_W);

	scratch_clear();
	contract_check(hw_pte_cmpxchg(hw, pte_none(), a), "exchange of none failed");
	contract_check(pte_same(hw_pte_get(hw), a), "exchange stored something else");
	contract_check(!hw_pte_cmpxchg(hw, b, c), "exchange succeeded although the entry differs");
	contract_check(pte_same(hw_pte_get(hw), a), "failed exchange stored");
	contract_check(hw_pte_cmpxchg(hw, a, b) && hw_pte_cmpxchg(hw, b, c), "exchange failed");
	contract_check(pte_same(hw_pte_get_and_clear(hw), c), "exchange to a file entry");
	contract_check(pte_is_none(hw_pte_get(hw_pte_at(scratch, (unsigned)pt_entries(0) - 2))),
	               "exchange hit its neighbour");
	scratch_clear();
	return contract_held();
}
