/*
 * audit_entry.c - the auditor on one address space's entries, against its vmas and the pages they map.
 * Layer 8 (mm/debug).  Interface: audit.h.  Takes maps.lock for reading, then one PTL at a time.
 *
 * Entries are only asked what any generic code may ask them.
 */
#include "mm/debug/audit.h"
#include "mm/object/pagecache.h"
#include "mm/pgtable/huge.h"
#include "mm/pgtable/pte_migration.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

struct walk {
	struct audit *a;
	struct vma *vma;     /* NULL: between the vmas */
	unsigned long pages; /* that count as resident, of the whole mm */
	unsigned long swapped;
	unsigned long huge; /* entries */
};

#define entry_error(w, va, fmt, ...) audit_error((w)->a, "entry %lx: " fmt, (unsigned long)(va), ##__VA_ARGS__)

/* -- what the address allows ------------------------------------------------------------------------------------- */

static void check_grant(struct walk *w, vaddr_t va, pte_t pte)
{
	unsigned grant = pte_grant(pte), may = w->vma->flags >> 4;

	if (!(w->vma->flags & VM_MANYPROTS)) {
		if (grant != pte_grant_normal(vma_grant(w->vma)))
			entry_error(w, va, "grants %x in a vma that grants %x", grant, vma_grant(w->vma));
		return;
	}
	if ((grant & GRANT_W && !(may & VM_WRITE)) || (PTE_HAS_NX && grant & GRANT_X && !(may & VM_EXEC)))
		entry_error(w, va, "grants %x, more than the vma may: flags %x", grant, w->vma->flags);
}

/* Entry and index agree on which page this address stands for. => maps.lock if the vma is nonlinear */
static void check_position(struct walk *w, vaddr_t va, pgoff_t pgoff)
{
	struct nonlinear_index *idx = w->vma->link.nonlinear;

	if (pgoff == vma_pgoff(w->vma, va))
		return;
	if (!idx) {
		entry_error(w, va, "stands for page %lx, not %lx, in a linear vma", pgoff, vma_pgoff(w->vma, va));
		return;
	}
	if (!nonlinear_index_has(idx, pgoff, va))
		entry_error(w, va, "stands for page %lx, off position, and has no node", pgoff);
}

/* -- kinds of entry --------------------------------------------------------------------------------------------------- */

static void check_anon(struct walk *w, vaddr_t va, pte_t pte, const struct page *page)
{
	if (!vma_private(w->vma))
		entry_error(w, va, "anonymous page %lx in a shared vma", page_to_pfn(page));
	if (page_test(page, PG_MERGED)) { /* no family leads to it */
		if (pte_hw_write(pte) || page_test(page, PG_ANON_EXCLUSIVE))
			entry_error(w, va, "merged page %lx is writable, or exclusive", page_to_pfn(page));
		return;
	}
	if (!anon_range_has(&w->vma->anon, page->family))
		entry_error(w, va, "anonymous page %lx is of a family that the vma does not belong to", page_to_pfn(page));
	if (page->index != vma_pgoff(w->vma, va))
		entry_error(w, va, "anonymous page %lx has index %lx, not %lx", page_to_pfn(page), page->index,
		            vma_pgoff(w->vma, va));
	if (pte_hw_write(pte) && !page_test(page, PG_ANON_EXCLUSIVE))
		entry_error(w, va, "writable, but anonymous page %lx is not exclusive", page_to_pfn(page));
}

static void check_cached(struct walk *w, vaddr_t va, pte_t pte, const struct page *page)
{
	struct vm_object *obj = w->vma->object;

	if (!obj || page->object != obj) {
		entry_error(w, va, "page %lx belongs to object %p, the vma to %p", page_to_pfn(page), page->object, obj);
		return;
	}
	check_position(w, va, page->index);
	if (page->index >= object_size_pages(obj))
		entry_error(w, va, "page %lx (offset %lx) lies beyond the end of its file", page_to_pfn(page), page->index);
	if (!page_test(page, PG_UPTODATE))
		entry_error(w, va, "page %lx is mapped and not uptodate", page_to_pfn(page));
	if (vma_private(w->vma) && pte_hw_write(pte))
		entry_error(w, va, "cached page %lx is writable in a private vma", page_to_pfn(page));
	if (vma_notifies_writes(w->vma) && (pte_hw_write(pte) || pte_dirty(pte)) && !page_test(page, PG_DIRTY))
		entry_error(w, va, "%s, but page %lx does not know that it is dirty", pte_hw_write(pte) ? "writable" : "dirty",
		            page_to_pfn(page));
}

static void check_page(struct walk *w, vaddr_t va, pte_t pte)
{
	pfn_t pfn = pte_pfn(pte);
	struct page *page;

	if (pte_hw_write(pte) && !(pte_grant(pte) & GRANT_W))
		entry_error(w, va, "hardware may write, the grant is %x", pte_grant(pte));
	check_grant(w, va, pte);
	if (!pfn_valid(pfn)) {
		entry_error(w, va, "frame %lx does not exist", pfn);
		return;
	}
	page = pfn_to_page(pfn);
	if (pte_special(pte)) {
		if (page != zero_page || pte_hw_write(pte))
			entry_error(w, va, "special entry for frame %lx%s", pfn, pte_hw_write(pte) ? ", writable" : "");
		return;
	}
	w->pages++;
	++*audit_tally(w->a, pfn);
	if (page->refs <= 0 || page->flags & (BIT(PG_TABLE) | BIT(PG_SLAB) | BIT(PG_BUDDY) | BIT(PG_RESERVED))) {
		entry_error(w, va, "maps frame %lx, which is not a page in use: flags %lx refs %d", pfn, page->flags,
		            page->refs);
		return;
	}
	if (page_test(page, PG_ANON))
		check_anon(w, va, pte, page);
	else
		check_cached(w, va, pte, page);
}

static void check_file_entry(struct walk *w, vaddr_t va, pte_t pte)
{
	if (!(w->vma->flags & VM_NONLINEAR)) {
		entry_error(w, va, "file entry in a linear vma: flags %x", w->vma->flags);
		return;
	}
	check_grant(w, va, pte);
	check_position(w, va, pte_file_pgoff(pte));
}

static void check_swap_entry(struct walk *w, vaddr_t va, pte_t pte)
{
	struct page *page;
	unsigned count;

	w->swapped++;
	audit_swap_entry(w->a, pte_swap_entry(pte));
	check_grant(w, va, pte);
	if (!vma_private(w->vma))
		entry_error(w, va, "swap entry in a shared vma");
	if (anon_range_empty(&w->vma->anon))
		entry_error(w, va, "swap entry in a vma that never had an anonymous page");
	if (swap_slot_look(pte_swap_entry(pte), &count, &page) && pte_swap_exclusive(pte) && count != 1)
		entry_error(w, va, "exclusive swap entry, but %u refer to its slot", count);
}

/* While its page is being moved the entry is as good as one of the page, and counts as resident. */
static void check_migrating(struct walk *w, vaddr_t va, pte_t pte)
{
	const struct page *page = pte_migrating(pte);

	w->pages++;
	check_grant(w, va, pte);
	if (!pfn_valid(page_to_pfn(page)) || page->refs <= 0 || !page_test(page, PG_MIGRATING) ||
	    !page_test(page, PG_LOCKED))
		entry_error(w, va, "migration entry for frame %lx, which nobody moves", page_to_pfn(page));
	else if (page_test(page, PG_ANON) && page->index != vma_pgoff(w->vma, va))
		entry_error(w, va, "anonymous page %lx, being moved, has index %lx", page_to_pfn(page), page->index);
}

static void check_entry(struct walk *w, vaddr_t va, pte_t pte)
{
	w->a->out->entries++;
	if (!pte_has_page(pte) && !pte_reserved_ok(pte, 0))
		entry_error(w, va, "a bit is set that an entry without a page must not have");
	if (!w->vma)
		entry_error(w, va, "not empty (%s), and in no vma", pte_kind_name(pte_decode(pte, 0).kind));
	else if (pte_has_page(pte))
		check_page(w, va, pte);
	else if (pte_is_file(pte))
		check_file_entry(w, va, pte);
	else if (pte_is_swap(pte))
		check_swap_entry(w, va, pte);
	else if (pte_is_migration(pte))
		check_migrating(w, va, pte);
	if (w->vma && pte_uffd_wp(pte) && !(w->vma->flags & VM_UFFD_WP))
		entry_error(w, va, "write-protected by userfaultfd (%s) in a vma that is not: flags %x",
		            pte_kind_name(pte_decode(pte, 0).kind), w->vma->flags);
}

/* -- the walk ------------------------------------------------------------------------------------------------------------ */

static int check_extent(struct pt_extent *x, void *ctx)
{
	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (!pte_is_none(pte))
			check_entry(ctx, x->va, pte);
	}
	return 0;
}

/* Every part is judged as a base page's entry; the whole must lie in the vma, and be aligned. => pt->lock held */
static int check_huge(struct pt_huge *h, void *ctx)
{
	struct walk *w = ctx;

	w->huge++;
	if (!pte_reserved_ok(h->pte, 1))
		entry_error(w, h->base, "a bit is set that a huge entry must not have");
	if (!pt_huge_whole(h) || !w->vma || w->vma->object)
		entry_error(w, h->base, "huge, but not all in one range of anonymous memory");
	if (!IS_ALIGNED(pte_pfn(h->pte), PT_HUGE_PAGES))
		entry_error(w, h->base, "huge, and begins with frame %lx", pte_pfn(h->pte));
	for (vaddr_t va = h->va; va < h->end; va += PAGE_SIZE)
		check_entry(w, va, pt_huge_part(h->pte, pt_index(0, va)));
	return 0;
}

static void check_hole(struct walk *w, struct mm *mm, vaddr_t start, vaddr_t end)
{
	w->vma = NULL;
	if (start < end)
		pt_walk_huge(&mm->pt, start, end, check_extent, check_huge, w);
}

static void check_vma(struct walk *w, struct vma *vma)
{
	struct rwsem *lock = vma->link.nonlinear ? &vma->object->maps.lock : NULL;

	w->vma = vma;
	if (lock)
		rwsem_read_lock(lock);
	pt_walk_huge(&vma->mm->pt, vma->start, vma->end, check_extent, check_huge, w);
	if (lock)
		rwsem_read_unlock(lock);
}

void audit_entries(struct audit *a, struct mm *mm)
{
	struct walk w = {.a = a};
	unsigned long tables = pt_count_tables(&mm->pt), deposits = pt_count_deposits(&mm->pt);
	vaddr_t at = 0;

	for (struct vma *vma = vma_first(mm); vma; vma = vma_next(vma)) {
		check_hole(&w, mm, at, vma->start);
		check_vma(&w, vma);
		at = vma->end;
	}
	check_hole(&w, mm, at, USER_END);
	if (w.pages != mm->pt.nr_pages)
		audit_error(a, "mm counts %lu resident pages and maps %lu", mm->pt.nr_pages, w.pages);
	if (w.swapped != mm->pt.nr_swap)
		audit_error(a, "mm counts %lu swap entries and has %lu", mm->pt.nr_swap, w.swapped);
	if (tables != mm->pt.nr_tables)
		audit_error(a, "mm counts %lu table pages and has %lu", mm->pt.nr_tables, tables);
	if (w.huge != mm->pt.nr_huge || w.huge != deposits)
		audit_error(a, "mm counts %lu huge entries, has %lu, and %lu deposited tables", mm->pt.nr_huge, w.huge,
		            deposits);
	a->tables += tables + deposits;
}
