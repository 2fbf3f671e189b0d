/*
 * swapoff.c - a swap area goes out of use: every page that is in it comes back.
 *
 * Layer 7 (mm/service).  Interface: swapoff.h.  Lock order: mm_list_lock; or mm->lock (read), page lock, PTL.
 *
 *   1. the area gives no more slots
 *   2. every address space that there is now is looked through; what refers to the area is mapped again, as by a read fault
 *   3. pages that are cached and belong to nobody's entry any more give their slots back
 *   4. nothing is left: done.  Else a fork has copied an entry before we came to it, or an exit is under way: once more.
 *      Only what was not brought back yet can be copied, so this comes to an end
 */
#include "mm/service/swapoff.h"

#include <arch/irq.h>

#include "kernel/lib/err.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/hooks.h"
#include "mm/object/object_swap.h"
#include "mm/pgtable/huge.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

#define PAUSE_NS 1000000 /* before looking again for what is on its way out */

/* -- one address space ---------------------------------------------------------------------------------------------- */

struct search {
	unsigned type;
	vaddr_t found;
	bool any;
};

static int find_extent(struct pt_extent *x, void *ctx)
{
	struct search *s = ctx;

	for (; x->va < x->end; pt_extent_next(x)) {
		pte_t pte = hw_pte_get(x->hw);

		if (!pte_is_swap(pte) || swap_word_type(pte_swap_word(pte)) != s->type)
			continue;
		s->found = x->va;
		s->any = true;
		return 1;
	}
	return 0;
}

/* The first address at or after @from with an entry of the area. => mm->lock held */
static struct vma *find_entry(struct mm *mm, vaddr_t from, unsigned type, vaddr_t *va)
{
	struct search s = {.type = type};
	struct vma *vma;

	for_each_vma_in(vma, mm, from, USER_END) {
		pt_walk_huge(&mm->pt, max(from, vma->start), vma->end, find_extent, NULL, &s);
		if (s.any) {
			*va = s.found;
			return vma;
		}
	}
	return NULL;
}

/* Try to map what is at or after *@va: true if there was something. */
static bool unswap_next(struct mm *mm, vaddr_t *va, unsigned type, enum fault_result *result, struct fault_io *io)
{
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = find_entry(mm, *va, type, va);
	if (vma)
		*result = vma_unswap(vma, *va, type, io);
	rwsem_read_unlock(&mm->lock);
	return vma != NULL;
}

/* The device cannot read the page: the entry says so from now on. */
static void poison(struct mm *mm, vaddr_t va, unsigned type)
{
	struct vma *vma;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (vma && vma->start <= va)
		vma_poison(vma, va, type);
	rwsem_read_unlock(&mm->lock);
}

static int unswap_mm(struct mm *mm, unsigned type)
{
	enum fault_result result = FAULT_OK;
	struct fault_io io;
	vaddr_t va = 0;

	while (__atomic_load_n(&mm->pt.nr_swap, __ATOMIC_RELAXED) && unswap_next(mm, &va, type, &result, &io)) {
		if (sync_signal_pending())
			return -EINTR;
		if (result == FAULT_RETRY)
			result = fault_wait(&io);
		if (result == FAULT_SIGBUS)
			poison(mm, va, type);
		else if (result != FAULT_OK)
			return fault_errno(result);
	}
	return 0;
}

/* -- all of them ------------------------------------------------------------------------------------------------------- */

/* The youngest address space there is: who forks all the time must not keep us walking for ever. */
static unsigned long last_serial(void)
{
	unsigned long serial = 0;

	mutex_lock(&mm_list_lock);
	if (!list_empty(&mm_list))
		serial = container_of(mm_list.prev, struct mm, all_link)->serial;
	mutex_unlock(&mm_list_lock);
	return serial;
}

/* The address space after @mm (NULL: the first), none younger than @last, with a reference; @mm's is given back. */
static struct mm *next_mm(struct mm *mm, unsigned long last)
{
	struct mm *next = NULL, *at;
	struct list *l;

	mutex_lock(&mm_list_lock);
	for (l = mm ? mm->all_link.next : mm_list.next; !next && l != &mm_list; l = l->next) {
		at = container_of(l, struct mm, all_link);
		if (at->serial > last)
			break;
		if (mm_try_get(at))
			next = at;
	}
	mutex_unlock(&mm_list_lock);
	if (mm)
		mm_put(mm);
	return next;
}

static int unswap_all(unsigned type)
{
	unsigned long last = last_serial();
	struct mm *mm = NULL;

	while ((mm = next_mm(mm, last))) {
		int err = unswap_mm(mm, type);

		SYNC_POINT("swapoff-mm");
		if (err) {
			mm_put(mm);
			return err;
		}
	}
	return 0;
}

/* Cached pages whose entries are all gone. */
static void empty_cache(unsigned type)
{
	for (unsigned long slot = 0; swap_area_next_used(type, &slot); slot++) {
		struct page *page = swap_find((swap_entry_t){swap_word(type, slot)});

		if (!page)
			continue;
		page_lock(page);
		page_wait_writeback(page);
		if (swap_page_is(page, (swap_entry_t){swap_word(type, slot)}))
			(void)swap_try_free(page);
		page_unlock(page);
		page_put(page);
	}
}

static void pause_a_little(void)
{
	sync_prepare(SYNC_INTERRUPTIBLE);
	(void)sync_block_until(arch_clock_ns() + PAUSE_NS);
}

int swap_off(unsigned type)
{
	int err = 0;

	swap_area_close(type);
	for (;;) {
		err = unswap_all(type);
		if (!err)
			err = object_unswap(type);
		if (err)
			break;
		empty_cache(type);
		if (swap_area_stop(type))
			return 0;
		if (sync_signal_pending()) {
			err = -EINTR;
			break;
		}
		pause_a_little();
	}
	swap_area_reopen(type);
	return err;
}
