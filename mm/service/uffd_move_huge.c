/*
 * uffd_move_huge.c - UFFDIO_MOVE where an entry is huge: it moves as one, with its deposit (thread 2, R2.5).
 *
 * Layer 7 (mm/service).  Interface: uffd_move.h.
 * Lock order: mm->lock (read; of two address spaces, the lower one first), the source's family, pt->lock of both trees.
 *
 * The steps of uffd_move.c, with the level-1 entries' lock in place of the two PTLs:
 *
 *   source, huge                             destination            what happens
 *   all of it is wanted, and fits            nothing, no table      one entry moves, its pages' reverse map is turned
 *   a part, or at another alignment          no huge entry          its first page is judged; split, base pages move
 *   all of it                                a table                is freed if it is empty; else as a part
 *   a page is shared, or pinned              -                      EBUSY (see uffd_move.c for UNSHARE, MOVE_PINNED),
 *                                                                   and it stays whole
 *   any                                      huge                   EEXIST, and both stay whole
 *
 * Pins of a part of a huge entry are made under the entry's lock, not without any (pin_fast.c): what was judged holds until
 * the entry is cleared, and needs no second look.
 */
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/service/uffd_move.h"
#include "mm/space/huge.h"
#include "mm/space/space.h"

/* -- as one --------------------------------------------------------------------------------------------------------- */

/* Each page, as if it were alone; the huge zero page: may the destination have it? => the entry's lock */
static int judge_pages(struct move *m, pte_t huge)
{
	struct page *pages = pfn_to_page(pte_pfn(huge));
	int err = 0;

	if (pte_special(huge))
		return m->to->huge_zero ? 0 : MOVE_PAGES;
	for (unsigned i = 0; !err && i < PT_HUGE_PAGES; i++)
		err = move_judge_page(m, pages + i);
	return err;
}

static void turn_pages(const struct move *m, pte_t huge)
{
	struct page *pages = pfn_to_page(pte_pfn(huge));
	pgoff_t index = vma_pgoff(m->dst_vma, m->dst);

	if (pte_special(huge))
		return;
	for (unsigned i = 0; i < PT_HUGE_PAGES; i++)
		move_rmap(m, pages + i, index + i);
	pgtable_account(&m->from->pt, -(long)PT_HUGE_PAGES);
	pgtable_account(&m->to->pt, (long)PT_HUGE_PAGES);
}

/* => pt_lock_huge_move(), judged */
static void transfer(struct move *m, struct pt_huge *h)
{
	struct page *deposit;
	pte_t pte = pt_clear_huge(h, &deposit);

	TRACE(TRACE_CLEAR, h->pt, h->base, pte_pfn(pte), pte_trace(pte), 0);
	pgtable_flush_range(h->pt, h->base, h->end);
	SYNC_POINT("move-cleared");
	turn_pages(m, pte);
	if (MUTATION(8)) { /* M8: the deposit does not come along */
		pt_deposit_free(deposit);
		deposit = NULL;
	}
	pte = move_arriving(m, pte);
	BUG_ON(!pt_set_huge(&m->to->pt, m->dst, pte, deposit));
	TRACE(TRACE_SET, &m->to->pt, m->dst, pte_trace_pfn(pte), 0, pte_trace(pte));
}

/* There is a table at the destination: that it has entries is not certain. => pt_lock_huge_move() */
static int table_in_the_way(struct move *m)
{
	if (m->cleared == m->dst)
		return MOVE_PAGES; /* it was not empty, or has come again */
	m->cleared = m->dst;
	m->clear_way = true;
	return -EAGAIN;
}

/* => subscribers know, the source's family */
static int move_entry(struct move *m)
{
	struct pt_huge h;
	int err;

	if (!pt_lock_huge_move(&m->from->pt, m->src, &m->to->pt, &h))
		return MOVE_PAGES; /* it was split, or is gone */
	if (!pt_vacant(&m->to->pt, m->dst))
		err = table_in_the_way(m);
	else
		err = judge_pages(m, h.pte);
	if (!err) {
		SYNC_POINT("move-judged");
		transfer(m, &h);
	}
	pt_unlock_huge_move(&h, &m->to->pt);
	return err;
}

static int prepare(const struct move *m)
{
	if (pt_populate_upper(&m->to->pt, m->dst) || vma_anon_prepare(m->dst_vma) || vma_anon_prepare(m->src_vma))
		return -ENOMEM;
	if (m->from->huge_zero)
		huge_zero_get(m->to); /* it may be what moves; if it cannot be had, parts of it do */
	return 0;
}

static int move_whole(struct move *m)
{
	struct mmu_range range;
	int err = prepare(m);

	if (err)
		return err;
	mmu_notify_start(&range, &m->from->pt, m->src, m->src + PT_HUGE_SIZE, MMU_CLEAR);
	anon_range_lock(&m->src_vma->anon);
	err = move_entry(m);
	anon_range_unlock(&m->src_vma->anon);
	mmu_notify_end(&range);
	if (!err) {
		m->dst += PT_HUGE_SIZE;
		m->src += PT_HUGE_SIZE;
	}
	return err;
}

/* -- a part ----------------------------------------------------------------------------------------------------------- */

/* Would the first page move?  Only then the entry is split for it. 0 or -EBUSY. */
static int judge_first(struct move *m)
{
	struct pt_huge h;
	int err = 0;

	if (!pt_lock_huge(&m->from->pt, m->src, &h))
		return 0;
	if (!pte_special(h.pte))
		err = move_judge_page(m, pfn_to_page(pte_pfn(h.pte)) + pt_index(0, m->src));
	pt_unlock_huge(&h);
	return err;
}

static bool occupied(struct move *m)
{
	struct pt_reading r;
	bool occupied;

	if (!pt_read_lock(&m->to->pt, m->dst, &r))
		return false;
	occupied = !pte_is_none(r.pte);
	pt_read_unlock(&r);
	return occupied;
}

static int move_part(struct move *m)
{
	int err = occupied(m) ? -EEXIST : judge_first(m);

	return err ? err : MOVE_PAGES;
}

/* All of a huge entry, to where one may be?  Where entries have grants of their own it might be in the way. */
static bool fits(const struct move *m)
{
	return IS_ALIGNED(m->src | m->dst, PT_HUGE_SIZE) && m->end - m->dst >= PT_HUGE_SIZE &&
	       !(m->dst_vma->flags & (VM_NONLINEAR | VM_MANYPROTS));
}

int move_huge(struct move *m)
{
	int err = MOVE_PAGES;

	if (pt_is_huge(&m->to->pt, m->dst))
		return -EEXIST;
	if (!pt_is_huge(&m->from->pt, m->src))
		return MOVE_PAGES;
	if (fits(m))
		err = move_whole(m);
	return err == MOVE_PAGES ? move_part(m) : err;
}

/* -- the way ------------------------------------------------------------------------------------------------------------ */

/* => mm->lock held for writing, and the lock of every reverse map that leads there: nobody sets an entry */
static bool table_is_empty(struct pgtable *pt, vaddr_t va)
{
	struct pt_slot slot = pt_lock_table(pt, va);
	struct hw_pte *hw = slot.hw;
	bool empty = hw;

	for (unsigned i = 0; empty && i < PT_HUGE_PAGES; i++, hw = hw_pte_next(hw))
		empty = pte_is_none(hw_pte_get(hw));
	if (slot.hw)
		pt_unlock(slot);
	return empty;
}

void move_clear_way(struct move *m)
{
	struct vma *vma;

	m->clear_way = false;
	if (rwsem_write_lock_killable(&m->to->lock))
		return;
	vma = move_find(m->to, m->dst);
	if (vma && !vma->object && vma_holds_huge(vma, m->dst)) {
		anon_range_lock(&vma->anon);
		if (table_is_empty(&m->to->pt, m->dst))
			pt_deposit_free(pt_take_table(&m->to->pt, m->dst));
		anon_range_unlock(&vma->anon);
	}
	rwsem_write_unlock(&m->to->lock);
}
