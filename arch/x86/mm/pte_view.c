/*
 * pte_view.c - page-table entries decoded and encoded, for dumps, checkers, tests and the kinds of entry that
 * <arch/pte.h> has no maker for.  Layer 1 (x86); pure, compiles on the host too.
 *
 * The law of <arch/pte.h> holds for entries of user mappings and for table entries.  Of a kernel mapping the
 * view shows frame and permissions but not that it is global, supervisor-only or uncached.
 */
#include <asm/pte_view.h>

u64 pte_nx_mask;

static const char *const kind_names[PTE_KIND_COUNT] = {
	[PTE_KIND_NONE] = "none",   [PTE_KIND_PAGE] = "page",           [PTE_KIND_FILE] = "file",
	[PTE_KIND_SWAP] = "swap",   [PTE_KIND_MIGRATION] = "migration", [PTE_KIND_MARKER] = "marker",
	[PTE_KIND_TABLE] = "table",
};

const char *pte_kind_name(enum pte_kind kind)
{
	return kind < PTE_KIND_COUNT ? kind_names[kind] : "?";
}

struct pte_view pte_decode(pte_t pte, unsigned level)
{
	return x86_decode(pte, level);
}

pte_t pte_encode(const struct pte_view *w, unsigned level)
{
	ASSERT(pte_view_valid(w, level));
	switch (w->kind) {
	case PTE_KIND_NONE:
		return pte_none();
	case PTE_KIND_PAGE:
		return x86_encode_page(w, level);
	case PTE_KIND_TABLE:
		return pte_mk_table((pfn_t)w->payload, level);
	default:
		return x86_pte(x86_soft_encode(w));
	}
}

/* Bare: every field but the kind and the payload has its zero value. */
static bool view_bare(const struct pte_view *w)
{
	return !w->grant && !w->write && !w->accessed && !w->dirty && !w->special && !w->uffd_wp && !w->exclusive &&
	       !w->type;
}

static bool pfn_ok(u64 pfn)
{
	return pfn <= X86_PFN_MAX;
}

/* Hardware write needs the grant, and write protection by userfaultfd forbids it. */
static bool page_valid(const struct pte_view *w, unsigned level)
{
	if (w->exclusive || w->type || !pfn_ok(w->payload) || (w->payload & (x86_level_frames(level) - 1)))
		return false;
	return !w->write || ((w->grant & GRANT_W) && !w->uffd_wp);
}

static bool soft_valid(const struct pte_view *w, unsigned level)
{
	bool migration = w->kind == PTE_KIND_MIGRATION;

	if (w->special || (!migration && (w->write || w->accessed || w->dirty)))
		return false;
	if (w->write && (!w->exclusive || !(w->grant & GRANT_W)))
		return false;
	return x86_soft_valid(w, level);
}

bool pte_view_valid(const struct pte_view *w, unsigned level)
{
	if (level >= PT_LEVELS || w->grant != pte_grant_normal(w->grant))
		return false;
	if (w->kind == PTE_KIND_TABLE)
		return level > 0 && view_bare(w) && pfn_ok(w->payload);
	if (w->kind == PTE_KIND_NONE)
		return view_bare(w) && !w->payload;
	if (!pt_geometry[level].leaf)
		return false;
	return w->kind == PTE_KIND_PAGE ? page_valid(w, level) : soft_valid(w, level);
}

bool pte_reserved_ok(pte_t pte, unsigned level)
{
	return pte_is_table(pte, level) || pte_has_page(pte) || x86_soft_reserved_ok(X86_VAL(pte), level);
}
