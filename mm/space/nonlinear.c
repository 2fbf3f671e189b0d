/*
 * nonlinear.c - remap_file_pages(2): one vma whose entries each carry their own file offset and protection.
 *
 * Layer 6 (mm/space).  Interface: mm.h.  Subject: thread 0.
 * Lock order: mm->lock, invalidate_lock (read), maps.lock (write), PTL.
 *
 *   1. check      everything that can be refused, in the order of R0.3; nothing was changed yet
 *   2. flags      VM_NONLINEAR / VM_MANYPROTS need mm->lock for writing, only the first time; then downgrade
 *   3. prepare    tables, index nodes, references on the pages that are cached: all that may fail
 *   4. exchange   one leaf table at a time: empty the old entries, flush, set the new ones: cannot fail
 *   5. populate   what was not cached, with faults, unless MAP_NONBLOCK
 *
 * A page that is cached is mapped at once; otherwise the entry becomes a *file entry*: not present, but
 * holding offset and grants, so that the mapping outlives its page.
 */
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/pagecache.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

#define REMAP_BATCH 16

/* What one call asks for, after rounding. */
struct remap {
	struct mm *mm;
	vaddr_t start, end;
	pgoff_t pgoff;
	unsigned prot;
	bool chgprot, nonblock;
	struct vma *first; /* that holds start; found by the check */
};

/* -- 1. check ----------------------------------------------------------------------------------------------- */

static int check_numbers(struct remap *r, vaddr_t start, size_t size, unsigned prot, pgoff_t pgoff, unsigned flags)
{
	pgoff_t pages;

	r->chgprot = flags & MAP_CHGPROT;
	r->nonblock = flags & MAP_NONBLOCK;
	if ((prot && !r->chgprot) || (prot & ~(unsigned)PROT_MASK))
		return -EINVAL;
	r->start = ALIGN_DOWN(start, PAGE_SIZE);
	size = ALIGN_DOWN(size, PAGE_SIZE);
	r->end = r->start + size;
	if (r->end <= r->start)
		return -EINVAL;
	pages = size >> PAGE_SHIFT;
	if (pgoff + pages < pgoff)
		return -EINVAL;
	if ((u64)pgoff + pages - (MUTATION(15) ? 0 : 1) > PTE_FILE_PGOFF_MAX) /* M15: `>=` */
		return -EOVERFLOW;
	r->pgoff = pgoff;
	r->prot = prot;
	return 0;
}

/* The range must lie in adjacent shared vmas of one file. Finds r->first. => mm->lock held */
static int check_vmas(struct remap *r)
{
	struct vma *vma = r->first = vma_find(r->mm, r->start);
	vaddr_t covered = r->start;
	unsigned denied = 0;

	for (; covered < r->end; vma = vma_next(vma)) {
		if (!vma || vma->start > covered || !(vma->flags & VM_SHARED) || vma->object != r->first->object)
			return -EINVAL;
		denied |= r->prot & ~(vma->flags >> 4) & VM_ACCESS;
		covered = vma->end;
		if (covered >= r->end)
			break;
	}
	return denied ? -EPERM : 0;
}

/* The vmas of a checked range: the tree is not asked again. */
static struct vma *range_next(const struct remap *r, struct vma *vma)
{
	return vma->end < r->end ? vma_next(vma) : NULL;
}

#define for_each_vma_of(vma, r) for ((vma) = (r)->first; (vma); (vma) = range_next(r, vma))

/* -- 2. flags ------------------------------------------------------------------------------------------------- */

static unsigned wanted_flags(const struct remap *r)
{
	return VM_NONLINEAR | (r->chgprot ? VM_MANYPROTS : 0);
}

static bool flags_missing(const struct remap *r)
{
	struct vma *vma;

	for_each_vma_of(vma, r) if (wanted_flags(r) & ~vma->flags) return true;
	return false;
}

static int set_vma_flags(const struct remap *r, struct vma *vma)
{
	struct object_maps *maps = &vma->object->maps;
	struct nonlinear_index *idx = NULL;

	if (!vma->link.nonlinear) {
		idx = nonlinear_index_get(maps, &r->mm->pt);
		if (IS_ERR(idx))
			return (int)PTR_ERR(idx);
	}
	rwsem_write_lock(&maps->lock);
	if (idx)
		vma->link.nonlinear = idx;
	if (r->chgprot)
		vma->link.flags |= RMAP_KEEP_GRANTS;
	rwsem_write_unlock(&maps->lock);
	vma->flags |= wanted_flags(r);
	return 0;
}

/* => mm->lock held for writing. Setting a flag and then failing is harmless: no entry differs yet. */
static int set_flags(const struct remap *r)
{
	struct vma *vma;
	int err = 0;

	for_each_vma_of(vma, r)
	{
		err = set_vma_flags(r, vma);
		if (err)
			break;
	}
	return err;
}

/* -- 3. prepare ------------------------------------------------------------------------------------------------- */

/* Up to REMAP_BATCH consecutive entries of one leaf table and one vma. */
struct batch {
	struct vma *vma;
	vaddr_t va;
	unsigned nr;
	pgoff_t pgoff;
	unsigned grant;
	struct page *pages[REMAP_BATCH];           /* cached and uptodate, referenced; or NULL */
	unsigned nr_pages;                         /* of them filled in */
	struct nonlinear_node *nodes[REMAP_BATCH]; /* spare nodes */
	unsigned nr_nodes;
	struct page *displaced[REMAP_BATCH]; /* pages that were mapped; their entries' references */
	unsigned nr_displaced;
};

static void batch_discard(struct batch *b)
{
	while (b->nr_pages)
		if (b->pages[--b->nr_pages])
			page_put(b->pages[b->nr_pages]);
	while (b->nr_nodes)
		nonlinear_node_free(b->nodes[--b->nr_nodes]);
}

/* A node for each entry that will be off position.  What they displace is reused or freed afterwards. */
static int prepare_nodes(struct batch *b)
{
	if (b->pgoff == vma_pgoff(b->vma, b->va))
		return 0;
	while (b->nr_nodes < b->nr) {
		struct nonlinear_node *node = nonlinear_node_alloc();

		if (!node)
			return -ENOMEM;
		b->nodes[b->nr_nodes++] = node;
	}
	return 0;
}

/* => invalidate_lock held for reading: what we find stays in the file until the entry is set */
static void prepare_pages(struct batch *b)
{
	pgoff_t size = object_size_pages(b->vma->object);

	for (; b->nr_pages < b->nr; b->nr_pages++) {
		pgoff_t pgoff = b->pgoff + b->nr_pages;
		struct page *page = pgoff < size ? pagecache_find(b->vma->object, pgoff) : NULL;

		if (page && !page_test(page, PG_UPTODATE)) {
			page_put(page);
			page = NULL;
		}
		b->pages[b->nr_pages] = page;
	}
}

/* -- 4. exchange -------------------------------------------------------------------------------------------------- */

static void forget_offset(struct batch *b, vaddr_t va, pgoff_t pgoff)
{
	if (pgoff != vma_pgoff(b->vma, va))
		nonlinear_node_free(nonlinear_index_del(b->vma->link.nonlinear, pgoff, va));
}

/* Empty one entry. Returns true if hardware may have cached its translation. */
static bool empty_entry(struct batch *b, struct hw_pte *hw, vaddr_t va)
{
	pte_t pte = hw_pte_get(hw);
	struct page *page;

	if (pte_is_none(pte))
		return false;
	if (!pte_has_page(pte)) {
		hw_pte_set(hw, pte_none());
		forget_offset(b, va, pte_file_pgoff(pte));
		return false;
	}
	pte = hw_pte_get_and_clear(hw);
	page = pfn_to_page(pte_pfn(pte));
	TRACE(TRACE_CLEAR, &b->vma->mm->pt, va, page_to_pfn(page), pte_trace(pte), 0);
	if (pte_dirty(pte))
		pagecache_dirty_from_pte(page);
	forget_offset(b, va, page->index);
	__atomic_fetch_sub(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	b->displaced[b->nr_displaced++] = page;
	return pte_accessible(pte);
}

static pte_t page_entry(const struct batch *b, struct page *page)
{
	pte_t pte = pte_mk_page(page_to_pfn(page), b->grant);

	return (b->grant & GRANT_W) && !vma_notifies_writes(b->vma) ? pte_mkwrite(pte) : pte;
}

/* The reference on a cached page passes to its entry. */
static void set_entry(struct batch *b, struct hw_pte *hw, unsigned i)
{
	vaddr_t va = b->va + i * PAGE_SIZE;
	bool off_position = b->pgoff + i != vma_pgoff(b->vma, va);

	if (b->pages[i]) {
		__atomic_fetch_add(&b->pages[i]->mapcount, 1, __ATOMIC_SEQ_CST);
		hw_pte_set(hw, page_entry(b, b->pages[i]));
		TRACE(TRACE_SET, &b->vma->mm->pt, va, page_to_pfn(b->pages[i]), 0, pte_trace(page_entry(b, b->pages[i])));
		b->pages[i] = NULL;
		pgtable_account(&b->vma->mm->pt, 1);
	} else if (off_position || (b->vma->flags & VM_MANYPROTS)) {
		hw_pte_set(hw, pte_mk_file(b->pgoff + i, b->grant & ~(MUTATION(14) ? GRANT_X : 0u))); /* M14: drop X */
	}
	if (off_position)
		nonlinear_index_add(b->vma->link.nonlinear, b->nodes[--b->nr_nodes], b->pgoff + i, va);
}

static void release_displaced(struct batch *b)
{
	pgtable_account(&b->vma->mm->pt, -(long)b->nr_displaced);
	while (b->nr_displaced)
		page_put(b->displaced[--b->nr_displaced]);
}

/* => maps.lock held for writing; false: there is no table yet, nothing was done */
static bool exchange(struct batch *b)
{
	struct pgtable *pt = &b->vma->mm->pt;
	struct pt_slot slot = pt_lock(pt, b->va);
	struct hw_pte *hw = slot.hw;
	bool flush = false;
	unsigned i;

	if (!hw)
		return false;

	if (MUTATION(1)) /* M1: flush before clear */
		pgtable_flush_range(pt, b->va, b->va + b->nr * PAGE_SIZE);
	for (i = 0; i < b->nr; i++, hw = hw_pte_next(hw))
		flush |= empty_entry(b, hw, b->va + i * PAGE_SIZE);
	if (flush)
		SYNC_POINT("clear-before-flush");
	if (MUTATION(2) && b->nr_displaced) /* M2: free before flush */
		release_displaced(b);
	if (flush && !MUTATION(1))
		pgtable_flush_range(pt, b->va, b->va + b->nr * PAGE_SIZE);
	for (i = 0, hw = slot.hw; i < b->nr; i++, hw = hw_pte_next(hw))
		set_entry(b, hw, i);
	pt_unlock(slot);
	return true;
}

/* Describe the batch that starts at @va; the arrays are filled as far as they are used. => mm->lock held */
static void batch_begin(struct batch *b, const struct remap *r, struct vma *vma, vaddr_t va)
{
	vaddr_t end = min(r->end, vma->end);
	vaddr_t table_end = (va & ~(pt_span(1) - 1)) + pt_span(1);

	b->vma = vma;
	b->va = va;
	b->nr = (unsigned)min((min(end, table_end) - va) >> PAGE_SHIFT, (vaddr_t)REMAP_BATCH);
	b->pgoff = r->pgoff + ((va - r->start) >> PAGE_SHIFT);
	b->grant = r->chgprot ? prot_to_grant(r->prot) : vma_grant(vma);
	b->nr_pages = b->nr_nodes = b->nr_displaced = 0;
}

/* Steps 3 and 4 for a batch whose nodes are there. False: no table yet. => invalidate_lock held for reading */
static bool exchange_prepared(struct batch *b)
{
	struct object_maps *maps = &b->vma->object->maps;
	bool done;

	rwsem_write_lock(&maps->lock);
	done = exchange(b);
	rwsem_write_unlock(&maps->lock);
	return done;
}

/* Returns how many entries are left without a page, or -ENOMEM with nothing changed. */
static int remap_batch(struct batch *b)
{
	struct rwsem *invalidate = &b->vma->object->invalidate_lock;
	int absent = 0, err = prepare_nodes(b);

	if (err)
		return err;
	rwsem_read_lock(invalidate);
	prepare_pages(b);
	for (unsigned i = 0; i < b->nr; i++)
		absent += !b->pages[i];
	while (!exchange_prepared(b) && !err)
		err = pt_populate(&b->vma->mm->pt, b->va, b->va + b->nr * PAGE_SIZE);
	rwsem_read_unlock(invalidate);
	SYNC_POINT("flush-before-free");
	if (b->nr_displaced)
		release_displaced(b);
	return err ? err : absent;
}

/* => mm->lock held; returns how many entries were left without a page, or -ENOMEM */
static long remap_range(const struct remap *r)
{
	struct batch b;
	struct vma *vma;
	long absent = 0;

	for_each_vma_of(vma, r)
	{
		vaddr_t end = min(r->end, vma->end);

		for (vaddr_t va = max(r->start, vma->start); va < end; va += b.nr * PAGE_SIZE) {
			int n;

			batch_begin(&b, r, vma, va);
			n = remap_batch(&b);
			batch_discard(&b);
			if (n < 0)
				return n;
			absent += n;
		}
	}
	return absent;
}

/* Check and flags; on success mm->lock is held for reading. */
static int remap_begin(struct remap *r)
{
	int err;

	rwsem_read_lock(&r->mm->lock);
	err = check_vmas(r);
	if (!err && !flags_missing(r))
		return 0;
	rwsem_read_unlock(&r->mm->lock);
	if (err)
		return err;
	err = rwsem_write_lock_killable(&r->mm->lock);
	if (err)
		return err;
	err = check_vmas(r);
	if (!err)
		err = set_flags(r);
	if (err)
		rwsem_write_unlock(&r->mm->lock);
	else
		rwsem_downgrade(&r->mm->lock);
	return err;
}

int mm_remap_file_pages(struct mm *mm, vaddr_t start, size_t size, unsigned prot, pgoff_t pgoff, unsigned flags)
{
	struct remap r = {.mm = mm};
	int err = check_numbers(&r, start, size, prot, pgoff, flags);
	long absent;

	TRACE(TRACE_REMAP, &mm->pt, start, pgoff, size, prot);
	if (!err)
		err = remap_begin(&r);
	if (err)
		return err;
	absent = remap_range(&r);
	rwsem_read_unlock(&mm->lock);
	if (absent < 0)
		return (int)absent;
	if (absent && !r.nonblock)
		mm_populate_quietly(mm, r.start, r.end);
	return 0;
}
