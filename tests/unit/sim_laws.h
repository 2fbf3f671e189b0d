/*
 * sim_laws.h - for tests of operations of mm/: allocations that fail one after the other, races in a chosen order,
 * threads that are being killed.
 */
#ifndef TESTS_UNIT_SIM_LAWS_H
#define TESTS_UNIT_SIM_LAWS_H

#include "kernel/sync/hooks.h"
#include "mm/debug/debug.h"
#include "mm/space/space.h"
#include "mm/space/vma.h"
#include "tests/unit/sim_space.h"

#define P(n) ((vaddr_t)(n) << PAGE_SHIFT)
#define FILLED(pgoff) ((u64)(pgoff) << 16 | 0xf11e) /* every word of that page of a filled disk file */

/* -- allocations that fail ------------------------------------------------------------------------------------------- */

/*
 * Every attempt at @what ("page_alloc", "slab_alloc") that @op makes fails once: then it must return -ENOMEM, and
 * @unchanged looks at the world.  Returns how many there are; the last @op, without a failure, must succeed.
 */
static __unused u64 each_fails(const char *what, long (*op)(void), void (*unchanged)(void))
{
	for (u64 n = 1;; n++) {
		long r;

		sim_failpoint(what, n);
		r = op();
		if (sim_failpoint_end(what) < n) {
			CHECK(!IS_ERR_VALUE(r));
			return n - 1;
		}
		if (r != -ENOMEM)
			sim_fail("%s %llu failed: %ld", what, (unsigned long long)n, r);
		unchanged();
		CHECK(!sim_audit(false));
	}
}

/* -- races in a chosen order ------------------------------------------------------------------------------------------- */

/* The next thread, not the current one, that comes to the point stops there; @skip arrivals go by. */
static __unused void race_arm(const char *name, unsigned skip)
{
	struct mm_sync_arm arm = {.mode = MM_SYNC_PAUSE, .skip = skip};

	strcpy(arm.name, name);
	CHECK(sync_point_arm(&sync_point_arm, &arm) == 0);
}

/* Until somebody is stopped there. */
static __unused void race_wait(const char *name)
{
	struct mm_sync sync = {.timeout_ms = 1000};

	strcpy(sync.name, name);
	CHECK(sync_point_wait(&sync) == 0);
}

static __unused void race_release(const char *name)
{
	struct mm_sync sync = {.timeout_ms = 0};

	strcpy(sync.name, name);
	CHECK(sync_point_release(&sync) == 0);
	sync_point_disarm_all(&sync_point_arm);
}

/* @fn on another CPU, in the current space, stopped at @name when it comes there after @skip other times. */
static __unused struct sim_thread *race_begin_after(const char *name, unsigned skip, void (*fn)(void *), void *arg)
{
	struct sim_thread *t;

	race_arm(name, skip);
	t = sim_spawn(sim_mm(), 1, fn, arg);
	race_wait(name);
	return t;
}

static __unused struct sim_thread *race_begin(const char *name, void (*fn)(void *), void *arg)
{
	return race_begin_after(name, 0, fn, arg);
}

static __unused void race_end(const char *name, struct sim_thread *t)
{
	race_release(name);
	sim_join(t);
}

/* -- being killed ------------------------------------------------------------------------------------------------------- */

struct killed {
	void (*fn)(void *);
	void *arg;
};

static __unused void when_killed(void *arg)
{
	struct killed *k = arg;

	while (!sync_fatal_pending())
		sim_yield();
	k->fn(k->arg);
}

/* @fn by a thread that is being killed. */
static __unused void by_killed(void (*fn)(void *), void *arg)
{
	struct killed k = {fn, arg};
	struct sim_thread *t = sim_spawn(sim_mm(), 1, when_killed, &k);

	sim_kill(t);
	sim_join(t);
}

/* The same while somebody else has the address space's lock, so that it would have to wait. */
static __unused void by_killed_waiter(void (*fn)(void *), void *arg)
{
	rwsem_write_lock(&sim_mm()->lock);
	by_killed(fn, arg);
	rwsem_write_unlock(&sim_mm()->lock);
}

/* -- looking ----------------------------------------------------------------------------------------------------------- */

static __unused enum pte_kind kind_at(vaddr_t va)
{
	return sim_entry(sim_mm(), va).kind;
}

static __unused unsigned count_vmas(void)
{
	return sim_mm()->nr_vmas;
}

/* The vma that holds @va, or NULL. => nobody else changes the space */
static __unused struct vma *vma_of(vaddr_t va)
{
	struct vma *vma = vma_find(sim_mm(), va);

	return vma && vma->start <= va ? vma : NULL;
}

static __unused u64 disk_word(struct sim_file *file, pgoff_t pgoff)
{
	u64 page[PAGE_SIZE / sizeof(u64)];

	CHECK(sim_disk_read(file, pgoff, page));
	return page[0];
}

#endif
