/*
 * ptes.c - the entries of an address space, decoded and put together into runs.
 *
 * Layer 7 (mm/service).  Interface: ptes.h.  Lock order: mm->lock (read), PTL.
 *
 *   piece     one hold of mm->lock: what is empty up to the next leaf table of the vma, then that table
 *   element   what one entry says, or an empty stretch without a table
 *   run       elements that follow each other and say the same
 *
 * Nothing here looks inside an entry: it asks for the decoded view, so every format is read by the same code.
 */
#include "mm/service/ptes.h"

#include "kernel/lib/assert.h"
#include "kernel/sync/hooks.h"
#include "mm/pgtable/huge.h"
#include "mm/service/pin.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

/* -- elements -------------------------------------------------------------------------------------------------- */

/* What is known without an entry: what a fault at @va would find, and be judged by. */
static struct pte_run element(const struct vma *vma, vaddr_t va, vaddr_t end)
{
	return (struct pte_run){.start = va,
	                        .end = end,
	                        .kind = PTE_KIND_NONE,
	                        .place = vma->object ? PTE_PLACE_FILE : PTE_PLACE_NONE,
	                        .grant = (u8)pte_grant_normal(vma_grant(vma)),
	                        .shared = vma->flags & VM_MAYSHARE,
	                        .where = vma_pgoff(vma, va),
	                        .step = 1};
}

/* The page behind the entry, which the entry keeps what it is. => its PTL held */
static void describe_page(struct pte_run *e, const struct pte_view *view)
{
	const struct page *page = pfn_to_page((pfn_t)view->payload);

	e->write = view->write;
	e->young = view->accessed;
	e->dirty = view->dirty;
	e->zero = view->special;
	if (!view->special) {
		e->anon = page_test(page, PG_ANON);
		e->pins = (unsigned)page_pins(page);
		e->where = page->index;
	}
	e->place = e->zero || e->anon ? PTE_PLACE_NONE : PTE_PLACE_FILE;
}

/* => the entry's PTL held */
static struct pte_run describe(const struct vma *vma, vaddr_t va, pte_t pte)
{
	struct pte_run e = element(vma, va, va + PAGE_SIZE);
	struct pte_view view = pte_decode(pte, 0);

	e.kind = view.kind;
	if (view.kind == PTE_KIND_NONE)
		return e;
	if (vma->flags & VM_MANYPROTS)
		e.grant = (u8)pte_grant_normal(view.grant);
	if (view.kind == PTE_KIND_PAGE) {
		describe_page(&e, &view);
	} else if (view.kind == PTE_KIND_FILE || view.kind == PTE_KIND_SWAP) {
		e.place = view.kind == PTE_KIND_FILE ? PTE_PLACE_FILE : PTE_PLACE_SWAP;
		e.where = view.payload;
		e.type = view.type;
	} else {
		e.place = PTE_PLACE_NONE;
		e.type = view.type;
	}
	return e;
}

/* -- runs -------------------------------------------------------------------------------------------------------- */

static bool alike(const struct pte_run *a, const struct pte_run *b)
{
	return a->kind == b->kind && a->place == b->place && a->grant == b->grant && a->type == b->type &&
	       a->shared == b->shared && a->anon == b->anon && a->zero == b->zero && a->write == b->write &&
	       a->young == b->young && a->dirty == b->dirty && a->pins == b->pins;
}

static vaddr_t pages_of(const struct pte_run *run)
{
	return (run->end - run->start) >> PAGE_SHIFT;
}

/* Does @e continue @run?  Then *@step is the step that both have. */
static bool continues(const struct pte_run *run, const struct pte_run *e, int *step)
{
	vaddr_t n = pages_of(run);
	u64 last;

	if (run->end != e->start || !alike(run, e))
		return false;
	*step = 0;
	if (run->place == PTE_PLACE_NONE)
		return true;
	last = n > 1 ? run->where + (u64)(s64)run->step * (n - 1) : run->where;
	if (e->where + 1 - last > 2)
		return false;
	*step = (int)(e->where + 1 - last) - 1;
	return (n == 1 || run->step == *step) && (pages_of(e) == 1 || e->step == *step);
}

static void close_run(struct pte_scan *s)
{
	if (s->open)
		s->nr++;
	s->open = false;
}

/* What follows: it lengthens the open run, or closes it and begins another. */
static void add(struct pte_scan *s, const struct pte_run *e)
{
	struct pte_run *run = &s->runs[s->nr];
	int step;

	s->at = e->end;
	if (s->open && continues(run, e, &step)) {
		run->end = e->end;
		run->step = step;
		return;
	}
	close_run(s);
	ASSERT(s->nr < ARRAY_SIZE(s->runs));
	s->runs[s->nr] = *e;
	s->open = true;
}

/* -- pieces ------------------------------------------------------------------------------------------------------ */

struct piece {
	struct pte_scan *s;
	const struct vma *vma;
};

static void add_empty(const struct piece *p, vaddr_t end)
{
	struct pte_run e = element(p->vma, p->s->at, end);

	if (p->s->at < end)
		add(p->s, &e);
}

/* One leaf table, or as much of it as there is room for; ends the walk. => PTL held */
static int scan_table(struct pt_extent *x, void *ctx)
{
	struct piece *p = ctx;

	add_empty(p, x->va);
	for (; x->va < x->end && p->s->nr < PTE_SCAN_RUNS; pt_extent_next(x)) {
		struct pte_run e = describe(p->vma, x->va, hw_pte_get(x->hw));

		add(p->s, &e);
	}
	return 1;
}

/* The same of a huge entry: what its pages would say. => pt->lock held */
static int scan_huge(struct pt_huge *h, void *ctx)
{
	struct piece *p = ctx;

	add_empty(p, h->va);
	for (vaddr_t va = h->va; va < h->end && p->s->nr < PTE_SCAN_RUNS; va += PAGE_SIZE) {
		struct pte_run e = describe(p->vma, va, pt_huge_part(h->pte, pt_index(0, va)));

		add(p->s, &e);
	}
	return 1;
}

/* False: nothing is mapped from s->at on. => mm->lock held */
static bool scan_vma(struct pte_scan *s)
{
	struct vma *vma = vma_find(s->mm, s->at);
	struct piece p = {s, vma};

	if (!vma)
		return false;
	if (s->at <= vma->start) {
		close_run(s);
		s->at = vma->start;
	}
	if (!pt_walk_huge(&s->mm->pt, s->at, vma->end, scan_table, scan_huge, &p))
		add_empty(&p, vma->end);
	return true;
}

static bool scan_piece(struct pte_scan *s)
{
	bool more;

	if (sync_fatal_pending())
		return false;
	rwsem_read_lock(&s->mm->lock);
	more = scan_vma(s);
	rwsem_read_unlock(&s->mm->lock);
	return more;
}

/* Room for new runs: keeps the open one. */
static void restart(struct pte_scan *s)
{
	if (s->open)
		s->runs[0] = s->runs[s->nr];
	s->nr = s->given = 0;
}

void pte_scan_init(struct pte_scan *s, struct mm *mm, vaddr_t at)
{
	s->mm = mm;
	s->at = at;
	s->nr = s->given = 0;
	s->open = false;
}

bool pte_scan_next(struct pte_scan *s, struct pte_run *run)
{
	while (s->given == s->nr) {
		restart(s);
		if (!scan_piece(s)) {
			close_run(s);
			if (!s->nr)
				return false;
		}
	}
	*run = s->runs[s->given++];
	return true;
}
