/*
 * usage.c - counting the entries of a range: /proc/<pid>/smaps and pagemap.
 *
 * Layer 7 (mm/service).  Interface: usage.h.  Lock order: mm->lock (read), PTL.  Numbers of one moment each: reclaim and
 * other processes go on meanwhile.
 */
#include "mm/service/usage.h"

#include "mm/pgtable/huge.h"
#include "mm/pgtable/pte_migration.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

#define PSS_SHIFT 12

/* -- smaps --------------------------------------------------------------------------------------------------------------- */

static unsigned entries_of(const struct page *page)
{
	int n = __atomic_load_n(&page->mapcount, __ATOMIC_RELAXED);

	return n > 0 ? (unsigned)n : 1;
}

/* Whose page it is, in Linux's words. */
static void count_kind(struct vma_usage *u, const struct page *page)
{
	bool backed = page_test(page, PG_SWAPBACKED);

	if (page_test(page, PG_ANON)) {
		u->anonymous++;
		u->lazy_free += !backed;
	} else if (backed) {
		u->shmem++;
	} else {
		u->file++;
	}
}

static void count_page(struct vma_usage *u, pte_t pte, const struct page *page)
{
	bool dirty = pte_dirty(pte) || page_test(page, PG_DIRTY);
	unsigned entries = entries_of(page);
	u64 share = (1ull << PSS_SHIFT) / entries;

	u->rss++;
	count_kind(u, page);
	u->referenced += pte_young(pte) || page_test(page, PG_REFERENCED);
	u->pss += share;
	if (dirty)
		u->pss_dirty += share;
	if (entries > 1)
		*(dirty ? &u->shared_dirty : &u->shared_clean) += 1;
	else
		*(dirty ? &u->private_dirty : &u->private_clean) += 1;
}

static int count_extent(struct pt_extent *x, void *ctx)
{
	struct vma_usage *u = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (pte_is_swap(pte)) {
			u->swap++;
			u->swap_pss += 1ull << PSS_SHIFT;
		} else if (pte_page_if_any(pte)) {
			count_page(u, pte, pte_page_if_any(pte));
		}
	}
	return 0;
}

static int count_huge(struct pt_huge *h, void *ctx)
{
	struct vma_usage *u = ctx;

	if (pte_special(h->pte))
		return 0;
	for (vaddr_t va = h->va; va < h->end; va += PAGE_SIZE) {
		pte_t pte = pt_huge_part(h->pte, pt_index(0, va));

		count_page(u, pte, pfn_to_page(pte_pfn(pte)));
	}
	u->anon_huge += (h->end - h->va) >> PAGE_SHIFT;
	return 0;
}

void vma_usage(struct vma *vma, struct vma_usage *u)
{
	unsigned long before = u->rss;

	pt_walk_huge(&vma->mm->pt, vma->start, vma->end, count_extent, count_huge, u);
	if (vma->flags & VM_LOCKED)
		u->locked += u->rss - before;
}

/* -- pagemap --------------------------------------------------------------------------------------------------------------- */

struct pagemap {
	vaddr_t start;
	u64 *words;
};

static u64 word_of(pte_t pte)
{
	const struct page *page;
	u64 word;

	if (pte_is_none(pte))
		return 0;
	word = pte_uffd_wp(pte) ? PAGEMAP_UFFD_WP : 0;
	if (pte_is_swap(pte)) {
		struct pte_view view = pte_decode(pte, 0);

		return word | PAGEMAP_SWAP | view.payload << 5 | view.type;
	}
	if (pte_has_page(pte) && pte_special(pte))
		return word | PAGEMAP_PRESENT | pte_pfn(pte);
	page = pte_page_if_any(pte); /* one on its way to another frame is in memory */
	if (!page)
		return word;
	word |= PAGEMAP_PRESENT | page_to_pfn(page);
	if (!page_test(page, PG_ANON))
		word |= PAGEMAP_FILE;
	return entries_of(page) == 1 ? word | PAGEMAP_EXCLUSIVE : word;
}

static int map_extent(struct pt_extent *x, void *ctx)
{
	struct pagemap *m = ctx;

	for (; x->va < x->end; pt_extent_next(x))
		m->words[(x->va - m->start) >> PAGE_SHIFT] = word_of(hw_pte_get(x->hw));
	return 0;
}

static int map_huge(struct pt_huge *h, void *ctx)
{
	struct pagemap *m = ctx;

	for (vaddr_t va = h->va; va < h->end; va += PAGE_SIZE)
		m->words[(va - m->start) >> PAGE_SHIFT] = word_of(pt_huge_part(h->pte, pt_index(0, va)));
	return 0;
}

void mm_pagemap(struct mm *mm, vaddr_t start, unsigned long n, u64 *words)
{
	struct pagemap m = {.start = start, .words = words};

	for (unsigned long i = 0; i < n; i++)
		words[i] = 0;
	rwsem_read_lock(&mm->lock);
	pt_walk_huge(&mm->pt, start, start + (n << PAGE_SHIFT), map_extent, map_huge, &m);
	rwsem_read_unlock(&mm->lock);
}
