/*
 * ops_range.c - advice, locks and sync of ranges; whole address spaces.
 */
#include "tests/model/ops.h"

#include "kernel/lib/err.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/string.h"
#include "mm/debug/debug.h"

static int advise(struct drive *d, unsigned space, struct span s, int advice)
{
	int got;

	drive_acting(d);
	got = mm_madvise(d->mm[space], s.addr, s.length, advice);
	drive_acted(d);
	return got;
}

void do_dontneed(struct drive *d, const struct op *op, unsigned space)
{
	struct span s = span_of(op);
	int got = advise(d, space, s, MADV_DONTNEED);

	drive_expect(d, got, oracle_dontneed(&d->o, space, s.addr, s.length));
}

void do_forking(struct drive *d, const struct op *op, unsigned space)
{
	struct span s = span_of(op);
	bool allow = op->flags & OPF_STORE;
	int got = advise(d, space, s, allow ? MADV_DOFORK : MADV_DONTFORK);

	drive_expect(d, got, oracle_forking(&d->o, space, s.addr, s.length, allow));
}

void do_populate(struct drive *d, const struct op *op, unsigned space)
{
	struct span s = span_of(op);
	bool store = op->flags & OPF_STORE;
	int got = advise(d, space, s, store ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
	int want = oracle_populate(&d->o, space, s.addr, s.length, store);

	if (got == -EINVAL && want == -EFAULT) /* forbidden by the vma, and not by an entry: the model has no vmas */
		want = got;
	drive_expect(d, got, want);
}

static void lock(struct drive *d, const struct op *op, unsigned space, bool lock)
{
	struct span s = span_of(op);
	int got;

	drive_acting(d);
	got = mm_mlock(d->mm[space], s.addr, s.length, lock);
	drive_acted(d);
	drive_expect(d, got, oracle_lock(&d->o, space, s.addr, s.length, lock));
}

void do_lock(struct drive *d, const struct op *op, unsigned space)
{
	lock(d, op, space, true);
}

void do_unlock(struct drive *d, const struct op *op, unsigned space)
{
	lock(d, op, space, false);
}

/* What the range shows by its place in the mapping is on the disk now; all of the file where something was remapped. */
static void verify_synced(struct drive *d, unsigned space, const struct op *op)
{
	for (unsigned i = op->page; i < op->page + op->pages; i++) {
		const struct o_page *p = &d->o.space[space].page[i];

		if (p->mapped && p->shared && p->object == 0 && !d->touch.on)
			drive_verify_disk(d, p->remapped ? 0 : p->linear, p->remapped ? MODEL_FILE_PAGES : p->linear);
	}
}

void do_msync(struct drive *d, const struct op *op, unsigned space)
{
	unsigned flags = (op->flags & OPF_MSYNC) | (op->twist == TWIST_BIT ? 8 : 0);
	struct span s = span_of(op);
	int got, want;

	drive_acting(d);
	got = mm_msync(d->mm[space], s.addr, s.length, (int)flags);
	drive_acted(d);
	want = oracle_msync(&d->o, space, s.addr, s.length, flags);
	drive_expect(d, got, want);
	if (got == 0 && (flags & MS_SYNC) && op->twist == TWIST_NONE)
		verify_synced(d, space, op);
}

void do_mincore(struct drive *d, const struct op *op, unsigned space)
{
	unsigned char want[MODEL_PAGES], got[MODEL_PAGES];
	struct span s = span_of(op);
	int result;

	sim_use(d->scratch);
	drive_acting(d);
	result = mm_mincore(d->mm[space], s.addr, s.length, (unsigned char *)MODEL_BASE);
	drive_acted(d);
	drive_expect(d, result, oracle_mincore(&d->o, space, s.addr, s.length, want));
	if (result || d->touch.on || d->inject || s.length == 0)
		return;
	sim_load(MODEL_BASE, got, op->pages);
	/* Reclaim takes pages that nobody knows of; a huge page brings some that nobody asked for. */
	for (unsigned i = 0; i < op->pages; i++)
		if ((got[i] > want[i] && thp_mode != THP_ALWAYS) || (got[i] < want[i] && !d->reclaimed))
			drive_fail(d, "page %u: resident %u, should be %u", op->page + i, got[i], want[i]);
}

/*
 * Entries that may be stored through and are not dirty yet: the store's D is what clearing A could lose.  So they are
 * dropped, and loaded through again; shared memory comes back as it was.
 */
static void make_clean(struct drive *d, const struct op *op, unsigned space)
{
	drive_enter(d, space, op->cpu);
	for (unsigned page = op->page; page < op->page + op->pages; page++) {
		vaddr_t va = MODEL_BASE + page * PAGE_SIZE;
		int content;

		if (!d->o.space[space].page[page].mapped || !d->o.space[space].page[page].shared)
			continue;
		(void)mm_madvise(d->mm[space], va, PAGE_SIZE, MADV_DONTNEED); /* (not where it is locked) */
		drive_expect(d, sim_touch(va, FAULT_READ), oracle_touch(&d->o, space, page, FAULT_READ, &content));
	}
}

void do_age(struct drive *d, const struct op *op, unsigned space)
{
	struct mm_range r = {.addr = MODEL_BASE + op->page * PAGE_SIZE, .len = op->pages * PAGE_SIZE};

	if (d->touch.on && op->flags & OPF_FRESH)
		make_clean(d, op, space);
	drive_acting(d);
	(void)debug_clear_young(d->mm[space], &r);
	drive_acted(d);
}

/* -- whole spaces ----------------------------------------------------------------------------------------------------------- */
#define NOWHERE MODEL_SPACES

static unsigned free_space(const struct drive *d)
{
	unsigned i = 0;

	while (i < MODEL_SPACES && d->mm[i])
		i++;
	return i;
}

void do_fork(struct drive *d, const struct op *op, unsigned space)
{
	unsigned to = free_space(d);
	struct mm *child;

	if (to == NOWHERE)
		return;
	drive_acting(d);
	child = mm_fork(d->mm[space]);
	drive_acted(d);
	if (IS_ERR(child)) {
		drive_expect(d, PTR_ERR(child), 0);
		return;
	}
	oracle_fork(&d->o, space, to);
	if (d->touch.on)
		touch_forked(d, space, to);
	mutex_lock(&d->lock);
	__atomic_store_n(&d->mm[to], child, __ATOMIC_RELAXED);
	mutex_unlock(&d->lock);
	mirrored_begin(d, to);
}

void drive_exit_space(struct drive *d, unsigned space)
{
	struct mm *mm = d->mm[space];

	mutex_lock(&d->lock);
	__atomic_store_n(&d->mm[space], NULL, __ATOMIC_RELAXED);
	mutex_unlock(&d->lock);
	if (sim_mm() == mm)
		sim_use(NULL);
	drive_acting(d);
	if (d->touch.on)
		touch_evict(d, space);
	mm_put(mm);
	drive_acted(d);
	mirrored_end(d, space);
	oracle_exit(&d->o, space);
}

void do_exit(struct drive *d, const struct op *op, unsigned space)
{
	if (live_spaces(d) > 1)
		drive_exit_space(d, space);
}
