/*
 * oracle_mremap.c - mremap(2), of which not all is promised.
 */
#include "tests/model/oracle_internal.h"

#include "kernel/lib/errno.h"

static int check_mremap(const struct o_mremap *m, u64 new_length)
{
	if (m->flags & ~(unsigned)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(m->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((m->flags & MREMAP_DONTUNMAP) && m->old_length != m->new_length)
		return -EINVAL;
	return !aligned(m->old) || new_length == 0 ? -EINVAL : 0;
}

static int check_target(const struct o_mremap *m, u64 old_length, u64 new_length)
{
	if (!(m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return 0;
	if (!aligned(m->new) || new_length > USER_END || m->new > USER_END - new_length)
		return -EINVAL;
	return (vaddr_t)(m->old + old_length) > m->new && (vaddr_t)(m->new + new_length) > m->old ? -EINVAL : 0;
}

/* Could the two neighbours be parts of one mapping? */
static bool may_be_one(const struct o_page *a, const struct o_page *b)
{
	return a->mapped && b->mapped && a->shared == b->shared && a->asked_shared == b->asked_shared &&
	       a->locked == b->locked && a->dontfork == b->dontfork && a->vprot == b->vprot && a->may == b->may &&
	       a->object == b->object && (a->object == NONE || a->linear + 1 == b->linear);
}

enum one { SURELY_NOT, PERHAPS, SURELY };

static enum one one_mapping(const struct oracle *o, unsigned space, struct range r)
{
	const struct o_page *p = o->space[space].page;

	if (r.end > MODEL_PAGES || !p[r.first].mapped)
		return SURELY_NOT;
	for (unsigned i = r.first; i + 1 < r.end; i++)
		if (!may_be_one(&p[i], &p[i + 1]))
			return SURELY_NOT;
	return r.end - r.first <= 1 ? SURELY : PERHAPS;
}

/* One more page of the mapping that @p belongs to, @by pages further: as if never touched. */
static struct o_page fresh_page(const struct o_page *p, u64 by)
{
	struct o_page fresh = *p;

	fresh.linear = fresh.pgoff = p->linear + by;
	fresh.prot = p->vprot;
	fresh.copy = NONE;
	fresh.zero = fresh.remapped = false;
	return fresh;
}

static bool in_window(u64 addr)
{
	return addr >= MODEL_BASE && addr < MODEL_END;
}

/* By [start, end): locked memory is there. */
static void grown(struct oracle *o, unsigned space, u64 start, u64 end)
{
	for (u64 a = start; a < end; a += PAGE_SIZE)
		if (in_window(a) && o->space[space].page[(a - MODEL_BASE) / PAGE_SIZE].locked)
			bring_in_promised(o, space, range_of(a, PAGE_SIZE));
}

/* [old, old + old_length) is at @new now, with new_length; what does not lie in the window is not followed. */
static void move(struct oracle *o, unsigned space, const struct o_mremap *m, u64 old_length, u64 new_length, u64 new)
{
	struct o_page *page = o->space[space].page, moved[MODEL_PAGES];
	unsigned first = (unsigned)((m->old - MODEL_BASE) / PAGE_SIZE);
	unsigned n_old = (unsigned)(old_length / PAGE_SIZE), n_new = (unsigned)(new_length / PAGE_SIZE);

	for (unsigned i = 0; i < n_new; i++)
		moved[i] = i < n_old ? page[first + i] : fresh_page(&page[first], i);
	for (unsigned i = 0; i < n_old; i++) {
		if (m->flags & MREMAP_DONTUNMAP)
			page[first + i] = fresh_page(&page[first + i], 0), page[first + i].locked = false;
		else
			drop(&page[first + i]);
	}
	for (unsigned i = 0; i < n_new; i++)
		if (in_window(new + i *PAGE_SIZE))
			page[(new - MODEL_BASE) / PAGE_SIZE + i] = moved[i];
	grown(o, space, new + old_length, new + new_length);
}

/* Grown or shrunk where it is. */
static void resize(struct oracle *o, unsigned space, const struct o_mremap *m, u64 old_length, u64 new_length)
{
	struct o_page *page = &o->space[space].page[(m->old - MODEL_BASE) / PAGE_SIZE];

	for (u64 i = old_length / PAGE_SIZE; i < new_length / PAGE_SIZE; i++)
		page[i] = fresh_page(&page[0], i);
	for (u64 i = new_length / PAGE_SIZE; i < old_length / PAGE_SIZE; i++)
		drop(&page[i]);
	grown(o, space, m->old + old_length, m->old + new_length);
}

/* Is @new a place where nothing was? */
static bool good_place(const struct oracle *o, unsigned space, long new, u64 length)
{
	if (new < (long)LOWEST || !aligned((u64) new) || !fits((u64) new, length))
		return false;
	for (u64 a = (u64) new; a < (u64) new + length; a += PAGE_SIZE)
		if (in_window(a) && !oracle_free(o, space, a, PAGE_SIZE))
			return false;
	return true;
}

static bool moved_fixed(struct oracle *o, unsigned space, const struct o_mremap *m, u64 old_length, u64 new_length,
                        long result)
{
	if (m->new == m->old) { /* the destination is cleared first: nothing is left to duplicate */
		oracle_unmap(o, space, m->new, new_length);
		return result == -EFAULT;
	}
	if (result != (long)m->new)
		return false;
	struct o_page source = o->space[space].page[(m->old - MODEL_BASE) / PAGE_SIZE];

	oracle_unmap(o, space, m->new, new_length);
	o->space[space].page[(m->old - MODEL_BASE) / PAGE_SIZE] = source; /* (not touched: they do not overlap) */
	move(o, space, m, old_length, new_length, m->new);
	return true;
}

/* Pages that the source has too many go first. */
static bool shrunk(struct oracle *o, unsigned space, const struct o_mremap *m, u64 old_length, u64 new_length,
                   long result)
{
	for (u64 at = new_length; at < old_length; at += PAGE_SIZE)
		drop(&o->space[space].page[(m->old + at - MODEL_BASE) / PAGE_SIZE]);
	return result == (long)m->old;
}

bool oracle_mremap(struct oracle *o, unsigned space, const struct o_mremap *m, long result)
{
	u64 old_length = round_up(m->old_length), new_length = round_up(m->new_length);
	bool placed = m->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP);
	int err = check_mremap(m, new_length);
	struct range old;
	enum one one;

	if (err)
		return result == err;
	old = range_of(m->old, min(old_length, new_length));
	if (old.first >= MODEL_PAGES || !o->space[space].page[old.first].mapped)
		return result == -EFAULT;
	if (!placed && new_length <= old_length)
		return shrunk(o, space, m, old_length, new_length, result);
	err = check_target(m, old_length, new_length);
	if (err)
		return result == err;
	if (old_length == 0 && !o->space[space].page[old.first].asked_shared)
		return result == -EINVAL;
	one = one_mapping(o, space, old);
	if (one == SURELY_NOT || (one == PERHAPS && result == -EFAULT))
		return result == -EFAULT;
	if (m->flags & MREMAP_FIXED)
		return moved_fixed(o, space, m, old_length, new_length, result);
	if (!placed && old_length && new_length <= USER_END &&
	    oracle_free(o, space, m->old + old_length, new_length - old_length)) {
		resize(o, space, m, old_length, new_length);
		return result == (long)m->old;
	}
	if (!(m->flags & MREMAP_MAYMOVE) || new_length > USER_END)
		return result == -ENOMEM;
	if (result == -ENOMEM) /* only a small address space can be too full */
		return USER_END < 0x1000000;
	if (!good_place(o, space, result, new_length))
		return false;
	move(o, space, m, old_length, new_length, (u64)result);
	return true;
}
