/*
 * pin_fast.c - pinning what is mapped already, without a lock (thread 1).
 *
 * Layer 7 (mm/service).  Interface: pin_internal.h; pin.c goes on where this has to stop.  No locks: interrupts are off.
 *
 *   1 read the entry        interrupts off keep its table (who frees one interrupts us first), and the frame that it
 *                           names: whoever takes that from an address space clears, flushes, then lets go of it, and
 *                           the flush waits for us too
 *   2 fit?                  permitted, and as it must be for a device: below
 *   3 reference, count      a full barrier: the Dekker pair of page_pinned() in mm/phys/page.h.  The other halves:
 *                           writeback (mm/object/writeback.c), reclaim (mm/object/unmap.c), fork (mm/space/fork.c)
 *   4 still the same entry, and if need be still exclusive?   else give it all back: from here on the slow way
 *
 * Step 4 is what M13 leaves out.  An entry that is the same again after it was another one in between is as good as one
 * that never changed: who changed it looks at the count while it is changed, or has flushed.
 *
 * What is fit without looking at the vma:
 *
 *              a private page              a file's page
 *   to write   RW, so it is exclusive      RW: dirty, its block reserved (page_mkwrite), until writeback takes RW away
 *   to read    exclusive: nobody will      yes; but not LONGTERM: the mapping may be a private one, and the next store
 *              copy it away                would part the program from the device
 *
 * On i386 with PAE a value read without a lock may be one that the entry never had (pte_pae.h), so that a frame may be
 * named that has nothing to do with it; therefore two equal looks before anything is counted, and page_try_get().
 */
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/service/pin_internal.h"

#define IRQS_OFF_MAX 64 /* pages */
/* These ask for something that only the vma knows. */
#define SLOW_FLAGS (FOLL_ANON | FOLL_DUMP)

static bool file_page_fit(const struct page *page, unsigned flags)
{
	if (!(flags & FOLL_LONGTERM))
		return true;
	return (flags & FOLL_WRITE) && !READ_ONCE(pin_linux_compat);
}

static bool exclusive(const struct page *page)
{
	return !page_test(page, PG_ANON) || page_test(page, PG_ANON_EXCLUSIVE);
}

/* Steps 1 and 2; NULL: no. */
static struct page *fit_page(struct hw_pte *hw, pte_t pte, unsigned flags)
{
	struct page *page;

	if (!pte_accessible(pte) || !pte_has_page(pte) || pte_special(pte) || !pte_same(hw_pte_get_lockless(hw), pte))
		return NULL;
	if ((flags & FOLL_WRITE) && !pte_hw_write(pte))
		return NULL;
	page = pfn_to_page(pte_pfn(pte));
	if (!page_test(page, PG_ANON))
		return file_page_fit(page, flags) ? page : NULL;
	return !(flags & FOLL_PIN) || exclusive(page) ? page : NULL;
}

/* Step 4. A reference alone wants the page that is mapped, not that it stays ours. */
static bool still_fit(struct hw_pte *hw, pte_t pte, const struct page *page, unsigned flags)
{
	if (MUTATION(13)) /* M13: no second look */
		return true;
	if (!pte_same(hw_pte_get_lockless(hw), pte))
		return false;
	barrier(); /* the flag after the entry (tests/protocol/fork_pin.pml, FLAG_FIRST) */
	return !(flags & FOLL_PIN) || exclusive(page);
}

static void give_back(struct page *page, unsigned flags)
{
	if (flags & FOLL_PIN)
		pin_uncount(page, flags);
	page_put(page);
}

/* => interrupts off */
static struct page *pin_entry(struct pgtable *pt, vaddr_t va, struct hw_pte *hw, unsigned flags)
{
	pte_t pte = hw_pte_get_lockless(hw);
	struct page *page = fit_page(hw, pte, flags);

	if (!page)
		return NULL;
	SYNC_POINT("pin-fast-seen");
	if (!page_try_get(page))
		return NULL;
	pin_count(page, flags);
	SYNC_POINT("pin-fast-counted");
	if (still_fit(hw, pte, page, flags)) {
		TRACE(TRACE_PIN, pt, va, page_to_pfn(page), 0, flags);
		return page;
	}
	give_back(page, flags);
	return NULL;
}

/* => interrupts off; the tree is this CPU's */
static unsigned long pin_run(struct pgtable *pt, vaddr_t va, unsigned long nr, unsigned flags, struct page **pages)
{
	struct hw_pte *hw = NULL;
	unsigned long n;

	for (n = 0; n < nr; n++, va += PAGE_SIZE) {
		hw = hw && (va & (pt_span(1) - 1)) ? hw_pte_next(hw) : pt_lookup_lockless(pt, va);
		pages[n] = hw ? pin_entry(pt, va, hw, flags) : NULL;
		if (!pages[n])
			break;
	}
	return n;
}

unsigned long pin_lockless(struct mm *mm, vaddr_t start, unsigned long nr, unsigned flags, struct page **pages)
{
	unsigned long done = 0, batch, n = 0;

	if (flags & SLOW_FLAGS)
		return 0;
	for (; done < nr; done += n) {
		unsigned long irqs = irq_save();

		batch = min(nr - done, (unsigned long)IRQS_OFF_MAX);
		n = this_cpu()->loaded == &mm->pt ? pin_run(&mm->pt, start + (done << PAGE_SHIFT), batch, flags, pages + done)
		                                  : 0;
		irq_restore(irqs);
		if (n < batch)
			return done + n;
	}
	return done;
}
