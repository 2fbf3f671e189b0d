/*
 * access.c - the kernel reads or writes an address space that need not be the current one.
 *
 * Layer 6 (mm/space).  Interface: mm.h.
 */
#include "kernel/lib/string.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/dirty.h"
#include "mm/object/pagecache.h"
#include "mm/pgtable/huge.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* Is the mapped page what the access needs?  Forced: a store goes to the mapping's own page, whatever hardware may. */
static bool fit(pte_t pte, unsigned how, bool forced)
{
	const struct page *page;

	if (!pte_has_page(pte))
		return false;
	if (!(how & MM_ACCESS_WRITE))
		return true;
	page = pfn_to_page(pte_pfn(pte));
	return pte_hw_write(pte) ||
	       (forced && !pte_special(pte) && page_test(page, PG_ANON) && page_test(page, PG_ANON_EXCLUSIVE));
}

static struct page *mapped_page(struct mm *mm, vaddr_t va, unsigned how, bool forced)
{
	struct pt_reading r;
	struct page *page = NULL;

	if (pt_read_lock(&mm->pt, va, &r)) {
		if (fit(r.pte, how, forced)) {
			page = pfn_to_page(pte_pfn(r.pte));
			page_get(page);
		}
		pt_read_unlock(&r);
	}
	return page;
}

bool vma_may_force(const struct vma *vma, bool write)
{
	return vma_private(vma) && (vma->flags & (write ? VM_MAYWRITE : VM_MAYREAD));
}

/* One try: *@page stays NULL if what is mapped is not fit yet. */
static enum fault_result try_page(struct mm *mm, vaddr_t va, unsigned how, struct page **page, struct fault_io *io)
{
	enum fault_result result = FAULT_MAPERR;
	bool write = how & MM_ACCESS_WRITE, forced;
	struct vma *vma;

	*page = NULL;
	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (vma && vma->start <= va) {
		forced = (how & MM_ACCESS_FORCE) && vma_may_force(vma, write);
		result = forced ? vma_fault_forced(vma, va, write, io)
		                : vma_fault(vma, va, write ? FAULT_WRITE : FAULT_READ, false, io);
		if (result == FAULT_OK)
			*page = mapped_page(mm, va, how, forced);
	}
	rwsem_read_unlock(&mm->lock);
	return result;
}

/* The page at @va with a reference, made accessible first. ERR_PTR(-EFAULT, -ENOMEM, -EINTR). */
static struct page *get_page(struct mm *mm, vaddr_t va, unsigned how)
{
	enum fault_result result;
	struct fault_io io;
	struct page *page;

	for (;;) {
		result = try_page(mm, va, how, &page, &io);
		if (page)
			return page;
		if (result == FAULT_RETRY)
			result = fault_wait(&io);
		if (result != FAULT_OK)
			return ERR_PTR(fault_errno(result));
	}
}

ssize_t mm_access(struct mm *mm, vaddr_t addr, void *buf, size_t n, unsigned how)
{
	bool write = how & MM_ACCESS_WRITE;
	size_t done = 0;

	while (done < n) {
		size_t offset = (addr + done) & ~PAGE_MASK;
		size_t chunk = min(n - done, (size_t)(PAGE_SIZE - offset));
		struct page *page = get_page(mm, (addr + done) & PAGE_MASK, how);
		char *va;

		if (IS_ERR(page))
			return done ? (ssize_t)done : PTR_ERR(page);
		SYNC_POINT("access-held");
		va = page_kmap(page);
		if (write)
			memcpy(va + offset, (char *)buf + done, chunk);
		else
			memcpy((char *)buf + done, va + offset, chunk);
		page_kunmap(va);
		if (write)
			pagecache_dirty_from_pte(page); /* writeback may have cleaned it since we looked */
		page_put(page);
		done += chunk;
		if (write)
			dirty_throttle();
	}
	return (ssize_t)done;
}
