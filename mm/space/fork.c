/*
 * fork.c - the child's copy of an address space.
 *
 * Layer 6 (mm/space).  Interface: mm.h.
 * Lock order: parent's mm->lock (write), child's (write, nested), maps.lock, parent's PTL, child's PTL.
 *
 *   entry                              parent               child
 *   anonymous page                     read-only, shared    the same page, read-only
 *   anonymous page under a DMA pin     keeps it, exclusive  a copy, made now (thread 1: the device and the parent
 *                                                           go on seeing one page)
 *   zero page                          -                    the same
 *   huge page                          as each of its pages; if one is pinned it is split first
 *   swap entry                         shared from now on   the same; the slot counts one more
 *   migration entry                    as the page's        as the page's
 *   note about a lost page             -                    the same
 *   write-protected by userfaultfd     stays so             stays so if the child is registered too (UFFDX_EVENT_FORK)
 *   file entry, page of a nonlinear    -                    verbatim, with a node of its own if off position
 *   page of a linear file mapping      -                    nothing: faults refill it
 *
 * Nothing that may fail happens under a PTL: tables, index nodes and the copies of pinned pages are made before.
 */
#include "kernel/lib/assert.h"
#include "mm/object/migrate.h"
#include "mm/object/swap.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_uffd.h"
#include "mm/phys/lru.h"
#include "mm/phys/slab.h"
#include "mm/space/huge.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* Copying one vma. */
struct copy {
	struct vma *from, *to;
	struct page *spare;   /* for the copy of a pinned page */
	bool need_spare;      /* the walk stopped for want of it */
	vaddr_t at;           /* where it stopped */
	bool write_protected; /* the parent needs a flush */
	bool overflow;        /* a slot cannot count one more entry */
	bool drop_wp;         /* the parent is write-protected by userfaultfd, the child is not */
};

/* As many as the parent's index holds: more than this vma needs if it is only a part of the mapping. */
static int prepare_nodes(struct copy *c)
{
	unsigned long n = c->from->link.nonlinear->count;

	nonlinear_index_reserve(c->to->link.nonlinear, n);
	return nonlinear_index_stock(c->to->link.nonlinear, n);
}

static void discard_spares(struct copy *c)
{
	if (c->spare)
		page_put(c->spare);
	if (c->to->link.nonlinear)
		nonlinear_index_trim(c->to->link.nonlinear);
}

/* -- one entry: parent's and child's PTL held ------------------------------------------------------------------ */

static void child_gets(struct copy *c, struct hw_pte *hw, struct page *page, pte_t pte)
{
	hw_pte_set(hw, pte);
	__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	pgtable_account(&c->to->mm->pt, 1);
}

static void note_offset(struct copy *c, vaddr_t va, pgoff_t pgoff)
{
	if (c->to->link.nonlinear && pgoff != vma_pgoff(c->to, va))
		nonlinear_index_add(c->to->link.nonlinear, pgoff, va);
}

/* A private copy stands for the same page of the file in the child. */
static void note_copy(struct copy *c, vaddr_t va)
{
	pgoff_t linear = vma_pgoff(c->to, va), pgoff;

	if (likely(!c->to->link.nonlinear))
		return;
	pgoff = nonlinear_index_copied(c->from->link.nonlinear, va, linear);
	note_offset(c, va, pgoff);
	if (pgoff != linear)
		nonlinear_index_to_copy(c->to->link.nonlinear, pgoff, va);
}

static pte_t like_wp(pte_t from, pte_t pte)
{
	return unlikely(pte_uffd_wp(from)) ? pte_set_uffd_wp(pte, true) : pte;
}

/* The pinned page stays the parent's; the child gets the spare, filled. */
static void copy_pinned(struct copy *c, struct hw_pte *to, vaddr_t va, struct page *page, pte_t pte)
{
	struct page *copy = c->spare;

	c->spare = NULL;
	page_copy(copy, page);
	copy->flags |= BIT(PG_ANON) | BIT(PG_ANON_EXCLUSIVE) | BIT(PG_SWAPBACKED) | BIT(PG_UPTODATE);
	copy->family = anon_range_root(&c->to->anon); /* the child has no family of its own yet */
	copy->index = vma_pgoff(c->to, va);
	child_gets(c, to, copy, like_wp(pte, pte_mkdirty(pte_mk_page(page_to_pfn(copy), pte_grant(pte)))));
	lru_add(copy);
}

/*
 * The parent's page is no longer its alone, unless a device has it: then nothing has changed and the answer is no.
 *
 *   A1 empty the entry       a lockless pin (mm/service/pin_fast.c) counts itself before it looks at the entry again, and
 *   A2 (barrier) pinned?     at the flag after that: so either it is seen here, or it finds the entry empty, or, when A4
 *   A3 clear the flag        has brought the very same entry back (it was read-only before), the flag cleared
 *   A4 (barrier) set it read-only
 *
 * => parent's PTL
 */
static bool share_page(struct copy *c, struct hw_pte *from, struct page *page, pte_t *pte)
{
	pte_t old;

	if (!page_test(page, PG_ANON_EXCLUSIVE))
		return true;
	old = hw_pte_get_and_clear(from);
	if (page_pinned(page)) {
		hw_pte_set(from, old);
		return false;
	}
	page_clear(page, PG_ANON_EXCLUSIVE);
	*pte = pte_wrprotect(old);
	hw_pte_set(from, *pte);
	c->write_protected |= pte_hw_write(old);
	return true;
}

/* Share the page read-only; returns false if a spare page is needed first. */
static bool copy_anon(struct copy *c, struct hw_pte *from, struct hw_pte *to, vaddr_t va, pte_t pte)
{
	struct page *page = pfn_to_page(pte_pfn(pte));

	if (share_page(c, from, page, &pte)) {
		page_get(page);
		child_gets(c, to, page, pte);
	} else {
		if (!c->spare)
			return false;
		copy_pinned(c, to, va, page, pte);
	}
	note_copy(c, va);
	return true;
}

static void copy_cached(struct copy *c, struct hw_pte *to, vaddr_t va, pte_t pte)
{
	struct page *page = pfn_to_page(pte_pfn(pte));

	if (!c->to->link.nonlinear && !(c->to->flags & (VM_MANYPROTS | VM_UFFD_WP)))
		return;
	page_get(page);
	child_gets(c, to, page, vma_notifies_writes(c->to) ? pte_mkclean(pte_wrprotect(pte)) : pte);
	note_offset(c, va, page->index);
}

/* Neither of the two owns the page alone any more (A3 of the exclusive flag's protocol, in the entry). */
static bool copy_swapped(struct copy *c, struct hw_pte *from, struct hw_pte *to, vaddr_t va, pte_t pte)
{
	c->overflow = !swap_dup(pte_swap_entry(pte));
	if (c->overflow)
		return false;
	if (pte_swap_exclusive(pte)) {
		pte = pte_swap_share(pte);
		hw_pte_set(from, pte);
	}
	hw_pte_set(to, pte);
	pgtable_account_swap(&c->to->mm->pt, 1);
	note_copy(c, va);
	return true;
}

/* As copy_anon() and copy_cached() do with the page's own entry; who moves the page finds the child's entry, too. */
static void copy_migrating(struct copy *c, struct hw_pte *from, struct hw_pte *to, vaddr_t va, pte_t pte)
{
	bool anon = page_test(pte_migrating(pte), PG_ANON);

	if (!anon && !c->to->link.nonlinear && !(c->to->flags & (VM_MANYPROTS | VM_UFFD_WP)))
		return;
	hw_pte_set(to, anon || vma_notifies_writes(c->to) ? pte_migration_share(pte) : pte);
	migration_entry_copied(&c->to->mm->pt, pte);
	if (anon) {
		hw_pte_set(from, pte_migration_share(pte));
		note_copy(c, va);
	} else {
		note_offset(c, va, pte_migrating(pte)->index);
	}
}

/* False: the walk must stop for want of something. */
static bool copy_entry(struct copy *c, struct hw_pte *from, struct hw_pte *to, vaddr_t va)
{
	pte_t pte = hw_pte_get(from);

	if (pte_is_none(pte))
		return true;
	if (pte_is_file(pte)) {
		hw_pte_set(to, pte);
		note_offset(c, va, pte_file_pgoff(pte));
	} else if (pte_has_page(pte)) {
		if (pte_special(pte))
			hw_pte_set(to, pte);
		else if (page_test(pfn_to_page(pte_pfn(pte)), PG_ANON))
			return copy_anon(c, from, to, va, pte);
		else
			copy_cached(c, to, va, pte);
	} else if (pte_is_swap(pte)) {
		return copy_swapped(c, from, to, va, pte);
	} else if (pte_is_migration(pte)) {
		copy_migrating(c, from, to, va, pte);
	} else {
		hw_pte_set(to, pte);
		note_copy(c, va);
	}
	return true;
}

/* The child is not registered: what was copied for it says nothing of the parent's write protection. => its PTL */
static void drop_wp(struct hw_pte *to)
{
	pte_t pte = hw_pte_get(to);

	if (pte_is_none(pte) || !pte_uffd_wp(pte))
		return;
	hw_pte_get_and_clear(to);
	if (!pte_is_uffd_note(pte))
		hw_pte_set(to, pte_set_uffd_wp(pte, false));
}

/* -- one leaf table, one vma, all --------------------------------------------------------------------------------- */

static int copy_extent(struct pt_extent *x, void *ctx)
{
	struct copy *c = ctx;
	struct pt_slot to = pt_lock_nested(&c->to->mm->pt, x->va);

	ASSERT(to.hw);
	for (; x->va < x->end; pt_extent_next(x), to.hw = hw_pte_next(to.hw)) {
		if (!copy_entry(c, x->hw, to.hw, x->va)) {
			c->need_spare = !c->overflow;
			break;
		}
		if (unlikely(c->drop_wp))
			drop_wp(to.hw);
	}
	c->at = x->va;
	pt_unlock(to);
	return c->need_spare || c->overflow;
}

/* -- one huge entry -------------------------------------------------------------------------------------------------- */

static bool huge_pinned(pte_t huge)
{
	const struct page *pages = pfn_to_page(pte_pfn(huge));

	for (unsigned i = 0; !pte_special(huge) && i < PT_HUGE_PAGES; i++)
		if (page_pinned(pages + i))
			return true;
	return false;
}

static pte_t write_protect(pte_t old, void *ctx)
{
	return pte_wrprotect(old);
}

/* Every page has one entry more, and is nobody's alone. => both trees' locks */
static void share_huge(struct copy *c, struct pt_huge *h, struct page *deposit)
{
	struct pgtable *child = &c->to->mm->pt;
	pte_t old = pt_change_huge(h, write_protect, NULL);

	BUG_ON(!pt_set_huge(child, h->base, h->pte, deposit));
	c->write_protected |= pte_hw_write(old);
	for (unsigned i = 0; !pte_special(old) && i < PT_HUGE_PAGES; i++) {
		struct page *page = pfn_to_page(pte_pfn(old)) + i;

		page_clear(page, PG_ANON_EXCLUSIVE);
		page_get(page);
		__atomic_fetch_add(&page->mapcount, 1, __ATOMIC_SEQ_CST);
	}
	if (!pte_special(old))
		pgtable_account(child, (long)PT_HUGE_PAGES);
}

/* 1: done with a huge entry; 0: there is none that can be shared as a whole; or -ENOMEM. */
static int copy_huge(struct copy *c, vaddr_t start)
{
	struct pgtable *parent = &c->from->mm->pt, *child = &c->to->mm->pt;
	struct page *deposit;
	struct pt_huge h;
	bool shared;

	if (!pt_lock_huge(parent, start, &h))
		return 0;
	pt_unlock_huge(&h);
	if (pt_populate_upper(child, h.base) || (pte_special(h.pte) && !huge_zero_get(c->to->mm)))
		return -ENOMEM;
	deposit = pt_deposit_alloc();
	if (!deposit)
		return -ENOMEM;
	shared = pt_lock_huge(parent, start, &h);
	if (shared) {
		shared = !huge_pinned(h.pte);
		if (shared) {
			spin_lock_nested(&child->lock);
			share_huge(c, &h, deposit);
			spin_unlock(&child->lock);
		}
		pt_unlock_huge(&h);
	}
	if (!shared)
		pt_deposit_free(deposit);
	return shared;
}

/* The entries of one leaf table's span, from @start. */
static int copy_span(struct copy *c, vaddr_t start, vaddr_t end)
{
	struct pgtable *pt = &c->from->mm->pt;
	int huge = copy_huge(c, start);
	struct pt_slot slot;

	if (huge)
		return min(huge, 0);
	slot = pt_lock(pt, start);
	if (!slot.hw)
		return 0;
	pt_unlock(slot);
	if (pt_populate(&c->to->mm->pt, start, end))
		return -ENOMEM;
	for (c->at = start; pt_walk(pt, c->at, end, copy_extent, c);) {
		if (c->overflow)
			return -ENOMEM;
		c->need_spare = false;
		c->spare = page_alloc(0, GFP_USER);
		if (!c->spare)
			return -ENOMEM;
	}
	return 0;
}

static int copy_entries(struct copy *c)
{
	int err = 0;

	for (vaddr_t va = c->from->start, next; va < c->from->end && !err; va = next) {
		next = min((va & ~(pt_span(1) - 1)) + pt_span(1), c->from->end);
		err = copy_span(c, va, next);
	}
	return err;
}

/* Shared linear mappings are refilled by faults; everything else has something only its entries know. */
static bool needs_copy(const struct vma *from, const struct vma *to)
{
	return vma_private(from) || (from->flags & (VM_NONLINEAR | VM_MANYPROTS)) || (to->flags & VM_UFFD_WP);
}

/* Who answers the parent's faults answers the child's only if it wants to know of it. 0 or -ENOMEM. */
static int copy_uffd(struct copy *c, struct list *events)
{
	struct vma *from = c->from, *to = c->to;
	struct uffd *u = NULL;

	if (uffd_wants(from->uffd, UFFDX_EVENT_FORK)) {
		u = uffd_prepare_fork(from->uffd, to->mm, events);
		if (IS_ERR(u))
			return (int)PTR_ERR(u);
	}
	to->uffd = u;
	if (!u)
		to->flags &= ~(unsigned)VM_UFFD;
	c->drop_wp = (from->flags ^ to->flags) & VM_UFFD_WP;
	return 0;
}

static int copy_vma(struct mm *child, struct vma *from, struct list *events)
{
	struct copy c = {.from = from};
	struct vma *to = vma_alloc(child, from->start, from->end, from->flags & ~(unsigned)(VM_LOCKED | VM_LOCKONFAULT));
	struct mmu_range range;
	int err = 0;

	if (!to)
		return -ENOMEM;
	c.to = to;
	if (anon_range_clone(&to->anon, &from->anon)) {
		vma_free(to);
		return -ENOMEM;
	}
	to->anon.own = NULL; /* what the child makes is its own */
	if (unlikely(from->uffd))
		err = copy_uffd(&c, events);
	to->name = from->name;
	vma_set_object(to, from->object, from->file, from->pgoff);
	if (!err && from->link.nonlinear) {
		to->link.nonlinear = nonlinear_index_get(&from->object->maps, &child->pt);
		if (IS_ERR(to->link.nonlinear)) {
			err = (int)PTR_ERR(to->link.nonlinear);
			to->link.nonlinear = NULL;
		} else {
			err = prepare_nodes(&c);
		}
	}
	if (err) {
		discard_spares(&c);
		vma_free(to);
		return err;
	}
	vma_attach(to);
	if (needs_copy(from, to)) {
		mmu_notify_start(&range, &from->mm->pt, from->start, from->end, MMU_PROTECT_PAGE);
		if (from->link.nonlinear)
			rwsem_write_lock(&from->object->maps.lock);
		err = copy_entries(&c);
		if (from->link.nonlinear)
			rwsem_write_unlock(&from->object->maps.lock);
		if (c.write_protected)
			pgtable_flush_range(&from->mm->pt, from->start, from->end);
		else
			pgtable_settle(&from->mm->pt); /* a slot that both refer to now must not change any more */
		mmu_notify_end(&range);
	}
	discard_spares(&c);
	return err;
}

static int copy_all(struct mm *parent, struct mm *child, struct list *events)
{
	for (struct vma *vma = vma_first(parent); vma; vma = vma_next(vma)) {
		int err = vma->flags & VM_DONTCOPY ? 0 : copy_vma(child, vma, events);

		if (err)
			return err;
	}
	return 0;
}

static void copy_layout(const struct mm *parent, struct mm *child)
{
	child->brk_start = parent->brk_start;
	child->brk = parent->brk;
	child->stack_top = parent->stack_top;
	child->arg_start = parent->arg_start;
	child->arg_end = parent->arg_end;
	child->env_start = parent->env_start;
	child->env_end = parent->env_end;
	child->exe = parent->exe;
	if (child->exe)
		mm_file_ops->get(child->exe);
}

struct mm *mm_fork(struct mm *parent)
{
	struct mm *child = mm_create();
	struct list events;
	int err;

	if (IS_ERR(child))
		return child;
	err = rwsem_write_lock_killable(&parent->lock);
	if (!err) {
		rwsem_write_lock_nested(&child->lock);
		copy_layout(parent, child);
		list_init(&events);
		err = copy_all(parent, child, &events);
		rwsem_write_unlock(&child->lock);
		if (err)
			uffd_events_drop(&events);
		else
			uffd_events_add(parent, &events);
		mm_unlock_changed(parent);
	}
	if (!err)
		return child;
	mm_put(child);
	return ERR_PTR(err);
}
