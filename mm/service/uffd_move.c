/*
 * uffd_move.c - UFFDIO_MOVE: pages change their address; nothing is copied, and no range is made (thread 2).
 *
 * Layer 7 (mm/service).  Interface: uffd.h.
 * Lock order: mm->lock (read; of two address spaces, the lower one first), the source's family, two PTLs by address.
 *
 * A batch is what lies in one leaf table at the source and in one at the destination:
 *
 *   1. tables and families are made; subscribers hear of the source's range       may fail, may sleep
 *   2. both tables are locked; entry by entry it is judged how far the batch goes
 *   3. the entries are cleared; one flush of every TLB and every subscriber.  The cleared values are the truth about
 *      accessed and dirty.  From here on nobody reaches a page through the source, and nobody can yet through the
 *      destination (R2.1): who touches either waits for the table's lock in his fault
 *   4. a pin that came before step 3 is counted by now, a later one finds the entry gone: a pinned page goes back, and
 *      the batch ends before it.  The others' reverse map is turned, and their entries are set at the destination
 *
 *   source entry                        what happens
 *   none                                ENOENT, or (ALLOW_SRC_HOLES) nothing, and it counts as moved
 *   page, exclusive, not pinned         moves; its entry verbatim, but that write protection stays only where it is asked for
 *   page, not exclusive                 EBUSY, or (UNSHARE) first a copy that is; if nobody else has it any more, it is
 *   page, pinned                        EBUSY, or (MOVE_PINNED) moves: the device goes on with the same frame
 *   page of zeros                       moves as that
 *   swap, exclusive                     moves; a cached page learns where it belongs when it is mapped (fault_swap.c)
 *   swap, not exclusive                 EBUSY, or (UNSHARE) as a page
 *   migration                           is waited for
 *   marker, anything else               EFAULT
 *   destination not none                EEXIST
 *
 * A huge entry that fits at the destination moves as one: uffd_move_huge.c.
 */
#include "mm/service/uffd_move.h"

#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/hooks.h"
#include "mm/pgtable/notifier.h"
#include "mm/pgtable/pte_swap.h"
#include "mm/pgtable/pte_trace.h"
#include "mm/pgtable/pte_uffd.h"
#include "mm/phys/slab.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* -- 2: judging ------------------------------------------------------------------------------------------------------ */

static int judge_entry(struct move *m, pte_t src, pte_t dst)
{
	if (!pte_is_none(dst))
		return -EEXIST;
	if (pte_is_none(src))
		return m->mode & UFFDX_MOVE_ALLOW_SRC_HOLES ? 0 : -ENOENT;
	if (pte_has_page(src))
		return pte_special(src) ? 0 : move_judge_page(m, pfn_to_page(pte_pfn(src)));
	if (pte_is_swap(src)) {
		if (pte_swap_exclusive(src))
			return 0;
		m->resolve = m->mode & UFFDX_MOVE_UNSHARE;
		return -EBUSY;
	}
	m->resolve = pte_is_migration(src);
	return -EFAULT;
}

/* How many of the @n entries from the two on can be moved; *@err: why not more. => both PTLs */
static unsigned judge(struct move *m, const struct pt_two *two, unsigned n, int *err)
{
	struct hw_pte *dst = two->a.hw, *src = two->b.hw;
	unsigned i;

	for (i = 0; i < n; i++, dst = hw_pte_next(dst), src = hw_pte_next(src)) {
		m->ptes[i] = hw_pte_get(src);
		*err = judge_entry(m, m->ptes[i], hw_pte_get(dst));
		if (*err)
			break;
	}
	m->resolve = m->resolve && i == 0;
	return i;
}

/* -- 3: clearing -------------------------------------------------------------------------------------------------------- */

static void clear(struct move *m, const struct pt_two *two, unsigned n)
{
	struct pgtable *pt = &m->from->pt;
	struct hw_pte *src = two->b.hw;
	bool pages = false;

	for (unsigned i = 0; i < n; i++, src = hw_pte_next(src)) {
		if (pte_has_page(m->ptes[i])) {
			pte_t old = hw_pte_get_and_clear(src);

			TRACE(TRACE_CLEAR, pt, m->src + i * PAGE_SIZE, pte_pfn(old), pte_trace(old), 0);
			if (!MUTATION(6)) /* M6: what was read before is believed */
				m->ptes[i] = old;
			pages = true;
		} else if (!pte_is_none(m->ptes[i])) {
			hw_pte_set(src, pte_none());
		}
	}
	if (pages)
		pgtable_flush_range(pt, m->src, m->src + n * PAGE_SIZE);
	pgtable_settle(pt); /* a slot that moves may be one whose page some CPU can still reach here (debt.h) */
	SYNC_POINT("move-cleared");
}

/* -- 4: setting --------------------------------------------------------------------------------------------------------- */

static bool maps_memory(pte_t pte)
{
	return pte_has_page(pte) && !pte_special(pte);
}

static bool refused(const struct move *m, pte_t pte)
{
	return maps_memory(pte) && !(m->mode & UFFDX_MOVE_PINNED) && page_pinned(pfn_to_page(pte_pfn(pte)));
}

static void account(const struct move *m, pte_t pte)
{
	if (m->from == m->to || (pte_has_page(pte) && pte_special(pte)))
		return;
	if (pte_has_page(pte)) {
		pgtable_account(&m->from->pt, -1);
		pgtable_account(&m->to->pt, 1);
	} else {
		pgtable_account_swap(&m->from->pt, -1);
		pgtable_account_swap(&m->to->pt, 1);
	}
}

pte_t move_arriving(const struct move *m, pte_t pte)
{
	return pte_uffd_wp(pte) && !(m->dst_vma->flags & VM_UFFD_WP) ? pte_set_uffd_wp(pte, false) : pte;
}

static void set_entry(const struct move *m, struct hw_pte *dst, vaddr_t va, pte_t pte)
{
	if (maps_memory(pte))
		move_rmap(m, pfn_to_page(pte_pfn(pte)), vma_pgoff(m->dst_vma, va));
	pte = move_arriving(m, pte);
	hw_pte_set(dst, pte);
	account(m, pte);
	TRACE(TRACE_SET, &m->to->pt, va, pte_trace_pfn(pte), 0, pte_trace(pte));
}

/* What was cleared and is not going to be moved. */
static void put_back(const struct move *m, struct hw_pte *src, unsigned from, unsigned n)
{
	for (unsigned i = from; i < n; i++, src = hw_pte_next(src))
		if (!pte_is_none(m->ptes[i]))
			hw_pte_set(src, m->ptes[i]);
}

/* How many of the @n. */
static unsigned set(const struct move *m, const struct pt_two *two, unsigned n)
{
	struct hw_pte *dst = two->a.hw, *src = two->b.hw;
	unsigned i;

	for (i = 0; i < n; i++, dst = hw_pte_next(dst), src = hw_pte_next(src)) {
		if (refused(m, m->ptes[i])) {
			put_back(m, src, i, n);
			break;
		}
		if (!pte_is_none(m->ptes[i]))
			set_entry(m, dst, m->dst + i * PAGE_SIZE, m->ptes[i]);
	}
	return i;
}

/* -- a batch --------------------------------------------------------------------------------------------------------------- */

/* Pages from @va on that lie in its leaf table. */
static unsigned long to_table_end(vaddr_t va)
{
	return (pt_span(1) - (va & (pt_span(1) - 1))) >> PAGE_SHIFT;
}

static unsigned batch_size(const struct move *m)
{
	unsigned long n = min((m->end - m->dst) >> PAGE_SHIFT, (vaddr_t)m->capacity);

	return (unsigned)min(n, min(to_table_end(m->dst), to_table_end(m->src)));
}

/* => both mm->locks, the source's family */
static unsigned move_locked(struct move *m, unsigned n, int *err)
{
	struct pt_two two;
	unsigned moved;

	if (!pt_lock_two(&m->to->pt, m->dst, &m->from->pt, m->src, &two)) {
		*err = -ENOENT;
		return 0;
	}
	moved = judge(m, &two, n, err);
	SYNC_POINT("move-judged");
	clear(m, &two, moved);
	n = moved;
	moved = set(m, &two, n);
	if (moved < n)
		*err = -EBUSY;
	pt_unlock_two(&two);
	return moved;
}

static int prepare(const struct move *m, unsigned n)
{
	if (!pt_find(&m->from->pt, m->src).hw && !(m->mode & UFFDX_MOVE_ALLOW_SRC_HOLES))
		return -ENOENT;
	if (pt_populate(&m->to->pt, m->dst, m->dst + n * PAGE_SIZE) ||
	    pt_populate(&m->from->pt, m->src, m->src + n * PAGE_SIZE))
		return -ENOMEM;
	return vma_anon_prepare(m->dst_vma) || vma_anon_prepare(m->src_vma) ? -ENOMEM : 0;
}

/* There is nothing, and no table, at either end: then none is made. */
static bool skip_hole(struct move *m, unsigned n)
{
	if (!(m->mode & UFFDX_MOVE_ALLOW_SRC_HOLES) || pt_find_table(&m->from->pt, m->src).hw ||
	    pt_find_table(&m->to->pt, m->dst).hw)
		return false;
	m->dst += n * PAGE_SIZE;
	m->src += n * PAGE_SIZE;
	return true;
}

/* => both mm->locks */
static int move_batch(struct move *m)
{
	unsigned n = batch_size(m), moved;
	struct mmu_range range;
	int err = move_huge(m);

	if (err != MOVE_PAGES)
		return err;
	if (skip_hole(m, n))
		return 0;
	err = prepare(m, n);
	if (err)
		return err;
	mmu_notify_start(&range, &m->from->pt, m->src, m->src + n * PAGE_SIZE, MMU_CLEAR);
	anon_range_lock(&m->src_vma->anon);
	moved = move_locked(m, n, &err);
	anon_range_unlock(&m->src_vma->anon);
	mmu_notify_end(&range);
	m->dst += moved * PAGE_SIZE;
	m->src += moved * PAGE_SIZE;
	return moved ? 0 : err; /* what stopped it is judged anew, as the first of a batch: it may be gone now */
}

/* -- ranges ----------------------------------------------------------------------------------------------------------------- */

struct vma *move_find(struct mm *mm, vaddr_t va)
{
	struct vma *vma = vma_find(mm, va);

	return vma && vma->start <= va ? vma : NULL;
}

/* What must be equal, so that a page is no more and no less than it was. */
#define SAME_FLAGS (VM_ACCESS | VM_LOCKED)

static bool compatible(const struct move *m, size_t len)
{
	const struct vma *dst = m->dst_vma, *src = m->src_vma;

	if (!vma_private(src) || len > src->end - m->src || !vma_private(dst) || len > dst->end - m->dst)
		return false;
	if (((dst->flags ^ src->flags) & SAME_FLAGS) || !(src->flags & VM_WRITE))
		return false;
	return dst->uffd == m->u && !dst->object && !src->object;
}

/* The two ranges are there and fit. 0, -ENOENT, -EAGAIN, -EINVAL, -ENOMEM. => both mm->locks */
static int find_ranges(struct move *m)
{
	m->dst_vma = move_find(m->to, m->dst);
	if (!m->dst_vma)
		return -ENOENT;
	if (vma_private(m->dst_vma) && vma_anon_prepare(m->dst_vma))
		return -ENOMEM;
	m->src_vma = move_find(m->from, m->src);
	if (!m->src_vma)
		return -ENOENT;
	if (uffd_changing(m->u))
		return -EAGAIN;
	return compatible(m, m->end - m->dst) ? 0 : -EINVAL;
}

static void lock_both(struct move *m)
{
	struct mm *low = min(m->from, m->to), *high = max(m->from, m->to);

	rwsem_read_lock(&low->lock);
	if (high != low)
		rwsem_read_lock_nested(&high->lock);
}

static void unlock_both(struct move *m)
{
	if (m->from != m->to)
		rwsem_read_unlock(&m->from->lock);
	rwsem_read_unlock(&m->to->lock);
}

/* The source's next entry is made fit, by a fault that wants the page for itself. => both mm->locks; gives them back */
static int resolve(struct move *m)
{
	struct fault_io io;
	enum fault_result result = vma_fault(m->src_vma, m->src, FAULT_READ, m->mode & UFFDX_MOVE_UNSHARE, &io);

	unlock_both(m);
	m->resolve = false;
	if (result == FAULT_RETRY)
		result = fault_wait(&io);
	return fault_errno(result);
}

/* Until all is moved, or something is in the way. */
static int move_all(struct move *m)
{
	int err = 0;

	while (!err && m->dst < m->end) {
		lock_both(m);
		err = find_ranges(m);
		while (!err && m->dst < m->end)
			err = sync_fatal_pending() ? -EINTR : move_batch(m);
		if (m->resolve) {
			err = resolve(m);
			continue;
		}
		unlock_both(m);
		if (m->clear_way) {
			move_clear_way(m);
			err = 0;
		}
	}
	return err;
}

long uffd_move(struct uffd *u, struct mm *from, vaddr_t dst, vaddr_t src, size_t len, u64 mode)
{
	struct move m = {.u = u,
	                 .to = uffd_mm_get(u),
	                 .from = from,
	                 .dst = dst,
	                 .src = src,
	                 .end = dst + len,
	                 .mode = mode,
	                 .cleared = ~0UL};
	int err;

	if (!m.to)
		return -ESRCH;
	m.capacity = (unsigned)min(len >> PAGE_SHIFT, (size_t)pt_entries(0));
	m.ptes = m.capacity > MOVE_FEW ? kmalloc(m.capacity * sizeof(*m.ptes), GFP_KERNEL) : NULL;
	if (!m.ptes) {
		m.ptes = m.few;
		m.capacity = MOVE_FEW;
	}
	err = move_all(&m);
	if (m.ptes != m.few)
		kfree(m.ptes);
	mm_put(m.to);
	return m.dst > dst ? (long)(m.dst - dst) : err;
}
