/*
 * mincore.c - mincore(2): which pages could be touched without I/O.
 *
 * Layer 7 (mm/service).  Interface: mm.h.
 */
#include <arch/uaccess.h>

#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "mm/object/object.h"
#include "mm/object/swap.h"
#include "mm/pgtable/huge.h"
#include "mm/space/mm.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

#define CHUNK 256 /* pages answered at a time */

static bool cached(struct vm_object *obj, pgoff_t pgoff)
{
	struct page *page = obj ? pagecache_find(obj, pgoff) : NULL;
	bool uptodate = page && page_test(page, PG_UPTODATE);

	if (page)
		page_put(page);
	return uptodate;
}

static bool swap_cached(swap_entry_t entry)
{
	struct page *page = swap_find(entry);
	bool uptodate = page && page_test(page, PG_UPTODATE);

	if (page)
		page_put(page);
	return uptodate;
}

/* => mm->lock held */
static bool resident(struct vma *vma, vaddr_t va)
{
	struct pt_reading r;
	pte_t pte = pte_none();

	if (pt_read_lock(&vma->mm->pt, va, &r)) {
		pte = r.pte;
		pt_read_unlock(&r);
	}
	if (pte_has_page(pte) || pte_is_migration(pte))
		return true;
	if (pte_is_swap(pte))
		return swap_cached(pte_swap_entry(pte));
	return cached(vma->object, pte_is_file(pte) ? pte_file_pgoff(pte) : vma_pgoff(vma, va));
}

/* Pages from @start on, of one vma, at most to @end: how many; -ENOMEM: none is mapped there. => mm->lock held */
static long answer(struct mm *mm, vaddr_t start, vaddr_t end, unsigned char *vec)
{
	struct vma *vma = vma_find(mm, start);
	vaddr_t va = start;

	if (!vma || vma->start > start)
		return -ENOMEM;
	for (end = min(end, vma->end); va < end; va += PAGE_SIZE)
		*vec++ = resident(vma, va);
	return (long)((end - start) >> PAGE_SHIFT);
}

int mm_mincore(struct mm *mm, vaddr_t addr, size_t length, unsigned char *user_vec)
{
	unsigned char vec[CHUNK];
	size_t n = ALIGN_UP(length, PAGE_SIZE);

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (n < length || addr > USER_END || n > USER_END - addr)
		return -ENOMEM;
	if (!user_range_ok(user_vec, n >> PAGE_SHIFT))
		return -EFAULT;
	for (size_t done = 0; done < n;) {
		size_t bytes = min(n - done, (size_t)CHUNK << PAGE_SHIFT);
		long pages;

		rwsem_read_lock(&mm->lock);
		pages = answer(mm, addr + done, addr + done + bytes, vec);
		rwsem_read_unlock(&mm->lock);
		if (pages < 0)
			return (int)pages;
		if (copy_to_user(user_vec + (done >> PAGE_SHIFT), vec, (size_t)pages))
			return -EFAULT;
		done += (size_t)pages << PAGE_SHIFT;
	}
	return 0;
}
