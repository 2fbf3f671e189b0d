/*
 * pte_format.c - contract of <arch/pte_format.h>: the description of the format says what pte_decode() says.
 */
#include <arch/pte_format.h>
#include "kernel/lib/string.h"
#include "tests/contract/contract.h"
#include "tests/contract/views.h"

static u8 table[PAGE_SIZE] __aligned(PAGE_SIZE);

static void as_described(const struct pte_view *w, unsigned level)
{
	struct pte_view seen = pte_format_decode(pte_encode(w, level), level);

	contract_check(view_same(&seen, w), "%s is described as another entry", view_text(w, level));
}

/* Does storing entry @index change the bytes that the description names? */
static bool at_its_place(unsigned index)
{
	const u8 *at = table + pte_format_place(0, index);
	u8 before[sizeof(u64)];

	memcpy(before, at, pte_format.bytes);
	hw_pte_set(hw_pte_at(table, index), pte_mk_file(index, GRANT_R));
	return memcmp(before, at, pte_format.bytes) != 0;
}

bool contract_format(void)
{
	contract_check(views_for_each(as_described) > 1000, "too few views");
	contract_check(pte_format_decode(pte_none(), 0).kind == PTE_KIND_NONE, "none is something");
	hw_table_init(table);
	for (unsigned i = 0; i < pt_entries(0); i++)
		contract_check(at_its_place(i), "entry %u is elsewhere", i);
	return contract_held();
}
