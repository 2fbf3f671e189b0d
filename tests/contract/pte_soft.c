/*
 * pte_soft.c - contract of <arch/pte.h>: entries without a page (T4-13, T4-19, T0-06).
 */
#include "tests/contract/contract.h"
#include "tests/contract/views.h"

static const enum pte_kind soft_kinds[] = {PTE_KIND_FILE, PTE_KIND_SWAP, PTE_KIND_MIGRATION, PTE_KIND_MARKER};

/* -- T4-13: round trip ------------------------------------------------------------------------------------ */
static void round_trip(const struct pte_view *w, unsigned level)
{
	pte_t pte = pte_encode(w, level);
	struct pte_view back = pte_decode(pte, level);

	contract_check(view_same(w, &back), "decode(encode) differs: %s", view_text(w, level));
	contract_check(pte_same(pte_encode(&back, level), pte), "encode(decode) differs: %s", view_text(w, level));
}

static bool can_hold(struct pte_view w)
{
	w.grant = (u8)pte_grant_normal(w.grant);
	return pte_view_valid(&w, 0);
}

/* The limits that the format announces are reached, and are limits. */
static void swap_limits(void)
{
	struct pte_view w = {.kind = PTE_KIND_SWAP, .exclusive = true, .uffd_wp = true};

	for (unsigned grant = 0; grant <= GRANT_MASK; grant++)
		for (unsigned type = 0; type <= PTE_SWAP_TYPE_MAX; type++) {
			w.grant = (u8)grant;
			w.type = (u8)type;
			w.payload = PTE_SWAP_SLOT_MAX;
			contract_check(can_hold(w), "the last slot of area %u, grant %u, is refused", type, grant);
			w.payload++;
			contract_check(!can_hold(w), "a slot past the last is accepted, area %u", type);
		}
	w.type = PTE_SWAP_TYPE_MAX + 1;
	w.payload = 0;
	contract_check(!can_hold(w), "an area past the last is accepted");
}

/* Every grant and flag that a page may have survives its migration. */
static void migration_limits(void)
{
	struct pte_view w = {.kind = PTE_KIND_MIGRATION, .accessed = true, .dirty = true, .uffd_wp = true};

	for (unsigned grant = 0; grant <= GRANT_MASK; grant++) {
		w.grant = (u8)grant;
		w.write = grant & GRANT_W;
		w.exclusive = w.write;
		w.payload = 0xfffff;
		contract_check(can_hold(w), "migration of the frame below 4 GiB, grant %u, is refused", grant);
	}
}

bool contract_soft_round_trip(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(soft_kinds); i++) {
		unsigned long n = views_for_kind(soft_kinds[i], round_trip);

		contract_check(n >= 8, "only %lu views of kind %s", n, pte_kind_name(soft_kinds[i]));
	}
	swap_limits();
	migration_limits();
	return contract_held();
}

/* -- T4-13: exactly one kind -------------------------------------------------------------------------------- */
static void one_kind(const struct pte_view *w, unsigned level)
{
	pte_t pte = pte_encode(w, level);
	bool none = pte_is_none(pte), table = pte_is_table(pte, level), page = !table && pte_has_page(pte);
	bool file = pte_is_file(pte), swap = pte_is_swap(pte), migration = pte_is_migration(pte);
	bool marker = pte_is_marker(pte);
	bool right[PTE_KIND_COUNT] = {none, page, file, swap, migration, marker, table};
	unsigned sum = none + page + file + swap + migration + marker + table;

	contract_check(sum == 1 && right[w->kind], "%u kinds claim %s", sum, view_text(w, level));
	if (w->kind != PTE_KIND_PAGE && w->kind != PTE_KIND_TABLE)
		contract_check(!pte_accessible(pte), "hardware would use %s", view_text(w, level));
	if (w->kind != PTE_KIND_TABLE)
		contract_check(pte_uffd_wp(pte) == w->uffd_wp, "uffd-wp lost: %s", view_text(w, level));
}

bool contract_soft_kinds(void)
{
	views_for_each(one_kind);
	contract_check(pte_is_none(pte_none()), "none is not none");
	contract_check(pte_grant(pte_none()) == GRANT_NONE, "none grants something");
	return contract_held();
}

/* -- T4-19: bits that must stay clear ------------------------------------------------------------------------- */
static void reserved_clear(const struct pte_view *w, unsigned level)
{
	contract_check(pte_reserved_ok(pte_encode(w, level), level), "reserved bit set in %s", view_text(w, level));
}

bool contract_reserved_bits(void)
{
	views_for_each(reserved_clear);
	return contract_held();
}

/* -- T0-06, the encoding's half: exact offsets up to the limit -------------------------------------------------- */
static void file_offset(u64 pgoff, unsigned grant)
{
	pte_t pte = pte_mk_file((pgoff_t)pgoff, grant), other = pte_with_grant(pte, GRANT_MASK & ~grant);

	contract_check(pte_is_file(pte) && pte_file_pgoff(pte) == pgoff, "offset %llx reads back as %lx",
	               (unsigned long long)pgoff, pte_file_pgoff(pte));
	contract_check(pte_grant(pte) == pte_grant_normal(grant), "offset %llx: grant %u reads back as %u",
	               (unsigned long long)pgoff, grant, pte_grant(pte));
	contract_check(!pte_accessible(pte) && !pte_has_page(pte), "offset %llx looks like a page",
	               (unsigned long long)pgoff);
	contract_check(pte_is_file(other) && pte_file_pgoff(other) == pgoff, "a new grant changes offset %llx",
	               (unsigned long long)pgoff);
}

bool contract_file_limits(void)
{
	struct pte_view past = {.kind = PTE_KIND_FILE, .payload = (u64)PTE_FILE_PGOFF_MAX + 1};
	u64 max = PTE_FILE_PGOFF_MAX;

	for (unsigned grant = 0; grant <= GRANT_MASK; grant++) {
		for (u64 bit = 1; bit && bit - 1 <= max; bit <<= 1) {
			file_offset(bit - 1, grant);
			if (bit <= max)
				file_offset(bit, grant);
			file_offset(max - (bit - 1), grant);
		}
		file_offset(max & 0x5555555555555555, grant);
		file_offset(max & 0xaaaaaaaaaaaaaaaa, grant);
	}
	contract_check(!pte_view_valid(&past, 0), "an offset past the limit is accepted");
	past.payload--;
	contract_check(pte_view_valid(&past, 0), "the last offset is refused");
	return contract_held();
}
