/*
 * entry.c - single steps on entries, for tests: look at one, clear accessed bits, clean pages without I/O.
 *
 * Layer 8 (mm/debug).  Interface: debug.h.  Lock order: mm->lock (read), page lock, maps.lock, PTL.
 */
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/debug/debug.h"
#include "mm/object/pagecache.h"
#include "mm/pgtable/huge.h"
#include "mm/pgtable/notifier.h"
#include "mm/service/reap.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

STATIC_ASSERT((int)PTE_KIND_PAGE == MM_ENTRY_PAGE && (int)PTE_KIND_FILE == MM_ENTRY_FILE);
STATIC_ASSERT((int)PTE_KIND_SWAP == MM_ENTRY_SWAP && (int)PTE_KIND_TABLE == MM_ENTRY_TABLE);

static void describe_entry(struct mm_entry *arg, pte_t pte)
{
	struct pte_view v = pte_decode(pte, 0);

	arg->table = 1;
	arg->kind = v.kind;
	arg->grant = v.grant;
	arg->write = v.write;
	arg->accessed = v.accessed;
	arg->dirty = v.dirty;
	arg->special = v.special;
	if (v.kind == PTE_KIND_PAGE)
		arg->pfn = v.payload;
	else
		arg->pgoff = v.payload; /* SWAP: the slot */
}

static u64 flag(const struct page *page, enum page_flag bit, u64 value)
{
	return page_test(page, bit) ? value : 0;
}

/* => the page cannot go away */
static void describe_page(struct mm_entry *arg, const struct page *page)
{
	arg->page = flag(page, PG_DIRTY, MM_PAGE_DIRTY) | flag(page, PG_WRITEBACK, MM_PAGE_WRITEBACK) |
	            flag(page, PG_ANON, MM_PAGE_ANON) | flag(page, PG_ANON_EXCLUSIVE, MM_PAGE_EXCLUSIVE) |
	            flag(page, PG_UPTODATE, MM_PAGE_UPTODATE) | (page_object(page) ? MM_PAGE_CACHED : 0);
	arg->mapcount = (u64)READ_ONCE(page->mapcount);
	arg->refs = (u64)READ_ONCE(page->refs);
	arg->pins_w = (u64)READ_ONCE(page->pins_w);
	arg->pins_r = (u64)READ_ONCE(page->pins_r);
	arg->index = READ_ONCE(page->index);
}

/* As a walker without locks sees it: the table cannot go away while interrupts are off. */
static void look_lockless(struct mm *mm, struct mm_entry *arg)
{
	unsigned long flags = irq_save();
	struct hw_pte *hw = pt_lookup_lockless(&mm->pt, (vaddr_t)arg->addr);
	pte_t pte = hw ? hw_pte_get_lockless(hw) : pte_none();

	irq_restore(flags);
	if (hw)
		describe_entry(arg, pte);
}

static void look_locked(struct mm *mm, struct mm_entry *arg)
{
	struct pt_reading r;

	rwsem_read_lock(&mm->lock);
	if (pt_read_lock(&mm->pt, (vaddr_t)arg->addr, &r)) {
		describe_entry(arg, r.pte);
		if (pte_has_page(r.pte) && pfn_valid(pte_pfn(r.pte)))
			describe_page(arg, pfn_to_page(pte_pfn(r.pte)));
		if (r.lock == &mm->pt.lock) {
			arg->page |= MM_PAGE_HUGE;
			arg->table = 0;
		}
		pt_read_unlock(&r);
	}
	rwsem_read_unlock(&mm->lock);
}

int debug_entry(struct mm *mm, struct mm_entry *arg)
{
	u64 addr = arg->addr, flags = arg->flags;

	if (addr >= USER_END || flags & ~(u64)MM_ENTRY_LOCKLESS)
		return addr >= USER_END ? -EFAULT : -EINVAL;
	*arg = (struct mm_entry){.addr = addr, .flags = flags};
	if (flags & MM_ENTRY_LOCKLESS)
		look_lockless(mm, arg);
	else
		look_locked(mm, arg);
	return 0;
}

/* -- ranges --------------------------------------------------------------------------------------------------------- */

/* The pages that the range touches. */
static int check_range(struct mm_range *arg, vaddr_t *start, vaddr_t *end)
{
	arg->pages = arg->count = 0;
	if (arg->addr >= USER_END || arg->len > USER_END - arg->addr)
		return -EFAULT;
	*start = ALIGN_DOWN((vaddr_t)arg->addr, PAGE_SIZE);
	*end = ALIGN_UP((vaddr_t)(arg->addr + arg->len), PAGE_SIZE);
	return 0;
}

static int clear_extent(struct pt_extent *x, void *ctx)
{
	struct mm_range *arg = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		if (!pte_has_page(hw_pte_get(x->hw)))
			continue;
		arg->pages++;
		arg->count +=
			hw_pte_test_and_clear_young(x->hw) | mmu_notify_clear_young(x->pt, x->va, x->va + PAGE_SIZE, true);
	}
	return 0;
}

int debug_clear_young(struct mm *mm, struct mm_range *arg)
{
	vaddr_t start, end;
	int err = check_range(arg, &start, &end);

	if (err || start == end)
		return err;
	rwsem_read_lock(&mm->lock);
	pt_walk(&mm->pt, start, end, clear_extent, arg);
	pgtable_flush_cpus(&mm->pt, start, end); /* else the CPUs would not tell of the next access */
	rwsem_read_unlock(&mm->lock);
	return 0;
}

/* The cached page mapped at @va, referenced; NULL: none. */
static struct page *cached_page_at(struct mm *mm, vaddr_t va)
{
	struct pt_slot slot = pt_lock(&mm->pt, va);
	struct page *page = NULL;
	pte_t pte;

	if (!slot.hw)
		return NULL;
	pte = hw_pte_get(slot.hw);
	if (pte_has_page(pte) && !pte_special(pte)) {
		page = pfn_to_page(pte_pfn(pte));
		if (page_test(page, PG_ANON))
			page = NULL;
		else
			page_get(page);
	}
	pt_unlock(slot);
	return page;
}

static bool clean_page(struct vm_object *obj, struct page *page)
{
	bool dirty = false;

	page_lock(page);
	if (page->object == obj) {
		dirty = rmap_mkclean(&obj->maps, page, NULL);
		if (dirty)
			pagecache_set_dirty(page);
	}
	page_unlock(page);
	return dirty;
}

int debug_clean(struct mm *mm, struct mm_range *arg)
{
	vaddr_t start, end;
	struct vma *vma;
	int err = check_range(arg, &start, &end);

	if (err)
		return err;
	rwsem_read_lock(&mm->lock);
	for_each_vma_in(vma, mm, start, end) {
		vaddr_t stop = min(end, vma->end);

		for (vaddr_t va = max(start, vma->start); vma->object && va < stop; va += PAGE_SIZE) {
			struct page *page = cached_page_at(mm, va);

			if (!page)
				continue;
			arg->pages++;
			arg->count += clean_page(vma->object, page);
			page_put(page);
		}
	}
	rwsem_read_unlock(&mm->lock);
	return 0;
}

int debug_reap(struct mm *mm, struct mm_range *arg)
{
	vaddr_t start, end;
	int err = check_range(arg, &start, &end);

	return err ? err : mm_reap(mm, start, end);
}
