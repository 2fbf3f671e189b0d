/*
 * oracle_range.c - the system calls on ranges, each the plainest way.
 */
#include "tests/model/oracle_internal.h"

#include "kernel/lib/errno.h"

/* -- mmap, munmap, mprotect ------------------------------------------------------------------------------------------- */
void bring_in_promised(struct oracle *o, unsigned space, struct range r)
{
	for_each_page(p, &o->space[space], r)
	{
		bool store = p->object == NONE && (p->vprot & PROT_WRITE);

		if (oracle_may(o, p, store ? FAULT_WRITE : FAULT_READ) == FAULT_OK)
			bring_in(o, p, store);
	}
}

/* The same until the first that cannot come. */
static int bring_in_all(struct oracle *o, unsigned space, struct range r)
{
	for_each_page(p, &o->space[space], r)
	{
		bool store = p->object == NONE && (p->vprot & PROT_WRITE);

		if (oracle_may(o, p, store ? FAULT_WRITE : FAULT_READ) != FAULT_OK)
			return -ENOMEM;
		bring_in(o, p, store);
	}
	return 0;
}

int oracle_map(struct oracle *o, unsigned space, const struct o_map *m)
{
	struct range r;
	u64 pgoff = m->pgoff;

	if (m->length == 0)
		return -EINVAL;
	if (round_up(m->length) < m->length || round_up(m->length) > USER_END)
		return -ENOMEM;
	if (!aligned(m->addr))
		return -EINVAL;
	if (!fits(m->addr, m->length))
		return -ENOMEM;
	if (m->addr < LOWEST)
		return -EPERM;
	if (m->noreplace && !oracle_free(o, space, m->addr, m->length))
		return -EEXIST;
	r = range_of(m->addr, m->length);
	for_each_page(p, &o->space[space], r)
	{
		*p = (struct o_page){
			.mapped = true,
			.shared = m->shared && m->writable,
			.asked_shared = m->shared,
			.locked = m->locked,
			.prot = (unsigned char)m->prot,
			.vprot = (unsigned char)m->prot,
			.may = (unsigned char)m->may,
			.object = m->object,
			.linear = pgoff,
			.pgoff = pgoff,
			.copy = NONE,
		};
		pgoff++;
	}
	if (m->populate || m->locked)
		bring_in_promised(o, space, r);
	return 0;
}

int oracle_unmap(struct oracle *o, unsigned space, u64 addr, u64 length)
{
	if (!aligned(addr) || length == 0 || !fits(addr, length))
		return -EINVAL;
	for_each_page(p, &o->space[space], range_of(addr, length)) drop(p);
	return 0;
}

int oracle_protect(struct oracle *o, unsigned space, u64 addr, u64 length, unsigned prot)
{
	struct range r;

	if (!aligned(addr))
		return -EINVAL;
	if (length == 0)
		return 0;
	if (addr + round_up(length) <= addr)
		return -ENOMEM;
	if (prot & ~(unsigned)PROT_MASK)
		return -EINVAL;
	if (!fits(addr, length))
		return -ENOMEM;
	r = range_of(addr, length);
	for_each_page(p, &o->space[space], r)
	{
		if (!p->mapped)
			return -ENOMEM;
		if (prot & ~(unsigned)p->may)
			return -EACCES;
	}
	if (!covered(o, space, r))
		return -ENOMEM;
	for_each_page(p, &o->space[space], r) p->prot = p->vprot = (unsigned char)prot;
	for (unsigned i = r.first; i < r.end && prot & PROT_WRITE; i++) /* private locked memory is there now */
		if (o->space[space].page[i].locked && !o->space[space].page[i].shared)
			bring_in_promised(o, space, (struct range){i, i + 1});
	return 0;
}

/* -- remap_file_pages ---------------------------------------------------------------------------------------------------------- */
/* Private memory that has no file, and what another file backs, has no place in it. */
static bool takes_part(const struct o_page *p, const struct o_remap *r, int object)
{
	return p->mapped && p->object == object && p->object != NONE && (p->shared || r->chgprot);
}

static int check_remap(const struct oracle *o, unsigned space, const struct o_remap *r, u64 start, u64 length)
{
	struct range range;
	bool denied = false;

	if (((r->prot || r->keep_offset) && !r->chgprot) || (r->prot & ~(u64)PROT_MASK))
		return -EINVAL;
	if (length == 0 || (unsigned long)(start + length) <= start)
		return -EINVAL;
	if (!r->keep_offset && (pgoff_t)(r->pgoff + length / PAGE_SIZE) < r->pgoff)
		return -EINVAL;
	if (!r->keep_offset && r->pgoff + length / PAGE_SIZE - 1 > o->pgoff_max)
		return -EOVERFLOW;
	if (start + length > MODEL_END)
		return -EINVAL; /* nothing is mapped there */
	range = range_of(start, length);
	for_each_page(p, (struct o_space *)&o->space[space], range)
	{
		if (!takes_part(p, r, o->space[space].page[range.first].object))
			return -EINVAL;
		denied |= r->prot & ~(u64)p->may;
		if (denied && r->vector)
			break; /* entry by entry */
	}
	return denied ? -EPERM : 0;
}

int oracle_remap(struct oracle *o, unsigned space, const struct o_remap *r)
{
	u64 start = r->addr / PAGE_SIZE * PAGE_SIZE, length = r->length / PAGE_SIZE * PAGE_SIZE, pgoff = r->pgoff;
	int err = check_remap(o, space, r, start, length);
	bool promised;

	if (err)
		return err;
	promised = !r->nonblock || any_locked(o, space, range_of(start, length)); /* locked memory is there */
	for_each_page(p, &o->space[space], range_of(start, length))
	{
		p->prot = r->chgprot ? (unsigned char)r->prot : p->vprot;
		if (r->keep_offset)
			continue;
		p->remapped = true;
		p->pgoff = pgoff++;
		p->copy = NONE;
		if (promised && oracle_may(o, p, FAULT_READ) == FAULT_OK)
			bring_in(o, p, false);
	}
	return 0;
}

/* -- the rest of the calls on ranges ------------------------------------------------------------------------------------------------- */

/* madvise(2)'s own checks: 1 means go on. */
static int check_advice(u64 addr, u64 length)
{
	u64 n = round_up(length);

	if (!aligned(addr) || n < length || addr + n < addr)
		return -EINVAL;
	return n == 0 ? 0 : 1;
}

int oracle_dontneed(struct oracle *o, unsigned space, u64 addr, u64 length)
{
	int go = check_advice(addr, length);
	struct range r;

	if (go <= 0)
		return go;
	r = range_of(addr, length);
	for_each_page(p, &o->space[space], r)
	{
		if (p->locked)
			return -EINVAL;
		p->copy = NONE;
		p->zero = false;
	}
	return covered(o, space, r) ? 0 : -ENOMEM;
}

int oracle_forking(struct oracle *o, unsigned space, u64 addr, u64 length, bool allow)
{
	int go = check_advice(addr, length);
	struct range r;

	if (go <= 0)
		return go;
	r = range_of(addr, length);
	for_each_page(p, &o->space[space], r) p->dontfork = p->mapped && !allow;
	return covered(o, space, r) ? 0 : -ENOMEM;
}

int oracle_populate(struct oracle *o, unsigned space, u64 addr, u64 length, bool store)
{
	int go = check_advice(addr, length), content;
	struct range r;

	if (go <= 0)
		return go;
	r = range_of(addr, length);
	for (unsigned i = r.first; i < r.end && i < MODEL_PAGES; i++) {
		if (!o->space[space].page[i].mapped)
			return -ENOMEM;
		if (oracle_touch(o, space, i, store ? FAULT_WRITE : FAULT_READ, &content) != FAULT_OK)
			return -EFAULT;
	}
	return r.end > MODEL_PAGES ? -ENOMEM : 0;
}

int oracle_lock(struct oracle *o, unsigned space, u64 addr, u64 length, bool lock)
{
	u64 start = addr / PAGE_SIZE * PAGE_SIZE, n = round_up(length + (addr - start));
	struct range r;

	if (start + n < start)
		return -EINVAL;
	if (n == 0)
		return 0;
	r = range_of(start, n);
	if (r.end > MODEL_PAGES || !covered(o, space, r))
		return -ENOMEM;
	for_each_page(p, &o->space[space], r) p->locked = lock;
	return lock ? bring_in_all(o, space, r) : 0;
}

int oracle_msync(const struct oracle *o, unsigned space, u64 addr, u64 length, unsigned flags)
{
	u64 n = round_up(length);
	struct range r;

	if (flags & ~(unsigned)(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
		return -EINVAL;
	if (!aligned(addr) || (flags & (MS_ASYNC | MS_SYNC)) == (MS_ASYNC | MS_SYNC))
		return -EINVAL;
	if (addr + n < addr)
		return -ENOMEM;
	if (n == 0)
		return 0;
	r = range_of(addr, length);
	if (r.end > MODEL_PAGES)
		r.end = MODEL_PAGES;
	if ((flags & MS_INVALIDATE) && any_locked(o, space, r))
		return -EBUSY;
	return addr + n <= MODEL_END && covered(o, space, r) ? 0 : -ENOMEM;
}

static bool resident(const struct oracle *o, const struct o_page *p)
{
	if (p->copy != NONE || p->zero)
		return true;
	return p->object != NONE && p->pgoff < MODEL_FILE_PAGES && o->object[p->object].cached[p->pgoff];
}

int oracle_mincore(const struct oracle *o, unsigned space, u64 addr, u64 length, unsigned char *vec)
{
	struct range r;

	if (!aligned(addr))
		return -EINVAL;
	if (!fits(addr, length))
		return -ENOMEM;
	r = range_of(addr, length);
	if (!covered(o, space, r))
		return -ENOMEM;
	for (unsigned i = r.first; i < r.end; i++)
		*vec++ = resident(o, &o->space[space].page[i]);
	return 0;
}
