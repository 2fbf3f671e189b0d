/*
 * nonlinear.h - the half of remap_file_pages(2) that exchanges entries.  Layer 6, private to mm/space.
 */
#ifndef MM_SPACE_NONLINEAR_H
#define MM_SPACE_NONLINEAR_H

#include "mm/space/vma.h"

/* Adjacent entries, and what they are to be: first as asked for, then with what the vma adds. */
struct remap_run {
	vaddr_t start, end;
	pgoff_t pgoff;    /* which page the first one is to show */
	unsigned prot;    /* PROT_* */
	bool own_grants;  /* MAP_CHGPROT: @prot counts */
	bool keep_offset; /* MAP_KEEPOFF: only the grant changes; @pgoff does not count */
	/* from here on: in one vma, by nonlinear.c */
	struct vma *vma;
	pgoff_t linear;       /* which page the first one would show by position */
	unsigned grant;       /* GRANT_* */
	struct pt_slot first; /* where it is, for nonlinear_exchange() */
};

/*
 * Make the runs' entries what they are to be, in order.  Pages that are cached are mapped at once, the others become file
 * entries; returns how many of these there are.  -ENOMEM: nothing was changed.
 * => mm->lock held; all vmas are VM_NONLINEAR and map one object; may sleep.  Old translations are gone on every CPU
 *    when it returns.
 */
long nonlinear_exchange(struct remap_run *runs, unsigned nr);
/* The same for one entry: what emulators do all day. */
long nonlinear_exchange_one(struct vma *vma, vaddr_t va, pgoff_t pgoff, unsigned grant);

/*
 * The same for entries of one page each that all lie in @vma, which is shared, VM_NONLINEAR and VM_MANYPROTS.  False:
 * it is not that simple, something is refused, or there is no memory; nothing was changed. => mm->lock held; may sleep
 */
bool nonlinear_exchange_window(struct vma *vma, const struct remap_entry *entries, unsigned nr, long *absent);

static inline bool one_page(const struct remap_run *run)
{
	return likely(run->end - run->start == PAGE_SIZE);
}

#endif
