/*
 * views.h - all interesting decoded entries, for the contract tests of page-table entries.
 */
#ifndef TESTS_CONTRACT_VIEWS_H
#define TESTS_CONTRACT_VIEWS_H

#include <arch/pgtable.h>

typedef void view_fn(const struct pte_view *view, unsigned level);

/* Call @fn for every valid view whose fields take boundary values, at every level. Returns their number. */
unsigned long views_for_each(view_fn *fn);
/* The same for one kind. */
unsigned long views_for_kind(enum pte_kind kind, view_fn *fn);

bool view_same(const struct pte_view *a, const struct pte_view *b);
/* "file grant=3 ..." for messages; one static buffer. */
const char *view_text(const struct pte_view *view, unsigned level);

#endif
