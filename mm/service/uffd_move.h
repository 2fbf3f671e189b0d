/*
 * uffd_move.h - what uffd_move.c (base pages) and uffd_move_huge.c (huge ones) share.  Layer 7, private to UFFDIO_MOVE.
 */
#ifndef MM_SERVICE_UFFD_MOVE_H
#define MM_SERVICE_UFFD_MOVE_H

#include "kernel/lib/errno.h"
#include "kernel/lib/mutation.h"
#include "mm/pgtable/pgtable.h"
#include "mm/service/uffd.h"
#include "mm/space/vma.h"

#define MOVE_FEW 8 /* entries that the stack has room for */

/* One call. */
struct move {
	struct uffd *u;
	struct mm *to, *from;
	struct vma *dst_vma, *src_vma;
	vaddr_t dst, src, end; /* what is left; end: of the destination */
	u64 mode;
	bool resolve;      /* the source's next entry must be made fit by a fault */
	bool clear_way;    /* a table is where a huge entry is to go */
	vaddr_t cleared;   /* where that was tried last */
	unsigned capacity; /* of: */
	pte_t *ptes;
	pte_t few[MOVE_FEW];
};

/* Does nobody but the entry refer to it? => its lock */
static inline bool move_sole(const struct page *page)
{
	return !page_test(page, PG_MERGED) && __atomic_load_n(&page->mapcount, __ATOMIC_SEQ_CST) == 1 &&
	       __atomic_load_n(&page->refs, __ATOMIC_SEQ_CST) == 1;
}

/* May @page, mapped at the source, be moved as it is? 0 or -EBUSY, perhaps with m->resolve. => its entry's lock */
static inline int move_judge_page(struct move *m, struct page *page)
{
	if (!page_test(page, PG_ANON_EXCLUSIVE)) {
		if (!move_sole(page)) {
			m->resolve = m->mode & UFFDX_MOVE_UNSHARE;
			return -EBUSY;
		}
		page_set(page, PG_ANON_EXCLUSIVE); /* whom it was shared with is gone */
	}
	return page_pinned(page) && !(m->mode & UFFDX_MOVE_PINNED) ? -EBUSY : 0;
}

/* The destination's family for @page, which is going to be mapped there at @index. => as anon_page_move() */
static inline void move_rmap(const struct move *m, struct page *page, pgoff_t index)
{
	if (!MUTATION(7)) /* M7: the reverse map still leads to the source */
		anon_page_move(page, m->dst_vma->anon.own, index);
}

/* What the destination's entry says: as the source's, but that write protection stays only where it is asked for. */
pte_t move_arriving(const struct move *m, pte_t pte);
/*
 * Huge entries at either end are judged without being split.  MOVE_PAGES: none is in the way, or what is left is a matter of
 * base pages, which split it.  Else 0: one has moved as a whole, and m is beyond it; or an errno; -EAGAIN with m->clear_way:
 * try again after move_clear_way(). => both mm->locks
 */
#define MOVE_PAGES 1
int move_huge(struct move *m);
/* The table where a huge entry is to go is freed, if it is empty. => no lock, may sleep */
void move_clear_way(struct move *m);

/* The vma of @va, or NULL. => mm->lock */
struct vma *move_find(struct mm *mm, vaddr_t va);

#endif
