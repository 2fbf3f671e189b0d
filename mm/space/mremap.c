/*
 * mremap.c - mremap(2): ranges grow, shrink and move, with everything their entries know.
 *
 * Layer 6 (mm/space).  Interface: mm.h.  Lock order: mm->lock (write), maps.lock (write), PTL, PTL nested.
 */
#include "kernel/lib/assert.h"
#include "mm/pgtable/pte_migration.h"
#include "mm/pgtable/pte_uffd.h"
#include "mm/space/huge.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

struct move {
	struct vma *from, *to;
	struct mmu_gather *gather;
	vaddr_t src, dst; /* corresponding addresses */
	bool drop_wp;     /* the source is write-protected by userfaultfd, the destination is not registered */
	bool as_is;       /* every entry says at the destination what it said here, and nobody else needs to be told */
};

/* The index follows an entry that has moved. => maps.lock held for writing */
static void move_node(const struct move *m, vaddr_t src, pte_t pte)
{
	struct nonlinear_index *idx = m->from->link.nonlinear;
	pgoff_t linear = vma_pgoff(m->from, src), pgoff = linear;
	vaddr_t dst = m->dst + (src - m->src);
	struct page *page = pte_page_if_any(pte);
	bool copy = false;

	if (pte_is_file(pte))
		pgoff = pte_file_pgoff(pte);
	else if (page && !page_test(page, PG_ANON))
		pgoff = page->index;
	else
		copy = (pgoff = nonlinear_index_copied(idx, src, linear)) != linear;
	if (pgoff != linear) {
		nonlinear_index_keep(idx, nonlinear_index_del(idx, pgoff, src));
		nonlinear_index_add(idx, pgoff, dst);
	}
	if (copy)
		nonlinear_index_to_copy(idx, pgoff, dst);
}

static pte_t without_wp(const struct vma *vma, pte_t pte)
{
	if (!pte_uffd_wp(pte))
		return pte;
	if (pte_is_uffd_note(pte))
		return pte_none();
	pte = pte_set_uffd_wp(pte, false);
	return pte_has_page(pte) ? vma_regrant(vma, pte, pte_grant(pte)) : pte;
}

/* What the destination gets for @pte. */
static pte_t adapt(const struct move *m, vaddr_t src, pte_t pte)
{
	if (m->from->link.nonlinear)
		move_node(m, src, pte);
	return m->drop_wp ? without_wp(m->to, pte) : pte;
}

/* A page's dirty bit goes to the page or stays in the entry, never lost. True if there may be translations of it. */
static bool move_entry(const struct move *m, struct hw_pte *from, vaddr_t src, struct hw_pte *to)
{
	pte_t pte = hw_pte_get_and_clear(from);

	hw_pte_set(to, likely(m->as_is) ? pte : adapt(m, src, pte));
	return pte_has_page(pte);
}

/*
 * The entries of the source's table as far as the destination is one table.  Between the first and the flush a page may
 * be used at both addresses, but nobody can clean or unmap it: that takes the locks that we hold.
 */
static void move_run(const struct move *m, struct pt_extent *x)
{
	vaddr_t start = x->va, dst = m->dst + (start - m->src);
	vaddr_t end = min(x->end, start + (pt_span(1) - (dst & (pt_span(1) - 1))));
	struct pt_slot to = pt_lock_pair(&m->to->mm->pt, dst, x->table);
	struct hw_pte *from = x->hw;
	bool flush = false;

	for (vaddr_t va = start; va < end; va += PAGE_SIZE, from = hw_pte_next(from), to.hw = hw_pte_next(to.hw)) {
		if (!pte_is_none(hw_pte_get(from)))
			flush |= move_entry(m, from, va, to.hw);
	}
	if (flush)
		pgtable_flush_range(m->gather->pt, start, end);
	pt_unlock_pair(to, x->table);
	x->va = end;
	x->hw = from;
}

/* => the lock of the source's table is held; the destination's table exists and may be the same one */
static int move_extent(struct pt_extent *x, void *ctx)
{
	while (x->va < x->end)
		move_run(ctx, x);
	return 0;
}

/* -- whole tables ---------------------------------------------------------------------------------------------- */

/* The spans of leaf tables, as source addresses, that are moved without a look at their entries: those that fit at the
 * destination as well, of entries that say there what they said here. None: *first == *last. */
static void whole_spans(const struct move *m, size_t length, vaddr_t *first, vaddr_t *last)
{
	vaddr_t end = m->src + length, from = ALIGN_UP(m->src, PT_HUGE_SIZE), to = ALIGN_DOWN(end, PT_HUGE_SIZE);
	bool fit = IS_ALIGNED(m->src ^ m->dst, PT_HUGE_SIZE) && m->as_is && from < to;

	*first = fit ? from : end;
	*last = fit ? to : end;
}

/* What the destination needs: where a table comes, only those above it. 0 or -ENOMEM. */
static int make_tables(const struct move *m, size_t length)
{
	struct pgtable *pt = &m->to->mm->pt;
	vaddr_t first, last, delta = m->dst - m->src;
	int err;

	whole_spans(m, length, &first, &last);
	err = pt_populate(pt, m->dst, first + delta);
	for (vaddr_t va = first; !err && va < last; va += PT_HUGE_SIZE)
		err = pt_populate_upper(pt, va + delta);
	return err ? err : pt_populate(pt, last + delta, m->dst + length);
}

/*
 * The huge entry or the leaf table at @src goes over as it is: taken out of the tree, flushed, put in at the destination.
 * Reverse maps that come in between would find nothing, and walkers that found the table before would look for the wrong
 * address in it: their locks are held. => subscribers know
 */
static void move_span(const struct move *m, vaddr_t src)
{
	struct pgtable *pt = m->gather->pt;
	vaddr_t dst = m->dst + (src - m->src);
	struct page *table = pt_take_table(pt, dst);
	struct pt_huge h;

	if (table) /* left over, and empty */
		pt_deposit_free(table);
	if (pt_lock_huge(pt, src, &h)) {
		pt_unlock_huge(&h);
		BUG_ON(!pt_move_huge(pt, src, pt, dst, h.pte, NULL, NULL));
		return;
	}
	table = pt_take_table(pt, src);
	if (!table)
		return;
	mmu_notify_flush(pt, src, src + PT_HUGE_SIZE);
	pt_put_table(pt, dst, table);
}

/* => the destination's tables were made; maps.lock, if there is an object */
static void move_all(struct move *m, size_t length)
{
	struct pgtable *pt = m->gather->pt;
	vaddr_t first, last;

	whole_spans(m, length, &first, &last);
	pt_walk(pt, m->src, first, move_extent, m);
	if (first < last) {
		anon_range_lock(&m->to->anon);
		for (vaddr_t va = first; va < last; va += PT_HUGE_SIZE)
			move_span(m, va);
		anon_range_unlock(&m->to->anon);
	}
	pt_walk(pt, last, m->src + length, move_extent, m);
}

static void move_entries(struct move *m, size_t length)
{
	struct object_maps *maps = m->from->object ? &m->from->object->maps : NULL;

	if (maps)
		rwsem_write_lock(&maps->lock);
	move_all(m, length);
	if (maps)
		rwsem_write_unlock(&maps->lock);
}

/* A registered range has moved, and is gone where it was. 0 or -ENOMEM, with @out empty. */
static int prepare_events(struct vma *vma, const struct move *m, size_t old_len, bool keep_old, struct list *out)
{
	if (uffd_wants(vma->uffd, UFFDX_EVENT_REMAP)) {
		struct uffd_event *e = uffd_event_make(vma->uffd, UFFDX_MSG_REMAP);

		if (!e)
			return -ENOMEM;
		e->msg.remap.from = m->src;
		e->msg.remap.to = m->dst;
		e->msg.remap.len = old_len;
		list_add_tail(&e->link, out);
	}
	return old_len && !keep_old ? uffd_prepare_unmap(vma->mm, m->src, m->src + old_len, out) : 0;
}

/* Move [old, old + old_len) of @vma to @new; the destination is free. 0 or -ENOMEM with nothing moved. */
static long move_vma(struct vma *vma, vaddr_t old, size_t old_len, vaddr_t new, size_t new_len, bool keep_old)
{
	struct mm *mm = vma->mm;
	struct vma *to = vma_alloc(mm, new, new + new_len, vma->flags);
	struct mmu_gather g;
	struct list events;
	struct move m = {.from = vma, .to = to, .gather = &g, .src = old, .dst = new};

	if (!to)
		return -ENOMEM;
	to->name = vma->name;
	if (uffd_wants(vma->uffd, UFFDX_EVENT_REMAP))
		uffd_vma_inherit(to, vma);
	else
		to->flags &= ~(unsigned)VM_UFFD;
	m.drop_wp = (vma->flags ^ to->flags) & VM_UFFD_WP;
	vma_set_object(to, vma->object, vma->file, vma_pgoff(vma, old));
	if (vma->link.nonlinear) {
		to->link.nonlinear = vma->link.nonlinear;
		nonlinear_index_ref(to->link.nonlinear);
	}
	m.as_is = !m.drop_wp && !vma->link.nonlinear;
	list_init(&events);
	if (anon_range_clone(&to->anon, &vma->anon) || make_tables(&m, old_len) ||
	    prepare_events(vma, &m, old_len, keep_old, &events)) {
		vma_free(to);
		return -ENOMEM;
	}
	vma_attach(to);
	mmu_gather_begin(&g, &mm->pt, old, old + max(old_len, (size_t)PAGE_SIZE), MMU_UNMAP);
	if (old_len)
		move_entries(&m, old_len);
	if (old_len && !keep_old)
		munmap_emptied(mm, old, old + old_len, &g); /* boundaries were split before */
	else
		mmu_gather_finish(&g);
	if (keep_old) { /* what stays is empty: nothing to be locked */
		vma_set_flags(vma, vma->flags & ~(unsigned)(VM_LOCKED | VM_LOCKONFAULT));
		vma_merge_range(mm, old, old + old_len);
	}
	uffd_events_add(mm, &events);
	vma_merge_range(mm, new, new + new_len);
	return (long)new;
}

/* -- requests ------------------------------------------------------------------------------------------------ */

struct mremap_request {
	vaddr_t old, new;
	size_t old_len, new_len;
	unsigned flags;
};

/* Sizes become whole pages; one that wraps becomes 0, as in Linux. */
static int check_mremap(struct mremap_request *r)
{
	if (r->flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(r->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((r->flags & MREMAP_DONTUNMAP) && r->old_len != r->new_len)
		return -EINVAL;
	r->old_len = ALIGN_UP(r->old_len, PAGE_SIZE);
	r->new_len = ALIGN_UP(r->new_len, PAGE_SIZE);
	return !IS_ALIGNED(r->old, PAGE_SIZE) || r->new_len == 0 ? -EINVAL : 0;
}

/* The place that is asked for, also where it is only a hint. */
static int check_target(const struct mremap_request *r)
{
	if (!IS_ALIGNED(r->new, PAGE_SIZE) || r->new_len > USER_END || r->new > USER_END - r->new_len)
		return -EINVAL;
	return r->old + r->old_len > r->new && r->new + r->new_len > r->old ? -EINVAL : 0;
}

/* What is cut off when the range shrinks. */
static int check_tail(const struct mremap_request *r)
{
	vaddr_t tail = r->old + r->new_len;

	if (r->old_len <= r->new_len)
		return 0;
	return tail > USER_END || r->old_len - r->new_len > USER_END - tail ? -EINVAL : 0;
}

/* The vma that holds all of the old range that is going to be there. */
static struct vma *find_source(struct mm *mm, const struct mremap_request *r)
{
	struct vma *vma = vma_find(mm, r->old);

	if (!vma || vma->start > r->old)
		return ERR_PTR(-EFAULT);
	if (r->old_len == 0 && !(vma->flags & VM_MAYSHARE))
		return ERR_PTR(-EINVAL); /* only shared memory can be mapped a second time */
	if (min(r->old_len, r->new_len) > vma->end - r->old)
		return ERR_PTR(-EFAULT);
	if (vma->object && vma_pgoff(vma, r->old) + (r->new_len >> PAGE_SHIFT) < vma_pgoff(vma, r->old))
		return ERR_PTR(-EINVAL);
	if (vma->flags & VM_LOCKED && r->new_len > r->old_len &&
	    mm->locked_pages + ((r->new_len - r->old_len) >> PAGE_SHIFT) > mm->lock_limit)
		return ERR_PTR(-EAGAIN);
	return vma;
}

static bool can_grow_in_place(struct mm *mm, struct vma *vma, const struct mremap_request *r)
{
	struct vma *next = vma_next(vma);
	vaddr_t limit = next ? next->start : USER_END;

	return r->old_len && vma->end == r->old + r->old_len && limit - r->old >= r->new_len;
}

static long grow_in_place(struct mm *mm, struct vma *vma, const struct mremap_request *r)
{
	struct vma *tail = vma_alloc(mm, vma->end, r->old + r->new_len, vma->flags);

	if (!tail)
		return -ENOMEM;
	tail->name = vma->name;
	uffd_vma_inherit(tail, vma);
	vma_set_object(tail, vma->object, vma->file, vma_pgoff(vma, vma->end));
	if (vma->link.nonlinear) {
		tail->link.nonlinear = vma->link.nonlinear;
		nonlinear_index_ref(tail->link.nonlinear);
	}
	vma_attach(tail);
	vma_merge_range(mm, r->old, r->old + r->new_len);
	return (long)r->old;
}

static long clear_places(struct mm *mm, const struct mremap_request *r)
{
	int err = r->flags & MREMAP_FIXED ? munmap_locked(mm, r->new, r->new + r->new_len) : 0;

	if (!err && r->old_len > r->new_len)
		err = munmap_locked(mm, r->old + r->new_len, r->old + r->old_len);
	return err;
}

/* The source was found good: clear its place and what is too much of it, split it out, move it. */
static long relocate(struct mm *mm, const struct mremap_request *r)
{
	size_t old_len = min(r->old_len, r->new_len);
	long result = clear_places(mm, r), new = (long)r->new;
	struct vma *vma;

	if (!result && !(r->flags & MREMAP_FIXED))
		new = mm_choose(mm, r->flags & MREMAP_DONTUNMAP ? r->new : 0, r->new_len);
	if (IS_ERR_VALUE(new))
		result = new;
	if (!result && old_len)
		result = vma_split_at(mm, r->old);
	if (!result && old_len)
		result = vma_split_at(mm, r->old + old_len);
	if (!result) {
		vma = find_source(mm, r); /* (what is duplicated may have been in the way) */
		result = IS_ERR(vma) ? PTR_ERR(vma)
		                     : move_vma(vma, r->old, old_len, (vaddr_t) new, r->new_len, r->flags & MREMAP_DONTUNMAP);
	}
	if (IS_ERR_VALUE(result))
		vma_merge_range(mm, r->old, r->old + old_len);
	return result;
}

static long shrink(struct mm *mm, const struct mremap_request *r)
{
	int err = check_tail(r);

	if (!err && r->old_len > r->new_len)
		err = munmap_locked(mm, r->old + r->new_len, r->old + r->old_len);
	return err ? err : (long)r->old;
}

static long mremap_locked(struct mm *mm, const struct mremap_request *r, bool *touch)
{
	bool placed = r->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	struct vma *vma = vma_find(mm, r->old);
	int err = 0;

	if (!vma || vma->start > r->old)
		return -EFAULT;
	if (!placed && r->new_len <= r->old_len)
		return shrink(mm, r);
	if (placed)
		err = check_target(r);
	if (!err)
		err = check_tail(r);
	if (err)
		return err;
	vma = find_source(mm, r);
	if (IS_ERR(vma))
		return PTR_ERR(vma);
	*touch = (vma->flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED && r->new_len > r->old_len;
	if (placed)
		return relocate(mm, r);
	if (can_grow_in_place(mm, vma, r))
		return grow_in_place(mm, vma, r);
	return r->flags & MREMAP_MAYMOVE ? relocate(mm, r) : -ENOMEM;
}

long mm_mremap(struct mm *mm, vaddr_t old, size_t old_len, size_t new_len, unsigned flags, vaddr_t new_addr)
{
	struct mremap_request r = {.old = old, .new = new_addr, .old_len = old_len, .new_len = new_len, .flags = flags};
	long result = check_mremap(&r);
	bool touch = false;

	if (result)
		return result;
	result = rwsem_write_lock_killable(&mm->lock);
	if (result)
		return result;
	result = mremap_locked(mm, &r, &touch);
	mm_unlock_changed(mm);
	if (touch && !IS_ERR_VALUE((unsigned long)result))
		mm_populate_quietly(mm, (vaddr_t)result + r.old_len, (vaddr_t)result + r.new_len);
	return result;
}
