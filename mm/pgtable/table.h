/*
 * table.h - table pages: the frames that hold entries.  Layer 4, private to mm/pgtable.
 */
#ifndef MM_PGTABLE_TABLE_H
#define MM_PGTABLE_TABLE_H

#include "mm/pgtable/pgtable.h"

/* A table page of empty entries with its own lock, or NULL. => may sleep */
struct page *table_alloc(void);
void table_free(struct page *table);

#endif
