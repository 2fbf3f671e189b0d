/*
 * usage.h - what an address space has in memory and in swap, page by page.  Layer 7 (mm/service).
 */
#ifndef MM_SERVICE_USAGE_H
#define MM_SERVICE_USAGE_H

#include "mm/space/mm.h"

/* Pages of a range, counted as /proc/<pid>/smaps does. */
struct vma_usage {
	unsigned long rss, shared_clean, shared_dirty, private_clean, private_dirty;
	unsigned long referenced, anonymous, lazy_free, file, shmem, swap;
	u64 pss, pss_dirty, swap_pss; /* in 1/4096 of a page: each one counts 1 / (entries that map it) */
	unsigned long locked;
	unsigned long anon_huge; /* anonymous ones that huge entries map */
};
/* Adds what [@vma] has. => mm->lock held */
void vma_usage(struct vma *vma, struct vma_usage *u);

/* One word of /proc/<pid>/pagemap for each page from @start on, @n of them. => mm->lock not held */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAP (1ull << 62)
#define PAGEMAP_FILE (1ull << 61)
#define PAGEMAP_UFFD_WP (1ull << 57)
#define PAGEMAP_EXCLUSIVE (1ull << 56)
void mm_pagemap(struct mm *mm, vaddr_t start, unsigned long n, u64 *words);

#endif
