/*
 * lockrank.c - the lock-order validator.  Layer 2.  Debug builds only reach it.
 *
 * Interrupt handlers take locks in a context of their own: what the interrupted thread holds says nothing
 * about order.  That is sound as long as a handler never waits for a lock that its own CPU holds, nor for one
 * whose holder can be stopped by such a handler.  So the ranks of spinlocks are sorted into two kinds, by how they
 * are seen to be used:
 *
 *	WANTED_IN_IRQ   a handler takes it, or it is taken while a spinlock of such a rank is held
 *	USED_IRQS_ON    it is taken with interrupts on
 *
 * and no rank may be both.  The second half of the first line is what several CPUs add: one CPU holds B with
 * interrupts on, another A (interrupts off) and waits for B, and the first one's handler wants A.
 */
#include "kernel/sync/lockrank.h"
#include <arch/cpu.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/trace.h"
#include "kernel/sync/hooks.h"

#define LOCK_RANK_NAME(name, what) "LOCK_" #name,
static const char *const names[] = {LOCK_RANKS(LOCK_RANK_NAME)};

static struct lock_context irq_context[MAX_CPUS];
static bool dying; /* a panic is under way: its own locking must not start another one */

enum rank_use { WANTED_IN_IRQ = 1, USED_IRQS_ON = 2 };
static u8 rank_use[LOCK_RANK_COUNT];                 /* atomic; bits only come */
static bool under[LOCK_RANK_COUNT][LOCK_RANK_COUNT]; /* [a][b]: spinlock b was taken while a was held */

const char *lock_rank_name(enum lock_rank rank)
{
	return (unsigned)rank < LOCK_RANK_COUNT ? names[rank] : "?";
}

static struct lock_context *context(void)
{
	struct cpu *cpu = this_cpu();

	return cpu->irq_depth ? &irq_context[cpu->id] : sync_lock_context();
}

static void check_order(const struct lock_context *c, const void *lock, unsigned rank, unsigned how)
{
	for (unsigned i = 0; i < c->n; i++) {
		const struct lock_held *h = &c->held[i];

		if (h->lock == lock) {
			dying = true;
			panic("lock: %s %p is taken twice\n", lock_rank_name(rank), lock);
		}
		if (how & LOCK_HOW_TRY || rank == LOCK_NONE || h->rank < rank)
			continue;
		if (h->rank == rank && how & LOCK_HOW_NESTED)
			continue;
		if (h->rank == rank && how & LOCK_HOW_ASCENDING && h->lock < lock)
			continue;
		dying = true;
		panic("lock order: %s %p is taken under %s %p\n", lock_rank_name(rank), lock, lock_rank_name(h->rank), h->lock);
	}
}

static void rank_use_add(const void *lock, unsigned rank, unsigned use)
{
	u8 old = __atomic_load_n(&rank_use[rank], __ATOMIC_RELAXED);

	if (likely((old | use) == old))
		return;
	old = __atomic_or_fetch(&rank_use[rank], use, __ATOMIC_SEQ_CST);
	if (old == (WANTED_IN_IRQ | USED_IRQS_ON)) {
		dying = true;
		panic("lock: %s %p is wanted in interrupts and taken with interrupts on\n", lock_rank_name(rank), lock);
	}
	if (use & WANTED_IN_IRQ) /* and so is what is taken under it */
		for (unsigned inner = 0; inner < LOCK_RANK_COUNT; inner++)
			if (__atomic_load_n(&under[rank][inner], __ATOMIC_SEQ_CST))
				rank_use_add(lock, inner, WANTED_IN_IRQ);
}

static void check_irq_use(const struct lock_context *c, const void *lock, unsigned rank, unsigned how)
{
	if (rank == LOCK_NONE)
		return;
	if (this_cpu()->irq_depth)
		rank_use_add(lock, rank, how & LOCK_HOW_TRY ? 0 : WANTED_IN_IRQ);
	else if (irqs_enabled())
		rank_use_add(lock, rank, USED_IRQS_ON);
	if (how & LOCK_HOW_TRY) /* nobody waits */
		return;
	for (unsigned i = 0; i < c->n; i++) {
		const struct lock_held *h = &c->held[i];

		if (!(h->how & LOCK_HOW_SPIN) || h->rank == LOCK_NONE || h->rank == rank)
			continue;
		if (unlikely(!__atomic_load_n(&under[h->rank][rank], __ATOMIC_RELAXED)))
			__atomic_store_n(&under[h->rank][rank], true, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&rank_use[h->rank], __ATOMIC_SEQ_CST) & WANTED_IN_IRQ)
			rank_use_add(lock, rank, WANTED_IN_IRQ);
	}
}

void lock_debug_acquire(const void *lock, unsigned rank, unsigned how)
{
	struct lock_context *c = context();
	struct cpu *cpu = this_cpu();

	if (dying)
		return;
	TRACE(TRACE_LOCK, cpu->lazy ? NULL : cpu->loaded, (unsigned long)lock, rank, how, cpu->irq_depth);
	if (how & LOCK_HOW_SLEEP)
		lock_debug_might_sleep();
	check_order(c, lock, rank, how);
	if (how & LOCK_HOW_SPIN)
		check_irq_use(c, lock, rank, how);
	if (c->n == LOCK_HELD_MAX) {
		dying = true;
		panic("lock: too many held locks with %s %p\n", lock_rank_name(rank), lock);
	}
	c->held[c->n].lock = lock;
	c->held[c->n].rank = (u16)rank;
	c->held[c->n].how = (u16)how;
	c->n++;
}

static bool forget(struct lock_context *c, const void *lock)
{
	for (unsigned i = c->n; i-- > 0;) {
		if (c->held[i].lock != lock)
			continue;
		for (c->n--; i < c->n; i++)
			c->held[i] = c->held[i + 1];
		return true;
	}
	return false;
}

void lock_debug_release(const void *lock)
{
	if (dying || forget(context(), lock))
		return;
	dying = true;
	panic("lock: %p is released but not held\n", lock);
}

void lock_debug_disown(const void *lock)
{
	if (!dying)
		forget(context(), lock);
}

bool lock_debug_held(const void *lock)
{
	struct lock_context *c = context();

	for (unsigned i = 0; i < c->n; i++)
		if (c->held[i].lock == lock)
			return true;
	return dying;
}

static __noreturn void sleep_bug(void)
{
	struct cpu *cpu = this_cpu();

	lock_dump_held();
	dying = true;
	panic("lock: sleeping with preempt_count %u, irq_depth %u, interrupts %s\n", cpu->preempt_count, cpu->irq_depth,
	      irqs_enabled() ? "on" : "off");
}

void lock_debug_may_switch(void)
{
	struct cpu *cpu = this_cpu();

	if (!dying && unlikely(cpu->preempt_count || cpu->irq_depth))
		sleep_bug();
}

void lock_debug_might_sleep(void)
{
	lock_debug_may_switch();
	if (!dying && unlikely(!irqs_enabled() && !sync_lock_context()->any_irq_state))
		sleep_bug();
}

void lock_debug_none_held(const char *where)
{
	if (dying || !context()->n)
		return;
	lock_dump_held();
	dying = true;
	panic("lock: %u still held at %s\n", context()->n, where);
}

void lock_dump_held(void)
{
	const struct lock_context *c = context();

	for (unsigned i = 0; i < c->n && i < ARRAY_SIZE(c->held); i++)
		printk("  holds %s %p\n", lock_rank_name(c->held[i].rank), c->held[i].lock);
}
