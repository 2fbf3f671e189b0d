/*
 * zap.h - empty the entries of a range, keeping what must be kept.  Layer 5b.
 */
#ifndef MM_OBJECT_ZAP_H
#define MM_OBJECT_ZAP_H

#include "mm/object/object.h"
#include "mm/pgtable/gather.h"

enum zap_mode {
	ZAP_UNMAP, /* the range goes away: every entry becomes none, off-position nodes are freed */
	ZAP_DROP,  /* the pages go, the mapping stays: what a nonlinear entry knows becomes a file entry */
};

/* Which pages of a linear or nonlinear mapping an address stands for. */
struct zap {
	struct mmu_gather *gather;
	struct object_maps *maps;      /* NULL: anonymous memory */
	struct nonlinear_index *index; /* NULL: linear.  Not NULL: maps->lock is held for writing */
	vaddr_t va;                    /* some address of the mapping ... */
	pgoff_t pgoff;                 /* ... and its linear offset */
	enum zap_mode mode;
	bool keep_grants;    /* DROP: a page with its own grants leaves a file entry even in position */
	bool lost_writer;    /* zap.c: a writable entry of a cached page was emptied and is not flushed yet */
	bool keep_copies;    /* leave private copies alone (hole punch) */
	bool keep_strangers; /* leave those alone that stand for a page off position (truncate) */
};

/* => mmap lock for writing, or reading with DROP, or (truncate) maps->lock: the range cannot go away.
 *    The caller finishes the gather. */
void zap_range(struct zap *z, vaddr_t start, vaddr_t end);

/* The linear offset of @va. */
static inline pgoff_t zap_linear_pgoff(const struct zap *z, vaddr_t va)
{
	return z->pgoff + ((va - z->va) >> PAGE_SHIFT); /* unsigned arithmetic: also right below z->va */
}

#endif
