/*
 * fault_fill.c - what a program puts at an address whose faults it answers.
 *
 * Layer 6 (mm/space).  Interface: uffd.h.  Lock order: mm->lock (read), invalidate_lock (read), page lock, PTL.
 *
 *   entry                  copy        zeros, private   zeros, shared   cached page   poison
 *   none                   yes         yes              yes             yes           yes
 *   note, poison           yes         EEXIST           yes             yes           EEXIST
 *   file, shared mapping   yes (its offset's page)      yes             yes           EEXIST
 *   anything else          EEXIST
 */
#include "mm/space/fault.h"

#include "kernel/lib/err.h"
#include "mm/object/object_swap.h"
#include "mm/object/pagecache.h"
#include "mm/pgtable/huge.h"
#include "mm/pgtable/pte_swap.h"
#include "mm/space/uffd.h"

static bool fillable(const struct vma *vma, pte_t pte)
{
	return pte_is_none(pte) || pte_is_marker(pte) || (pte_is_file(pte) && !vma_private(vma));
}

/* The entry, locked, its table made. ERR: slot.hw NULL, no memory. */
static struct pt_slot lock_made(struct vma *vma, vaddr_t va)
{
	struct pgtable *pt = &vma->mm->pt;

	if (pt_populate(pt, va, va + PAGE_SIZE))
		return (struct pt_slot){0};
	return pt_lock(pt, va);
}

static void set_entry(struct vma *vma, struct pt_slot slot, vaddr_t va, struct page *page, pte_t pte)
{
	pte_t old = hw_pte_get(slot.hw);

	hw_pte_set(slot.hw, pte);
	pgtable_account(&vma->mm->pt, 1);
	TRACE(TRACE_SET, &vma->mm->pt, va, page_to_pfn(page), pte_trace(old), pte_trace(pte));
}

static unsigned grant_at(const struct vma *vma, pte_t seen)
{
	return (vma->flags & VM_MANYPROTS) && !pte_is_none(seen) ? pte_grant(seen) : vma_grant(vma);
}

static bool beyond_end(const struct vma *vma, pgoff_t pgoff)
{
	return vma->object && pgoff >= object_size_pages(vma->object);
}

static void hold_size(struct vma *vma)
{
	if (vma->object)
		rwsem_read_lock(&vma->object->invalidate_lock);
}

static void release_size(struct vma *vma)
{
	if (vma->object)
		rwsem_read_unlock(&vma->object->invalidate_lock);
}

/* -- private mappings ----------------------------------------------------------------------------------------------- */

static int set_page(struct vma *vma, vaddr_t va, struct page *page, bool wp)
{
	struct fault f = {.vma = vma, .va = va};
	struct pt_slot slot = lock_made(vma, va);
	pte_t seen, pte;

	if (!slot.hw)
		return -ENOMEM;
	seen = hw_pte_get(slot.hw);
	if (!fillable(vma, seen)) {
		pt_unlock(slot);
		return -EEXIST;
	}
	fault_adopt(&f, page);
	pte = pte_mk_page(page_to_pfn(page), grant_at(vma, seen));
	if (pte_grant(pte) & GRANT_W)
		pte = pte_mkdirty(pte_mkwrite(pte));
	set_entry(vma, slot, va, page, wp ? pte_set_uffd_wp(pte, true) : pte);
	lru_add(page);
	if (vma->object)
		pgtable_settle(&vma->mm->pt); /* nobody goes on reading the file's page beside the copy */
	pt_unlock(slot);
	return 0;
}

int uffd_fill_page(struct vma *vma, vaddr_t va, struct page *page, bool wp)
{
	int err;

	if (pt_is_huge(&vma->mm->pt, va))
		return -EEXIST; /* and it stays whole */
	if (vma_anon_prepare(vma))
		return -ENOMEM;
	hold_size(vma);
	err = beyond_end(vma, vma_pgoff(vma, va)) ? -EFAULT : set_page(vma, va, page, wp);
	release_size(vma);
	return err;
}

/* @pte, which no page is counted for, where nothing was noted. => invalidate_lock */
static int set_plain(struct vma *vma, vaddr_t va, pte_t pte)
{
	struct pt_slot slot = lock_made(vma, va);
	int err = 0;

	if (!slot.hw)
		return -ENOMEM;
	if (!pte_is_none(hw_pte_get(slot.hw)))
		err = -EEXIST;
	else if (beyond_end(vma, vma_pgoff(vma, va)))
		err = -EFAULT;
	else
		hw_pte_set(slot.hw, pte);
	pt_unlock(slot);
	return err;
}

static int fill_plain(struct vma *vma, vaddr_t va, pte_t pte)
{
	int err;

	if (pt_is_huge(&vma->mm->pt, va))
		return -EEXIST;
	hold_size(vma);
	err = set_plain(vma, va, pte);
	release_size(vma);
	return err;
}

int uffd_fill_zero(struct vma *vma, vaddr_t va)
{
	return fill_plain(vma, va, pte_mk_special(page_to_pfn(zero_page), vma_grant(vma)));
}

int uffd_fill_poison(struct vma *vma, vaddr_t va)
{
	return fill_plain(vma, va, pte_mk_poison(vma_grant(vma)));
}

/* -- pages of a file ---------------------------------------------------------------------------------------------------- */

/* The page of the file that the empty entry of @va stands for. 0, -EEXIST, -ENOMEM. */
static int look_up(struct vma *vma, vaddr_t va, pgoff_t *pgoff)
{
	struct pt_slot slot = lock_made(vma, va);
	int err = 0;
	pte_t pte;

	if (!slot.hw)
		return -ENOMEM;
	pte = hw_pte_get(slot.hw);
	if (!fillable(vma, pte))
		err = -EEXIST;
	*pgoff = pte_is_file(pte) ? pte_file_pgoff(pte) : vma_pgoff(vma, va);
	pt_unlock(slot);
	return err;
}

/* @page, the file's, where it belongs; the entry gets a reference of its own. */
static int set_cached(struct vma *vma, vaddr_t va, struct page *page, bool wp)
{
	struct pt_slot slot = lock_made(vma, va);
	pte_t seen, pte;

	if (!slot.hw)
		return -ENOMEM;
	seen = hw_pte_get(slot.hw);
	if (!fillable(vma, seen) || (pte_is_file(seen) ? pte_file_pgoff(seen) : vma_pgoff(vma, va)) != page->index) {
		pt_unlock(slot);
		return -EEXIST;
	}
	pte = pte_mk_page(page_to_pfn(page), grant_at(vma, seen));
	if ((pte_grant(pte) & GRANT_W) && !vma_private(vma))
		pte = pte_mkdirty(pte_mkwrite(pte));
	page_get(page);
	__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	set_entry(vma, slot, va, page, wp ? pte_set_uffd_wp(pte, true) : pte);
	pt_unlock(slot);
	return 0;
}

/* => invalidate_lock */
static int fill_new(struct vma *vma, vaddr_t va, pgoff_t pgoff, const struct page *content, bool wp)
{
	struct vm_object *obj = vma->object;
	struct page *page = pagecache_create_locked(obj, pgoff, content ? GFP_USER : GFP_USER | GFP_ZERO);
	int err;

	if (IS_ERR(page))
		return (int)PTR_ERR(page);
	if (content)
		page_copy(page, (struct page *)content);
	page_set(page, PG_UPTODATE);
	err = set_cached(vma, va, page, wp);
	if (err)
		(void)pagecache_evict(page,
		                      true); /* else somebody has it already: then it stays, as written through the file */
	page_unlock(page);
	page_put(page);
	return err;
}

int uffd_fill_file(struct vma *vma, vaddr_t va, const struct page *content, bool wp)
{
	pgoff_t pgoff;
	int err = look_up(vma, va, &pgoff);

	if (err)
		return err;
	hold_size(vma);
	err = beyond_end(vma, pgoff) ? -EFAULT : fill_new(vma, va, pgoff, content, wp);
	release_size(vma);
	return err;
}

int uffd_fill_cached(struct vma *vma, vaddr_t va, bool wp)
{
	struct page *page;
	pgoff_t pgoff;
	int err = look_up(vma, va, &pgoff);

	if (err)
		return err;
	hold_size(vma);
	if (beyond_end(vma, pgoff))
		page = ERR_PTR(-EINVAL);
	else if (object_slot(vma->object, pgoff).v)
		page = pagecache_read(vma->object, pgoff);
	else
		page = pagecache_find_mappable(vma->object, pgoff);
	if (IS_ERR(page) || !page) {
		err = page ? (int)PTR_ERR(page) : -EFAULT;
	} else {
		err = set_cached(vma, va, page, wp);
		page_put(page);
	}
	release_size(vma);
	return err;
}
