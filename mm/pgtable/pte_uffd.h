/*
 * pte_uffd.h - write protection by userfaultfd in entries of every kind, in terms of the decoded view.
 *
 * Layer 4 (mm/pgtable).
 */
#ifndef MM_PGTABLE_PTE_UFFD_H
#define MM_PGTABLE_PTE_UFFD_H

#include <arch/pte.h>
#include "kernel/lib/types.h"

/* The same entry, protected: no hardware RW; or not.  An entry of a file that cannot say it stays as it is.
 * => not none */
static inline pte_t pte_set_uffd_wp(pte_t pte, bool on)
{
	struct pte_view view = pte_decode(pte, 0);

	if (view.kind == PTE_KIND_FILE && !PTE_FILE_UFFD_WP)
		return pte;
	view.uffd_wp = on;
	if (on && (view.kind == PTE_KIND_PAGE || view.kind == PTE_KIND_MIGRATION))
		view.write = false;
	return pte_encode(&view, 0);
}

/* What a page of a file leaves behind that was mapped with @old: page @pgoff, the grants, the protection. */
static inline pte_t pte_leave_file(pte_t old, pgoff_t pgoff)
{
	pte_t pte = pte_mk_file(pgoff, pte_grant(old));

	return unlikely(pte_uffd_wp(old)) ? pte_set_uffd_wp(pte, true) : pte;
}

/* No page, and nothing known but that a page which comes here is protected. */
static inline pte_t pte_mk_uffd_note(unsigned grant)
{
	struct pte_view view = {
		.kind = PTE_KIND_MARKER, .grant = (u8)pte_grant_normal(grant), .uffd_wp = true, .type = PTE_MARKER_NOTE};

	return pte_encode(&view, 0);
}

static inline bool pte_is_uffd_note(pte_t pte)
{
	return pte_is_marker(pte) && pte_decode(pte, 0).type == PTE_MARKER_NOTE;
}

#endif
