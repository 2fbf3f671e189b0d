/*
 * access.c - the kernel reads or writes an address space that need not be the current one.
 *
 * Layer 6 (mm/space).  Interface: mm.h.
 */
#include "kernel/lib/string.h"
#include "kernel/lib/syncpoint.h"
#include "mm/object/pagecache.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* The page at @va with a reference, made accessible first. ERR_PTR(-EFAULT, -ENOMEM, -EINTR). */
static struct page *get_page(struct mm *mm, vaddr_t va, bool write)
{
	enum fault_access access = write ? FAULT_WRITE : FAULT_READ;

	for (;;) {
		enum fault_result result = mm_fault(mm, va, access);
		struct page *page = NULL;
		struct pt_slot slot;
		pte_t pte;

		if (result != FAULT_OK)
			return ERR_PTR(fault_errno(result));
		rwsem_read_lock(&mm->lock);
		slot = pt_lock(&mm->pt, va);
		if (slot.hw) {
			pte = hw_pte_get(slot.hw);
			if (pte_has_page(pte) && (!write || pte_hw_write(pte))) {
				page = pfn_to_page(pte_pfn(pte));
				page_get(page);
			}
			pt_unlock(slot);
		}
		rwsem_read_unlock(&mm->lock);
		if (page)
			return page;
	}
}

ssize_t mm_access(struct mm *mm, vaddr_t addr, void *buf, size_t n, bool write)
{
	size_t done = 0;

	while (done < n) {
		size_t offset = (addr + done) & ~PAGE_MASK;
		size_t chunk = min(n - done, (size_t)(PAGE_SIZE - offset));
		struct page *page = get_page(mm, (addr + done) & PAGE_MASK, write);
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
		if (write && !page_test(page, PG_ANON))
			pagecache_dirty_from_pte(page); /* writeback may have cleaned it since we looked */
		page_put(page);
		done += chunk;
	}
	return (ssize_t)done;
}
