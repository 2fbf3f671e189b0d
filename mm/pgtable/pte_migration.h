/*
 * pte_migration.h - entries whose page is being moved to another frame, in terms of the decoded view: one text for every
 * format.
 *
 * Layer 4 (mm/pgtable).  Such an entry says everything that the page entry said in whose place it is (grants, hardware RW,
 * accessed, dirty, write protection by userfaultfd) and the frame that the page is leaving.  Of an anonymous page it also
 * says whether that was this mapping's alone.  docs/migration.md tells who sets and who removes them.
 */
#ifndef MM_PGTABLE_PTE_MIGRATION_H
#define MM_PGTABLE_PTE_MIGRATION_H

#include <arch/pte.h>
#include "kernel/lib/assert.h"
#include "mm/phys/page.h"

/* What takes the place of @page, a page entry; @exclusive: the page is this mapping's alone. */
static inline pte_t pte_mk_migration(pte_t page, bool exclusive)
{
	struct pte_view view = pte_decode(page, 0);

	ASSERT(view.kind == PTE_KIND_PAGE && !view.special);
	view.kind = PTE_KIND_MIGRATION;
	view.exclusive = exclusive || view.write; /* no format has room for "writable, but not exclusive" */
	return pte_encode(&view, 0);
}

/* And back, for frame @pfn. */
static inline pte_t pte_end_migration(pte_t pte, pfn_t pfn)
{
	struct pte_view view = pte_decode(pte, 0);

	ASSERT(view.kind == PTE_KIND_MIGRATION);
	view.kind = PTE_KIND_PAGE;
	view.exclusive = false;
	view.payload = pfn;
	return pte_encode(&view, 0);
}

/* The page that is leaving. */
static inline struct page *pte_migrating(pte_t pte)
{
	struct pte_view view = pte_decode(pte, 0);

	ASSERT(view.kind == PTE_KIND_MIGRATION);
	return pfn_to_page((pfn_t)view.payload);
}

/* Of an anonymous page: was it, and is it still, this mapping's alone? */
static inline bool pte_migration_exclusive(pte_t pte)
{
	return pte_decode(pte, 0).exclusive;
}

/* The same page, now shared: fork. */
static inline pte_t pte_migration_share(pte_t pte)
{
	struct pte_view view = pte_decode(pte, 0);

	view.write = view.exclusive = false;
	return pte_encode(&view, 0);
}

/* An entry of any kind but none and page with another grant; what was not granted meanwhile must be asked for again. */
static inline pte_t pte_regrant_soft(pte_t pte, unsigned grant)
{
	struct pte_view view;

	if (!pte_is_migration(pte))
		return pte_with_grant(pte, grant);
	view = pte_decode(pte, 0);
	view.grant = (u8)pte_grant_normal(grant);
	view.write = view.write && (grant & GRANT_W);
	return pte_encode(&view, 0);
}

/* The page that an entry stands for, mapped or on its way to another frame; NULL: none with a record. */
static inline struct page *pte_page_if_any(pte_t pte)
{
	if (pte_has_page(pte))
		return pte_special(pte) ? NULL : pfn_to_page(pte_pfn(pte));
	return pte_is_migration(pte) ? pte_migrating(pte) : NULL;
}

#endif
