/*
 * remap.h - what remap_file_pages(2) has here beyond Linux, and its form for many ranges at once.  Shared with user
 * programs; the structure has the same layout for both word sizes.
 *
 *	long remap_vector(const struct remap_entry *entries, unsigned long nr, unsigned long flags);
 *
 * Does for each entry, in order, what remap_file_pages(addr, length, prot, pgoff, MAP_CHGPROT) does, with one hold of the
 * locks and one TLB flush (one for every 4,096 pages, to be exact).  All entries are judged before the first one is
 * applied: an error changes nothing.  All ranges must be mappings of one file.
 *
 * @flags: 0, or MAP_NONBLOCK: pages that are not in memory are not read in.
 * Returns 0, or EINVAL (nr above REMAP_VECTOR_MAX, unknown flags or prot, an address or length that is not a multiple of
 * the page size or empty, not such a mapping), EOVERFLOW (an offset that no entry can hold), EPERM (a protection that the
 * mapping may never have), EFAULT, ENOMEM, EINTR (killed).  Other kernels: ENOSYS.
 */
#ifndef KERNEL_UAPI_REMAP_H
#define KERNEL_UAPI_REMAP_H

#include <stdint.h>

#define NR_remap_vector 510 /* both widths; Linux 6.12 ends at 462 */

#ifndef MAP_CHGPROT
#define MAP_CHGPROT 0x20000 /* remap_file_pages: prot counts, for these pages only */
#endif
#ifndef MAP_KEEPOFF
#define MAP_KEEPOFF 0x40000000 /* with MAP_CHGPROT: pgoff does not count, each page keeps its own; nothing is read in */
#endif

/* mprotect: where pages have protections of their own (MAP_CHGPROT), change what the others get. */
#define PROT_DEFAULT 0x10000000u

struct remap_entry {
	uint64_t addr, length;
	uint64_t pgoff; /* in pages */
	uint32_t prot;  /* PROT_* */
	uint32_t flags; /* 0 or MAP_KEEPOFF */
};

#define REMAP_VECTOR_MAX 1024

#endif
