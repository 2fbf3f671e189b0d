/*
 * pin.c - pages that a device reads or writes behind the MMU's back (thread 1).
 *
 * Layer 7 (mm/service).  Interface: pin.h.  Lock order: mm->lock (read), PTL.
 *
 * The pin count is exact and its own: neither mapcount nor refs says anything about pins, so there is no
 * false positive and no threshold.  The pairing with writeback, reclaim and fork (Dekker on entry and count) stands at
 * page_pinned() in mm/phys/page.h.  Here the pin's column runs under the PTL that the other one takes, so it has it for
 * free; pin_fast.c has the lockless way.
 *
 * A pin never waits for writeback to end, except where a store would: in page_mkwrite.
 */
#include "mm/service/pin.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/lib/trace.h"
#include "kernel/sync/hooks.h"
#include "mm/object/dirty.h"
#include "mm/object/pagecache.h"
#include "mm/pgtable/huge.h"
#include "mm/service/pin_internal.h"
#include "mm/space/vma.h"

unsigned long pin_acquired, pin_released;
bool pin_linux_compat;

/* -- one page ------------------------------------------------------------------------------------------------------ */

/* One call under way. */
struct gup {
	struct mm *mm;
	vaddr_t start;
	unsigned long nr, done;
	unsigned flags;
	bool forced;         /* the page at hand: the vma does not permit it, but FOLL_FORCE does */
	bool unshare;        /* the page at hand: readable, yet not fit: it must become ours alone */
	unsigned long dirty; /* file pages that a store through the pin makes dirty */
	struct page **pages;
	struct fault_io io;
};

/* May this mapping be pinned so at all? */
static bool vma_permits(const struct vma *vma, unsigned flags)
{
	if ((flags & FOLL_ANON) && vma->object)
		return false;
	return !((flags & FOLL_LONGTERM) && (flags & FOLL_WRITE) && READ_ONCE(pin_linux_compat) &&
	         vma_notifies_writes(vma));
}

static bool anon_fit(const struct gup *g, pte_t pte, const struct page *page)
{
	bool exclusive = page_test(page, PG_ANON_EXCLUSIVE);

	if (g->flags & FOLL_WRITE)
		return pte_hw_write(pte) || (g->forced && exclusive);
	return exclusive || !(g->flags & FOLL_PIN);
}

/*
 * Is the mapped page fit to be pinned as it is?  A write pin needs a writable entry: its page is then dirty,
 * or private to us.  A read pin of anonymous memory needs an exclusive page, or a later copy-on-write would
 * part the device from the program (R1.6); the zero page will do only while nobody counts on seeing stores.
 */
static bool fit(const struct gup *g, const struct vma *vma, pte_t pte, const struct page *page)
{
	if (!pte_accessible(pte) && !g->forced)
		return false;
	if (page == zero_page)
		return !(g->flags & (FOLL_WRITE | FOLL_LONGTERM));
	if (page_test(page, PG_ANON))
		return anon_fit(g, pte, page);
	if (g->flags & FOLL_WRITE)
		return pte_hw_write(pte);
	return !vma_private(vma) || !(g->flags & FOLL_LONGTERM) || !(vma->flags & VM_MAYWRITE);
}

/* Pin what is mapped at @va right now; NULL if nothing fit is. => mm->lock held */
static struct page *pin_mapped(const struct gup *g, struct vma *vma, vaddr_t va)
{
	struct page *page = NULL;
	struct pt_reading r;
	pte_t pte;

	if (!pt_read_lock(&vma->mm->pt, va, &r))
		return NULL;
	pte = r.pte;
	if (pte_has_page(pte) && fit(g, vma, pte, pfn_to_page(pte_pfn(pte)))) {
		page = pfn_to_page(pte_pfn(pte));
		if (pin_counts(page)) {
			page_get(page);
			pin_count(page, g->flags);
		}
		TRACE(TRACE_PIN, &vma->mm->pt, va, page_to_pfn(page), 0, g->flags);
		SYNC_POINT("pin-counted");
	}
	pt_read_unlock(&r);
	return page;
}

static enum fault_result fault_in(struct gup *g, struct vma *vma, vaddr_t va)
{
	bool write = g->flags & FOLL_WRITE;

	if (g->flags & FOLL_NOFAULT)
		return FAULT_ACCERR;
	if (g->forced)
		return vma_fault_forced(vma, va, write || g->unshare, &g->io);
	return vma_fault(vma, va, write ? FAULT_WRITE : FAULT_READ, g->unshare, &g->io);
}

/* Make the page at @va what the pin needs and pin it; *@page stays NULL if it must be tried again. => mm->lock held */
static enum fault_result try_pin(struct gup *g, vaddr_t va, struct page **page)
{
	struct vma *vma = vma_find(g->mm, va);
	enum fault_result result;

	*page = NULL;
	if (!vma || vma->start > va)
		return FAULT_MAPERR;
	if (!vma_permits(vma, g->flags))
		return FAULT_ACCERR;
	g->forced = (g->flags & FOLL_FORCE) && vma_may_force(vma, g->flags & FOLL_WRITE);
	result = fault_in(g, vma, va);
	if (result == FAULT_OK || (g->flags & FOLL_NOFAULT))
		*page = pin_mapped(g, vma, va);
	if (*page == zero_page && (g->flags & FOLL_DUMP))
		return FAULT_ACCERR;
	return *page ? FAULT_OK : result;
}

/* -- many ---------------------------------------------------------------------------------------------------------- */

/* A write pin has made a file's page dirty: its owner is held back like one who stores, but not for each page, for those
 * that are pinned stay dirty however long he waits. */
#define HOLD_BACK_EACH 64 /* pages */

static void note_pinned(struct gup *g, struct page *page)
{
	g->pages[g->done++] = page;
	g->unshare = false;
	if ((g->flags & FOLL_WRITE) && !page_test(page, PG_ANON))
		g->dirty++;
}

/* Pin pages under one hold of mm->lock. FAULT_OK: all, or as many as go without a pause. */
static enum fault_result pin_some(struct gup *g)
{
	unsigned long end = min(g->nr, g->done + HOLD_BACK_EACH);
	enum fault_result result = FAULT_OK;
	struct page *page;

	rwsem_read_lock(&g->mm->lock);
	while (g->done < end && result == FAULT_OK && !sync_fatal_pending()) {
		result = try_pin(g, g->start + (g->done << PAGE_SHIFT), &page);
		if (page && result == FAULT_OK)
			note_pinned(g, page);
		else if (result == FAULT_OK)
			g->unshare = !(g->flags & FOLL_WRITE);
	}
	rwsem_read_unlock(&g->mm->lock);
	return result;
}

static bool interrupted(const struct gup *g)
{
	return sync_fatal_pending() || ((g->flags & FOLL_INTERRUPTIBLE) && sync_signal_pending());
}

/* The rest of the range, with locks and faults. 0, -EFAULT, -ENOMEM, -EINTR. */
static int pin_rest(struct gup *g)
{
	while (g->done < g->nr) {
		enum fault_result result;

		if (interrupted(g))
			return -EINTR;
		result = pin_some(g);
		if (g->dirty) {
			dirty_throttle();
			g->dirty = 0;
		}
		if (result == FAULT_RETRY && (g->flags & FOLL_NOWAIT)) {
			fault_abandon(&g->io);
			return 0;
		}
		if (result == FAULT_RETRY)
			result = fault_wait(&g->io);
		if (result != FAULT_OK)
			return fault_errno(result);
	}
	return 0;
}

#define FLAGS_KNOWN                                                                                                 \
	(FOLL_WRITE | FOLL_DUMP | FOLL_FORCE | FOLL_NOWAIT | FOLL_NOFAULT | FOLL_HWPOISON | FOLL_ANON | FOLL_LONGTERM | \
	 FOLL_SPLIT_PMD | FOLL_PCI_P2PDMA | FOLL_INTERRUPTIBLE | FOLL_HONOR_NUMA_FAULT)

static int check_range(vaddr_t start, unsigned long nr)
{
	if (nr > (~0ul >> PAGE_SHIFT) || start + (nr << PAGE_SHIFT) < start)
		return -EOVERFLOW;
	return start + (nr << PAGE_SHIFT) > USER_END ? -EFAULT : 0;
}

/* => @g->flags: FOLL_PIN or FOLL_GET */
static long pin_range(struct gup *g, bool fast)
{
	int err = check_range(g->start, g->nr);

	if (err)
		return err;
	if (fast)
		g->done = pin_lockless(g->mm, g->start, g->nr, g->flags, g->pages);
	if (!(g->flags & FOLL_FAST_ONLY))
		err = pin_rest(g);
	return g->done ? (long)g->done : err;
}

static unsigned long counted(struct page **pages, long nr)
{
	unsigned long n = 0;

	for (long i = 0; i < nr; i++)
		n += pin_counts(pages[i]);
	return n;
}

long pin_user_pages(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	struct gup g = {.mm = mm, .start = addr & PAGE_MASK, .nr = nr, .flags = flags | FOLL_PIN, .pages = pages};
	long got = flags & ~(unsigned)FLAGS_KNOWN ? -EINVAL : pin_range(&g, false);

	if (got > 0)
		__atomic_fetch_add(&pin_acquired, counted(pages, got), __ATOMIC_RELAXED);
	return got;
}

long pin_user_pages_fast(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	struct gup g = {.mm = mm, .start = addr & PAGE_MASK, .nr = nr, .flags = flags | FOLL_PIN, .pages = pages};
	long got = flags & ~(unsigned)(FLAGS_KNOWN | FOLL_FAST_ONLY) ? -EINVAL : pin_range(&g, true);

	if (got > 0)
		__atomic_fetch_add(&pin_acquired, counted(pages, got), __ATOMIC_RELAXED);
	return got;
}

static long get_range(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages, bool fast)
{
	struct gup g = {.mm = mm, .start = addr & PAGE_MASK, .nr = nr, .flags = flags | FOLL_GET, .pages = pages};
	unsigned known = (FLAGS_KNOWN & ~FOLL_LONGTERM) | (fast ? FOLL_FAST_ONLY : 0);

	return flags & ~known ? -EINVAL : pin_range(&g, fast);
}

long get_user_pages(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	return get_range(mm, addr, nr, flags, pages, false);
}

long get_user_pages_fast(struct mm *mm, vaddr_t addr, unsigned long nr, unsigned flags, struct page **pages)
{
	return get_range(mm, addr, nr, flags, pages, true);
}

void put_user_pages(struct page **pages, unsigned long nr)
{
	for (unsigned long i = 0; i < nr; i++)
		if (pin_counts(pages[i]))
			page_put(pages[i]);
}

/* -- giving back --------------------------------------------------------------------------------------------------- */

/*
 * Under a write pin a page of a file that tracks dirtiness is dirty at all times (R1.3), but for a moment under its lock:
 * between writeback's clearing of PG_DIRTY and its verdict.  The flags are read first: a page that truncation drops has
 * lost its object by the time when it is neither dirty nor locked.
 */
static bool lost_its_lease(const struct page *page)
{
	bool clean = !(READ_ONCE(page->flags) & (BIT(PG_DIRTY) | BIT(PG_LOCKED)));

	atomic_fence();
	return clean && page_leased(page);
}

/*
 * @dirty: the device stored, the page is newer than its file.  Dirty before the pin goes, or writeback could judge
 * "clean and unpinned" in between.  If it is dirty already, whoever clears that is going to write what was stored before.
 */
static void unpin_one(struct page *page, unsigned flags, bool dirty)
{
	if (flags & FOLL_WRITE) {
		ASSERT(!lost_its_lease(page));
		if (dirty)
			pagecache_dirty_from_pte(page);
	}
	BUG_ON(pin_uncount(page, flags) < 0);
	TRACE(TRACE_UNPIN, NULL, 0, page_to_pfn(page), 0, flags);
	page_put(page);
}

void unpin_user_pages(struct page **pages, unsigned long nr, unsigned flags, bool dirty)
{
	__atomic_fetch_add(&pin_released, counted(pages, (long)nr), __ATOMIC_RELAXED);
	for (unsigned long i = 0; i < nr; i++)
		if (pin_counts(pages[i]))
			unpin_one(pages[i], flags, dirty);
}
