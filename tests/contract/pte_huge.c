/*
 * pte_huge.c - contract of <arch/pte.h>: entries at level 1 that map a page themselves (T4-13).
 */
#include <arch/pgtable.h>
#include "tests/contract/contract.h"

/* Frames that a huge entry can begin with. */
static pfn_t frame(unsigned i)
{
	static const pfn_t multiples[] = {0, 1, 2, 5, 0x17};

	return multiples[i] << pt_geometry[0].bits;
}
#define FRAMES 5

/* It is huge where it may be, and nothing else. */
static void check_kind(pte_t huge)
{
	contract_check(pte_is_huge(huge, 1) && !pte_is_table(huge, 1), "a huge entry is a table");
	contract_check(pte_has_page(huge) && !pte_is_none(huge) && !pte_is_file(huge) && !pte_is_swap(huge) &&
	                   !pte_is_migration(huge) && !pte_is_marker(huge),
	               "a huge entry is of another kind too");
	contract_check(!pte_is_huge(pte_huge_part(huge, 0), 0), "an entry of a leaf table is huge");
}

/* A part is what a leaf table would have: all but the frame as in the whole. */
static void check_parts(pte_t page, pte_t huge)
{
	unsigned last = (unsigned)pt_entries(0) - 1;

	contract_check(pte_same(pte_huge_part(huge, 0), page), "the first part differs from what it was made of");
	for (unsigned i = 0; i <= last; i++) {
		pte_t part = pte_huge_part(huge, i);

		contract_check(pte_pfn(part) == pte_pfn(page) + i, "part %u has frame %lx, not %lx", i, pte_pfn(part),
		               pte_pfn(page) + i);
		contract_check(pte_grant(part) == pte_grant(page) && pte_hw_write(part) == pte_hw_write(page) &&
		                   pte_young(part) == pte_young(page) && pte_dirty(part) == pte_dirty(page) &&
		                   pte_special(part) == pte_special(page),
		               "part %u has other bits", i);
	}
}

/* Changes mean at level 1 what they mean at level 0. */
static void check_changes(pte_t page, pte_t huge)
{
	contract_check(pte_same(pte_mk_huge(pte_mkold(page)), pte_mkold(huge)), "mkold");
	contract_check(pte_same(pte_mk_huge(pte_mkdirty(page)), pte_mkdirty(huge)), "mkdirty");
	contract_check(pte_same(pte_mk_huge(pte_wrprotect(page)), pte_wrprotect(huge)), "wrprotect");
	for (unsigned grant = 0; grant <= GRANT_MASK; grant++) {
		pte_t other = pte_with_grant(huge, grant);

		contract_check(pte_same(pte_mk_huge(pte_with_grant(page, grant)), other), "with_grant %u", grant);
		contract_check(pte_is_huge(other, 1) && pte_accessible(other) == (pte_grant_normal(grant) != GRANT_NONE),
		               "a huge entry with grant %u", grant);
	}
}

static void check_entry(pte_t page)
{
	pte_t huge = pte_mk_huge(page);
	struct pte_view view = pte_decode(huge, 1);

	check_kind(huge);
	check_parts(page, huge);
	check_changes(page, huge);
	contract_check(view.kind == PTE_KIND_PAGE && view.payload == pte_pfn(page) && pte_view_valid(&view, 1) &&
	                   pte_same(pte_encode(&view, 1), huge),
	               "the view of a huge entry for frame %lx", pte_pfn(page));
}

bool contract_huge_values(void)
{
	contract_check(pt_geometry[1].leaf, "no leaf at level 1");
	for (unsigned i = 0; i < FRAMES; i++)
		for (unsigned grant = 0; grant <= GRANT_MASK; grant++) {
			pte_t page = pte_mk_page(frame(i), grant);

			check_entry(page);
			check_entry(pte_mkdirty(page));
			check_entry(pte_mkold(page));
			check_entry(pte_mk_special(frame(i), grant));
			if (pte_grant(page) & GRANT_W)
				check_entry(pte_mkwrite(pte_mkdirty(page)));
		}
	contract_check(!pte_is_huge(pte_none(), 1) && !pte_is_huge(pte_mk_table(5, 1), 1), "nothing, or a table, is huge");
	return contract_held();
}
