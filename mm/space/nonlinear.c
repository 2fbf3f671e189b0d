/*
 * nonlinear.c - remap_file_pages(2): one vma whose entries each carry their own file offset and protection; and the
 * same for many ranges at once.
 *
 * Layer 6 (mm/space).  Interface: mm.h.  Subject: thread 0.
 * Lock order: mm->lock, invalidate_lock (read), maps.lock (write), PTL.
 *
 *   1. numbers    everything that can be refused without a look at the address space
 *   2. plan       what each vma of each range has to do; refused in the order of R0.3, nothing was changed yet
 *   3. flags      VM_NONLINEAR / VM_MANYPROTS need mm->lock for writing, only the first time; then downgrade
 *   4. exchange   nonlinear_{one,exchange,vector}.c: all of it, or -ENOMEM and nothing
 *   5. populate   what was not cached, with faults, unless MAP_NONBLOCK; mm->lock is not held while a device works
 *
 * A page that is cached is mapped at once; otherwise the entry becomes a *file entry*: not present, but
 * holding offset and grants, so that the mapping outlives its page.
 *
 * A private mapping of a file takes part if MAP_CHGPROT is given (without it, Linux's EINVAL).
 */
#include "kernel/lib/mutation.h"
#include "kernel/lib/string.h"
#include "kernel/lib/trace.h"
#include "mm/phys/slab.h"
#include "mm/space/nonlinear.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"

struct plan {
	struct mm *mm;
	unsigned wanted;  /* VM_* that every vma needs */
	unsigned lacking; /* ... and some vma has not */
	unsigned any;     /* VM_* that some vma has */
	struct vm_object *object;
	struct remap_run *runs; /* the ranges themselves, or parts */
	unsigned nr;
	struct remap_run *parts; /* of ranges that lie in several vmas: allocated */
	unsigned max;
};

/* -- 1. numbers --------------------------------------------------------------------------------------------- */

static inline int check_numbers(const struct remap_run *run)
{
	pgoff_t pages = (run->end - run->start) >> PAGE_SHIFT;

	if ((run->prot & ~(unsigned)PROT_MASK) || (!run->own_grants && (run->prot || run->keep_offset)))
		return -EINVAL;
	if (run->end <= run->start)
		return -EINVAL;
	if (run->keep_offset)
		return 0;
	if (run->pgoff + pages < run->pgoff)
		return -EINVAL;
	if ((u64)run->pgoff + pages - (MUTATION(15) ? 0 : 1) > PTE_FILE_PGOFF_MAX) /* M15: `>=` */
		return -EOVERFLOW;
	return 0;
}

/* -- 2. plan: mm->lock held ---------------------------------------------------------------------------------- */

/* Can entries of this vma stand for any page of the object the plan is about? */
static inline bool fits(struct plan *p, const struct vma *vma)
{
	if (!(vma->flags & VM_SHARED) && !(vma->object && (p->wanted & VM_MANYPROTS)))
		return false;
	if (!p->object)
		p->object = vma->object;
	return vma->object == p->object;
}

/* What @vma adds to the run that starts in it. */
static inline void add_vma(struct remap_run *run, struct vma *vma)
{
	run->vma = vma;
	run->linear = vma_pgoff(vma, run->start);
	run->grant = run->own_grants ? prot_to_grant(run->prot) : vma_grant(vma);
}

/* 0, -EINVAL, -EPERM. */
static inline int plan_run(struct plan *p, struct remap_run *run, struct vma *vma)
{
	if (!vma || vma->start > run->start || !fits(p, vma))
		return -EINVAL;
	add_vma(run, vma);
	if (unlikely(run->keep_offset))
		run->pgoff = run->linear;
	p->lacking |= p->wanted & ~vma->flags;
	p->any |= vma->flags;
	return run->prot & ~(vma->flags >> 4) & VM_ACCESS ? -EPERM : 0;
}

/* Each range lies in one vma, as a rule. False: some do not. */
static bool plan_in_place(struct plan *p, struct remap_run *ranges, unsigned nr, int *err)
{
	struct vma *vma = NULL;

	*err = 0;
	p->runs = ranges;
	p->nr = nr;
	for (struct remap_run *run = ranges; run < ranges + nr && !*err; run++) {
		if (!vma || run->start < vma->start || run->start >= vma->end)
			vma = vma_find(p->mm, run->start);
		if (unlikely(vma && run->end > vma->end))
			return false;
		*err = plan_run(p, run, vma);
	}
	return true;
}

/* Room for one part more: 0 or -ENOMEM. */
static int room_for_part(struct plan *p)
{
	unsigned max = max(2 * p->max, 8u);
	struct remap_run *parts;

	if (p->nr < p->max)
		return 0;
	parts = kmalloc(max * sizeof(*parts), GFP_KERNEL);
	if (!parts)
		return -ENOMEM;
	if (p->parts)
		memcpy(parts, p->parts, p->nr * sizeof(*parts));
	kfree(p->parts);
	p->parts = parts;
	p->max = max;
	return 0;
}

/* A range must lie in adjacent vmas of one file: a part for each. 0, -EINVAL, -EPERM, -ENOMEM. */
static int plan_parts(struct plan *p, const struct remap_run *range)
{
	struct remap_run rest = *range, *part;
	struct vma *vma = vma_find(p->mm, rest.start);
	int err, denied = 0;

	while (rest.start < range->end) {
		err = room_for_part(p);
		if (err)
			return err;
		part = &p->parts[p->nr];
		*part = rest;
		err = plan_run(p, part, vma);
		if (err == -EINVAL)
			return err;
		denied |= err;
		part->end = min(range->end, vma->end);
		rest.pgoff += (part->end - part->start) >> PAGE_SHIFT;
		rest.start = part->end;
		p->nr++;
		vma = part->end < range->end ? vma_next(vma) : NULL;
	}
	return denied;
}

static int plan_all(struct plan *p, struct remap_run *ranges, unsigned nr)
{
	int err;

	p->lacking = 0;
	p->object = NULL;
	if (plan_in_place(p, ranges, nr, &err))
		return err;
	p->lacking = p->nr = 0;
	p->object = NULL;
	for (unsigned i = 0; i < nr && !err; i++)
		err = plan_parts(p, &ranges[i]);
	p->runs = p->parts;
	return err;
}

/* -- 3. flags ------------------------------------------------------------------------------------------------- */

static int set_vma_flags(const struct plan *p, struct vma *vma)
{
	struct object_maps *maps = &vma->object->maps;
	struct nonlinear_index *idx = NULL;

	if (!vma->link.nonlinear) {
		idx = nonlinear_index_get(maps, &p->mm->pt);
		if (IS_ERR(idx))
			return (int)PTR_ERR(idx);
	}
	rwsem_write_lock(&maps->lock);
	if (idx) {
		vma->link.nonlinear = idx;
		idx->locked += vma->link.flags & RMAP_LOCKED ? 1 : 0;
	}
	if (p->wanted & VM_MANYPROTS)
		vma->link.flags |= RMAP_KEEP_GRANTS;
	rwsem_write_unlock(&maps->lock);
	vma->flags |= p->wanted;
	return 0;
}

/* => mm->lock held for writing. Setting a flag and then failing is harmless: no entry differs yet. */
static int set_flags(const struct plan *p)
{
	int err = 0;

	for (unsigned i = 0; i < p->nr && !err; i++)
		if (p->wanted & ~p->runs[i].vma->flags)
			err = set_vma_flags(p, p->runs[i].vma);
	return err;
}

/* On success mm->lock is held for reading.  If some vma becomes nonlinear, it was held for writing before. */
static int begin(struct plan *p, struct remap_run *ranges, unsigned nr)
{
	struct rwsem *lock = &p->mm->lock;
	int err;

	rwsem_read_lock(lock);
	err = plan_all(p, ranges, nr);
	if (!err && !p->lacking)
		return 0;
	rwsem_read_unlock(lock);
	if (!err)
		err = rwsem_write_lock_killable(lock);
	if (err)
		return err;
	err = plan_all(p, ranges, nr);
	if (!err)
		err = set_flags(p);
	if (err)
		rwsem_write_unlock(lock);
	else
		rwsem_downgrade(lock);
	return err;
}

/* -- all steps ------------------------------------------------------------------------------------------------- */

static unsigned flags_wanted(unsigned flags)
{
	return VM_NONLINEAR | (flags & MAP_CHGPROT ? VM_MANYPROTS : 0);
}

/* Locked memory is there, whoever asks not to wait. */
static inline bool must_populate(unsigned flags, unsigned vm_flags)
{
	return !(flags & MAP_NONBLOCK) || (vm_flags & VM_LOCKED);
}

static void populate(struct mm *mm, const struct remap_run *ranges, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		if (!ranges[i].keep_offset)
			mm_populate_quietly(mm, ranges[i].start, ranges[i].end);
}

/* => the numbers were checked */
static __attribute__((noinline)) int remap(struct mm *mm, struct remap_run *ranges, unsigned nr, unsigned flags)
{
	struct plan p = {.mm = mm, .wanted = flags_wanted(flags)};
	int err = begin(&p, ranges, nr);
	long absent;

	if (!err) {
		absent = nonlinear_exchange(p.runs, p.nr);
		rwsem_read_unlock(&mm->lock);
		if (absent > 0 && must_populate(flags, p.any))
			populate(mm, ranges, nr);
		err = absent < 0 ? (int)absent : 0;
	}
	kfree(p.parts);
	return err;
}

/* One page of a vma that is nonlinear already, with a protection that it may have: one look at the vma, and no memory.
 * False: it is not that simple. */
static inline bool remap_one(struct mm *mm, vaddr_t va, pgoff_t pgoff, unsigned prot, unsigned flags, int *err)
{
	unsigned wanted = flags_wanted(flags) | VM_SHARED | prot << 4, vm_flags;
	struct vma *vma;
	long absent;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, va);
	if (!vma || vma->start > va || (wanted & ~vma->flags)) {
		rwsem_read_unlock(&mm->lock);
		return false;
	}
	absent = nonlinear_exchange_one(vma, va, pgoff, flags & MAP_CHGPROT ? prot_to_grant(prot) : vma_grant(vma));
	vm_flags = vma->flags;
	rwsem_read_unlock(&mm->lock);
	if (unlikely(absent > 0) && must_populate(flags, vm_flags))
		mm_populate_quietly(mm, va, va + PAGE_SIZE);
	*err = absent < 0 ? (int)absent : 0;
	return true;
}

/* One page, nothing in the numbers to be refused. */
static inline bool simple(vaddr_t va, size_t size, unsigned long prot, pgoff_t pgoff, unsigned flags)
{
	if ((size & PAGE_MASK) != PAGE_SIZE || va >= USER_END || prot > PROT_MASK || (prot && !(flags & MAP_CHGPROT)))
		return false;
	return (u64)pgoff + 1 <= (u64)PTE_FILE_PGOFF_MAX + 1 && pgoff + 1 != 0 && !(flags & MAP_KEEPOFF) && !MUTATION(15);
}

int mm_remap_file_pages(struct mm *mm, vaddr_t start, size_t size, unsigned long prot, pgoff_t pgoff, unsigned flags)
{
	struct remap_run run;
	int err;

	TRACE(TRACE_REMAP, &mm->pt, start, pgoff, size, prot);
	start = ALIGN_DOWN(start, PAGE_SIZE);
	if (likely(simple(start, size, prot, pgoff, flags)) && remap_one(mm, start, pgoff, (unsigned)prot, flags, &err))
		return err;
	run.start = start;
	run.end = start + ALIGN_DOWN(size, PAGE_SIZE);
	run.pgoff = pgoff;
	run.prot = (unsigned)prot;
	run.own_grants = flags & MAP_CHGPROT;
	run.keep_offset = flags & MAP_KEEPOFF;
	err = prot > PROT_MASK ? -EINVAL : check_numbers(&run);
	return err ? err : remap(mm, &run, 1, flags);
}

/* -- many ranges -------------------------------------------------------------------------------------------------- */

static int entry_to_run(struct remap_run *run, const struct remap_entry *e)
{
	run->start = (vaddr_t)e->addr;
	run->end = (vaddr_t)(e->addr + e->length);
	run->pgoff = (pgoff_t)e->pgoff;
	run->prot = e->prot;
	run->own_grants = true;
	run->keep_offset = e->flags & MAP_KEEPOFF;
	if ((e->flags & ~(unsigned)MAP_KEEPOFF) || ((e->addr | e->length) & ~PAGE_MASK))
		return -EINVAL;
	if (e->addr != run->start || e->addr + e->length != run->end || e->pgoff != run->pgoff)
		return -EINVAL; /* beyond this machine's width */
	return check_numbers(run);
}

/* All in one window, a page each. False: it is not that simple. */
static bool remap_window(struct mm *mm, const struct remap_entry *entries, unsigned nr, unsigned flags, bool *absent)
{
	const unsigned wanted = VM_SHARED | VM_NONLINEAR | VM_MANYPROTS;
	bool done = false;
	struct vma *vma;
	long n = 0;

	rwsem_read_lock(&mm->lock);
	vma = vma_find(mm, (vaddr_t)entries->addr);
	if (vma && !(wanted & ~vma->flags))
		done = nonlinear_exchange_window(vma, entries, nr, &n);
	*absent = n && vma && must_populate(flags, vma->flags);
	rwsem_read_unlock(&mm->lock);
	return done;
}

int mm_remap_vector(struct mm *mm, const struct remap_entry *entries, unsigned nr, unsigned flags)
{
	struct remap_run *ranges;
	bool absent;
	int err = 0;

	if (remap_window(mm, entries, nr, flags, &absent)) {
		for (unsigned i = 0; i < nr && absent; i++)
			mm_populate_quietly(mm, (vaddr_t)entries[i].addr, (vaddr_t)entries[i].addr + PAGE_SIZE);
		return 0;
	}
	ranges = kmalloc(nr * sizeof(*ranges), GFP_KERNEL);
	if (!ranges)
		return -ENOMEM;
	for (unsigned i = 0; i < nr && !err; i++)
		err = entry_to_run(&ranges[i], &entries[i]);
	if (!err)
		err = remap(mm, ranges, nr, flags | MAP_CHGPROT);
	kfree(ranges);
	return err;
}
