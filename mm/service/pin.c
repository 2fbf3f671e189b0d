/*
 * pin.c - pages that a device reads or writes behind the MMU's back (thread 1).
 *
 * Layer 7 (mm/service).  Interface: pin.h.  Lock order: mm->lock (read), PTL; page lock at unpin(dirty).
 *
 * The pin count is exact and its own: neither mapcount nor refs says anything about pins, so there is no
 * false positive and no threshold.  The pairing with writeback (Dekker on entry and count):
 *
 *	pin                              mkclean + verdict (mm/object/writeback.c)
 *	  count the pin                    clear RW in every entry, flush every TLB
 *	  full barrier                     full barrier
 *	  entry still writable?            pin count zero?
 *
 * At least one of the two sees the other.  Here the first column runs under the PTL that mkclean takes, so
 * the slow path has it for free; a lockless fast path will need the barrier.
 */
#include "mm/service/pin.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/trace.h"
#include "kernel/sync/hooks.h"
#include "mm/object/dirty.h"
#include "mm/object/pagecache.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

unsigned long pin_acquired, pin_released;

static bool counted(const struct page *page)
{
	return page != zero_page;
}

static void count_pin(struct page *page, unsigned flags)
{
	if (!counted(page))
		return;
	page_get(page);
	__atomic_fetch_add(flags & PIN_WRITE ? &page->pins_w : &page->pins_r, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&pin_acquired, 1, __ATOMIC_RELAXED);
}

/*
 * Is the mapped page fit to be pinned as it is?  A write pin needs a writable entry: its page is then dirty,
 * or private to us.  A read pin of anonymous memory needs an exclusive page, or a later copy-on-write would
 * part the device from the program (R1.6); the zero page will do only while nobody counts on seeing stores.
 */
static bool fit(const struct vma *vma, pte_t pte, const struct page *page, unsigned flags)
{
	if (flags & PIN_WRITE)
		return pte_hw_write(pte);
	if (page == zero_page)
		return !(flags & PIN_LONGTERM);
	if (page_test(page, PG_ANON))
		return page_test(page, PG_ANON_EXCLUSIVE);
	return !vma_private(vma) || !(flags & PIN_LONGTERM) || !(vma->flags & VM_MAYWRITE);
}

/* Pin what is mapped at @va right now; NULL if nothing fit is. => mm->lock held */
static struct page *pin_mapped(struct vma *vma, vaddr_t va, unsigned flags)
{
	struct pt_slot slot = pt_lock(&vma->mm->pt, va);
	struct page *page = NULL;
	pte_t pte;

	if (!slot.hw)
		return NULL;
	pte = hw_pte_get(slot.hw);
	if (pte_has_page(pte) && pte_accessible(pte)) {
		page = pfn_to_page(pte_pfn(pte));
		if (fit(vma, pte, page, flags)) {
			count_pin(page, flags);
			TRACE(TRACE_PIN, &vma->mm->pt, va, page_to_pfn(page), 0, flags);
			SYNC_POINT("pin-counted");
		} else {
			page = NULL;
		}
	}
	pt_unlock(slot);
	return page;
}

/* One try: make the page what the pin needs and pin it; *@page stays NULL if what is mapped was not fit yet. */
static enum fault_result try_pin(struct mm *mm, vaddr_t va, unsigned flags, bool unshare, struct page **page,
                                 struct fault_io *io)
{
	enum fault_access access = flags & PIN_WRITE ? FAULT_WRITE : FAULT_READ;
	enum fault_result result = FAULT_MAPERR;
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (vma && vma->start <= va)
		result = vma_fault(vma, va, access, unshare, io);
	if (result == FAULT_OK)
		*page = pin_mapped(vma, va, flags);
	rwsem_read_unlock(&mm->lock);
	return result;
}

/* Bring the page in as the pin needs it, then pin it. ERR_PTR(-EFAULT, -ENOMEM, -EINTR). */
static struct page *pin_one(struct mm *mm, vaddr_t va, unsigned flags)
{
	struct page *page = NULL;
	bool unshare = false;

	while (!page) {
		enum fault_result result;
		struct fault_io io;

		if (sync_fatal_pending())
			return ERR_PTR(-EINTR);
		result = try_pin(mm, va, flags, unshare, &page, &io);
		if (result == FAULT_OK)
			unshare = !(flags & PIN_WRITE); /* readable, yet not fit: it must become ours alone */
		else if (result == FAULT_RETRY)
			result = fault_wait(&io);
		if (result != FAULT_OK)
			return ERR_PTR(fault_errno(result));
	}
	return page;
}

#define HOLD_BACK_EACH 64 /* pages */

/* A write pin has made a file's page dirty: its owner is held back like one who stores, but not for each page, for those
 * that are pinned stay dirty however long he waits. @n counts them. */
static void hold_back(const struct page *page, unsigned flags, unsigned long *n)
{
	if ((flags & PIN_WRITE) && !page_test(page, PG_ANON) && (*n)++ % HOLD_BACK_EACH == 0)
		dirty_throttle();
}

long pin_user_pages(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	vaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);
	unsigned long dirtied = 0;

	if (flags & ~(unsigned)(PIN_WRITE | PIN_LONGTERM))
		return -EINVAL;
	if (nr > (USER_END >> PAGE_SHIFT) || start > USER_END - (nr << PAGE_SHIFT))
		return -EFAULT;
	for (unsigned long i = 0; i < nr; i++) {
		struct page *page = pin_one(mm, start + (i << PAGE_SHIFT), flags);

		if (IS_ERR(page))
			return i ? (long)i : PTR_ERR(page);
		pages[i] = page;
		hold_back(page, flags, &dirtied);
	}
	return (long)nr;
}

/* The device stored: the page is newer than its file.  Dirty before the pin goes, or writeback could judge
 * "clean and unpinned" in between. */
static void mark_dirty(struct page *page)
{
	page_lock(page);
	pagecache_set_dirty(page);
	page_unlock(page);
}

static void unpin_one(struct page *page, unsigned flags, bool dirty)
{
	int left;

	if (!counted(page))
		return;
	if (dirty && (flags & PIN_WRITE))
		mark_dirty(page);
	left = __atomic_sub_fetch(flags & PIN_WRITE ? &page->pins_w : &page->pins_r, 1, __ATOMIC_SEQ_CST);
	BUG_ON(left < 0);
	TRACE(TRACE_UNPIN, NULL, 0, page_to_pfn(page), 0, flags);
	__atomic_fetch_add(&pin_released, 1, __ATOMIC_RELAXED);
	page_put(page);
}

void unpin_user_pages(struct page **pages, unsigned long nr, unsigned flags, bool dirty)
{
	for (unsigned long i = 0; i < nr; i++)
		unpin_one(pages[i], flags, dirty);
}
