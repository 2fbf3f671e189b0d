/*
 * huge.c - the frames of huge pages; and the huge zero page.
 *
 * Layer 6 (mm/space).  Interface: huge.h.
 */
#include "mm/space/huge.h"

#include "kernel/lib/assert.h"
#include "kernel/sync/mutex.h"
#include "mm/phys/lru.h"
#include "mm/phys/vmstat.h"
#include "mm/space/mm.h"

enum thp_mode thp_mode;

bool vma_wants_huge(const struct vma *vma)
{
	enum thp_mode mode = READ_ONCE(thp_mode);

	if (!vma_may_be_huge(vma) || !vma_holds_huge(vma, ALIGN_UP(vma->start, PT_HUGE_SIZE)))
		return false;
	return mode == THP_ALWAYS || (mode == THP_MADVISE && (vma->flags & VM_HUGEPAGE));
}

/* -- frames ---------------------------------------------------------------------------------------------------------- */

static struct page *frames(enum gfp gfp)
{
	return page_alloc(PT_HUGE_ORDER, GFP_USER | GFP_NOWARN | GFP_NORECLAIM | gfp);
}

struct page *huge_alloc(const struct vma *vma, vaddr_t base, bool zero)
{
	/* As Linux has it by default: who asked for huge pages waits for pages to be moved. */
	bool asked = !zero || (vma->flags & VM_HUGEPAGE);
	struct page *pages = frames((zero ? GFP_ZERO : 0) | (asked ? GFP_COMPACT : 0));

	for (unsigned i = 0; pages && i < PT_HUGE_PAGES; i++) {
		pages[i].refs = 1; /* from here on they are pages like others */
		pages[i].flags |= BIT(PG_ANON) | BIT(PG_ANON_EXCLUSIVE) | BIT(PG_SWAPBACKED) | BIT(PG_UPTODATE);
		pages[i].family = vma->anon.own;
		pages[i].index = vma_pgoff(vma, base) + i;
		pages[i].mapcount = 1;
	}
	return pages;
}

void huge_discard(struct page *pages)
{
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++) {
		pages[i].mapcount = 0;
		page_put(pages + i);
	}
}

void huge_mapped(struct pgtable *pt, struct page *pages)
{
	ASSERT(spin_held(&pt->lock));
	lru_add_block(pages, PT_HUGE_PAGES);
	pgtable_account(pt, (long)PT_HUGE_PAGES);
}

bool huge_exclusive(pte_t huge)
{
	const struct page *pages = pfn_to_page(pte_pfn(huge));

	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		if (!page_test(pages + i, PG_ANON_EXCLUSIVE))
			return false;
	return true;
}

/* -- zero ------------------------------------------------------------------------------------------------------------- */

/* One for everybody, while any address space has mapped it once. */
static struct page *zero;
static unsigned long zero_users;
static struct mutex zero_lock = MUTEX_INIT(zero_lock, LOCK_NONE);

struct page *huge_zero_get(struct mm *mm)
{
	struct page *page;

	if (READ_ONCE(mm->huge_zero))
		return zero;
	mutex_lock(&zero_lock);
	if (!zero) {
		zero = frames(GFP_ZERO);
		vm_count(VM_THP_ZERO_PAGE_ALLOC, zero != NULL);
	}
	page = zero;
	if (page && !mm->huge_zero) {
		zero_users++;
		WRITE_ONCE(mm->huge_zero, true);
	}
	mutex_unlock(&zero_lock);
	return page;
}

void huge_zero_put(struct mm *mm)
{
	struct page *unused = NULL;

	if (!mm->huge_zero)
		return;
	mutex_lock(&zero_lock);
	if (!--zero_users) {
		unused = zero;
		zero = NULL;
	}
	mm->huge_zero = false;
	mutex_unlock(&zero_lock);
	if (unused)
		page_free(unused, PT_HUGE_ORDER);
}
