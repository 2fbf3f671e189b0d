/*
 * pte_view.c - page-table entries decoded and encoded, for dumps, checkers, tests and the kinds of entry that
 * <arch/pte.h> has no maker for.  Layer 1 (x86); pure, compiles on the host too.
 *
 * The law of <arch/pte.h> holds for entries of user mappings and for table entries.  Of a kernel mapping the
 * view shows frame and permissions but not that it is global, supervisor-only or uncached.
 */
#include <asm/pte_layout.h>
#include <arch/pgtable.h>

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

/* Frames in one entry at @level: the low bits of a large page's frame number that must be zero (one of them
 * is the PAT bit), plus one. */
static u64 level_frames(unsigned level)
{
	return (u64)1 << (pt_geometry[level].shift - PAGE_SHIFT);
}

static void decode_page(pteval_t v, unsigned level, struct pte_view *w)
{
	pte_t pte = x86_pte(v);

	w->kind = PTE_KIND_PAGE;
	w->grant = (u8)pte_grant(pte);
	w->write = pte_hw_write(pte);
	w->accessed = pte_young(pte);
	w->dirty = pte_dirty(pte);
	w->special = pte_special(pte);
	w->uffd_wp = pte_uffd_wp(pte);
	w->payload = (u64)pte_pfn(pte) & ~(level_frames(level) - 1);
}

struct pte_view pte_decode(pte_t pte, unsigned level)
{
	struct pte_view w = {.kind = PTE_KIND_NONE};

	if (pte_is_table(pte, level)) {
		w.kind = PTE_KIND_TABLE;
		w.payload = pte_table_pfn(pte);
	} else if (pte_has_page(pte)) {
		decode_page(pte.pteval, level, &w);
	} else if (!pte_is_none(pte)) {
		x86_soft_decode(pte.pteval, &w);
	}
	return w;
}

static pte_t encode_page(const struct pte_view *w, unsigned level)
{
	pteval_t v = pte_mk_page((pfn_t)w->payload, w->grant).pteval;

	if (!w->accessed)
		v &= ~X86_PTE_A;
	v |= level ? X86_PTE_PSE : 0;
	v |= w->write ? X86_PTE_RW : 0;
	v |= w->dirty ? X86_PTE_D : 0;
	v |= w->special ? X86_PTE_SPECIAL : 0;
	v |= w->uffd_wp ? X86_PTE_UFFD_WP : 0;
	return x86_pte(v);
}

pte_t pte_encode(const struct pte_view *w, unsigned level)
{
	ASSERT(pte_view_valid(w, level));
	switch (w->kind) {
	case PTE_KIND_NONE:
		return pte_none();
	case PTE_KIND_PAGE:
		return encode_page(w, level);
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
	return pfn <= (u64)(X86_PTE_PFN >> PAGE_SHIFT);
}

/* Hardware write needs the grant, and write protection by userfaultfd forbids it. */
static bool page_valid(const struct pte_view *w, unsigned level)
{
	if (w->exclusive || w->type || !pfn_ok(w->payload) || (w->payload & (level_frames(level) - 1)))
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

/* Bit 8 always; bits 5 and 6 in 8-byte entries, where some CPUs set them behind our back; bit 7, "a large page
 * being split", above level 0.  The 4-byte format has no bits to spare and no such CPUs. */
bool pte_reserved_ok(pte_t pte, unsigned level)
{
	pteval_t clear = X86_PTE_PROTNONE;

	if (pte_is_table(pte, level) || pte_has_page(pte))
		return true;
	if (sizeof(pteval_t) == 8)
		clear |= X86_PTE_A | X86_PTE_D;
	if (level > 0)
		clear |= X86_PTE_PSE;
	return !(pte.pteval & clear);
}
