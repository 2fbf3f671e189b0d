/*
 * outer_table.h - page tables for somebody else: nested paging, an IOMMU.
 *
 * Layer 7 (mm/service).  Hardware other than the CPU's own MMU walks these: 512 entries of 64 bits a table, 4 KiB pages, three or
 * four levels; the bits are its own, and come from whoever owns the table.  They are filled from a mirror (mirror.h): a
 * leaf is written under the lock of the subscription that answers for its address, and only there.  Tables on the way
 * are made before that lock is taken, and stay until the end.
 */
#ifndef MM_SERVICE_OUTER_TABLE_H
#define MM_SERVICE_OUTER_TABLE_H

#include "kernel/sync/spinlock.h"
#include "mm/phys/page.h"

struct outer_table {
	unsigned levels;
	u64 (*table_entry)(paddr_t pa); /* what leads to a table; no entry is 0 */
	u64 *root;
	spinlock_t lock; /* to put a table in */
	unsigned long tables;
};

#define OUTER_SHIFT(level) (PAGE_SHIFT + 9 * (level))

/* An empty one. 0, -ENOMEM. */
int outer_table_init(struct outer_table *t, unsigned levels, u64 (*table_entry)(paddr_t pa));
/* => no hardware walks it any more */
void outer_table_free(struct outer_table *t);
/* First address that is beyond it. */
static inline u64 outer_table_end(const struct outer_table *t)
{
	return (u64)1 << OUTER_SHIFT(t->levels);
}
/* Have the tables for the entry of @address. 0, -ENOMEM. => may sleep */
int outer_table_prepare(struct outer_table *t, u64 address);
/* The live entry of @address, 64 bits that hardware may set bits in; NULL: no table. => any context */
u64 *outer_table_entry(const struct outer_table *t, u64 address);

#endif
