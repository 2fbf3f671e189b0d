/*
 * pte_page.c - contract of <arch/pte.h>: entries with a page, tables, kernel entries (T4-13, T4-18).
 */
#include "tests/contract/contract.h"
#include "tests/contract/views.h"

static const pfn_t frames[] = {0, 1, 0x100, 0x54321, 0xfffff};

/* -- T4-13: round trip -------------------------------------------------------------------------------------- */
static void round_trip(const struct pte_view *w, unsigned level)
{
	pte_t pte = pte_encode(w, level);
	struct pte_view back = pte_decode(pte, level);

	contract_check(view_same(w, &back), "decode(encode) differs: %s", view_text(w, level));
	contract_check(pte_same(pte_encode(&back, level), pte), "encode(decode) differs: %s", view_text(w, level));
}

bool contract_page_round_trip(void)
{
	static const enum pte_kind kinds[] = {PTE_KIND_NONE, PTE_KIND_PAGE, PTE_KIND_TABLE};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		contract_check(views_for_kind(kinds[i], round_trip) > 0, "no view of kind %s", pte_kind_name(kinds[i]));
	return contract_held();
}

/* -- T4-18, the values' half: what a grant lets through --------------------------------------------------------- */
/* The rule that every format follows: who may write or execute may read; without NX, reading is executing. */
static unsigned expected_grant(unsigned asked)
{
	unsigned grant = asked;

	if (asked & (GRANT_W | GRANT_X))
		grant |= GRANT_R;
	if (!PTE_HAS_NX)
		grant = (grant & ~GRANT_X) | (grant & GRANT_R ? GRANT_X : 0);
	return grant;
}

static void check_grant(pfn_t pfn, unsigned asked)
{
	unsigned want = expected_grant(asked);
	pte_t pte = pte_mk_page(pfn, asked);

	contract_check(pte_grant(pte) == want, "page %lx: grant %u became %u, not %u", pfn, asked, pte_grant(pte), want);
	contract_check(pte_grant_normal(asked) == want, "normal grant of %u is %u", asked, pte_grant_normal(asked));
	contract_check(pte_has_page(pte) && pte_pfn(pte) == pfn, "grant %u lost page %lx", asked, pfn);
	contract_check(pte_accessible(pte) == (want != GRANT_NONE), "grant %u: accessible is wrong", asked);
	contract_check(!pte_hw_write(pte), "grant %u: born with hardware write", asked);
	if (want & GRANT_W)
		contract_check(pte_hw_write(pte_mkwrite(pte)), "grant %u: mkwrite has no effect", asked);
}

bool contract_grants(void)
{
	for (unsigned grant = 0; grant <= GRANT_MASK; grant++)
		for (unsigned i = 0; i < ARRAY_SIZE(frames); i++)
			check_grant(frames[i], grant);
	return contract_held();
}

static void check_change(pte_t pte, unsigned to)
{
	pte_t now = pte_with_grant(pte, to);

	contract_check(pte_grant(now) == expected_grant(to), "grant %u to %u gives %u", pte_grant(pte), to, pte_grant(now));
	contract_check(pte_has_page(now) && pte_pfn(now) == pte_pfn(pte), "grant %u to %u loses the page", pte_grant(pte),
	               to);
	contract_check(pte_young(now) == pte_young(pte) && pte_dirty(now) == pte_dirty(pte) &&
	                   pte_special(now) == pte_special(pte),
	               "grant %u to %u changes accessed, dirty or special", pte_grant(pte), to);
	contract_check(!pte_hw_write(now), "grant %u to %u leaves hardware write on", pte_grant(pte), to);
}

bool contract_grant_changes(void)
{
	for (unsigned from = 0; from <= GRANT_MASK; from++)
		for (unsigned to = 0; to <= GRANT_MASK; to++)
			for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
				pte_t pte = pte_mk_page(frames[i], from);

				check_change(pte, to);
				check_change(pte_mkold(pte), to);
				check_change(pte_mkdirty(pte), to);
				check_change(pte_mk_special(frames[i], from), to);
				if (pte_grant(pte) & GRANT_W)
					check_change(pte_mkwrite(pte_mkdirty(pte)), to);
			}
	return contract_held();
}

/* -- values ---------------------------------------------------------------------------------------------------- */
static void check_flags(pte_t pte)
{
	pte_t dirty = pte_mkdirty(pte), old = pte_mkold(dirty);

	contract_check(pte_young(pte) && !pte_dirty(pte) && !pte_uffd_wp(pte), "a new page is young and clean");
	contract_check(pte_dirty(dirty) && pte_young(dirty), "mkdirty");
	contract_check(pte_dirty(old) && !pte_young(old), "mkold touches dirty");
	contract_check(pte_same(pte_mkclean(pte_mkyoung(old)), pte), "mkclean and mkyoung do not undo");
	contract_check(pte_same(pte_wrprotect(pte), pte), "wrprotect changes a protected entry");
	if (pte_grant(pte) & GRANT_W) {
		pte_t w = pte_mkwrite(dirty);

		contract_check(pte_same(pte_wrprotect(w), dirty), "wrprotect does not undo mkwrite");
		contract_check(pte_grant(pte_wrprotect(w)) & GRANT_W, "wrprotect takes the grant");
	}
}

bool contract_page_values(void)
{
	for (unsigned grant = 0; grant <= GRANT_MASK; grant++)
		for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
			pte_t pte = pte_mk_page(frames[i], grant), special = pte_mk_special(frames[i], grant);

			check_flags(pte);
			check_flags(special);
			contract_check(!pte_special(pte) && pte_special(special), "special");
			contract_check(pte_pfn(special) == frames[i] && pte_grant(special) == pte_grant(pte), "special differs");
		}
	return contract_held();
}

bool contract_table_values(void)
{
	for (unsigned level = 1; level < PT_LEVELS; level++)
		for (unsigned i = 0; i < ARRAY_SIZE(frames); i++) {
			pte_t pte = pte_mk_table(frames[i], level);

			contract_check(pte_is_table(pte, level), "level %u: a table is no table", level);
			contract_check(pte_table_pfn(pte) == frames[i], "level %u: table frame lost", level);
			contract_check(!pte_is_none(pte), "level %u: a table is none", level);
		}
	for (unsigned level = 0; level < PT_LEVELS && pt_geometry[level].leaf; level++) {
		pte_t pte = pte_mk_kernel(0, level, KMAP_UNCACHED);

		contract_check(!pte_is_table(pte, level) && pte_accessible(pte), "level %u: kernel leaf", level);
		contract_check(pte_hw_write(pte) && pte_pfn(pte_mk_kernel(7, 0, KMAP_CACHED)) == 7,
		               "kernel leaf: write, frame");
		contract_check(!PTE_HAS_NX || !(pte_grant(pte) & GRANT_X), "level %u: kernel leaf is executable", level);
	}
	contract_check(!pte_is_table(pte_mk_page(1, GRANT_R), 0), "a leaf entry is a table");
	return contract_held();
}
