/*
 * lockrank.c - the lock-order validator.  Layer 2.  Debug builds only reach it.
 *
 * Interrupt handlers take locks in a context of their own: what the interrupted thread holds says nothing
 * about order (it holds no lock that the handler takes, which is checked per rank instead: a spinlock rank
 * used in interrupts must never be taken with interrupts on).
 */
#include "kernel/sync/lockrank.h"
#include <arch/cpu.h>
#include "kernel/lib/assert.h"
#include "kernel/sync/hooks.h"

#define LOCK_RANK_NAME(name, what) "LOCK_" #name,
static const char *const names[] = {LOCK_RANKS(LOCK_RANK_NAME)};

static struct lock_context irq_context[MAX_CPUS];
static bool dying; /* a panic is under way: its own locking must not start another one */

enum rank_use { USED_IN_IRQ = 1, USED_IRQS_ON = 2 };
static u8 rank_use[LOCK_RANK_COUNT];

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

static void check_irq_use(const void *lock, unsigned rank)
{
	unsigned use = this_cpu()->irq_depth ? USED_IN_IRQ : irqs_enabled() ? USED_IRQS_ON : 0;

	if (rank == LOCK_NONE)
		return;
	if (__atomic_or_fetch(&rank_use[rank], use, __ATOMIC_RELAXED) == (USED_IN_IRQ | USED_IRQS_ON)) {
		dying = true;
		panic("lock: %s %p is used in interrupts and with interrupts on\n", lock_rank_name(rank), lock);
	}
}

void lock_debug_acquire(const void *lock, unsigned rank, unsigned how)
{
	struct lock_context *c = context();

	if (dying)
		return;
	if (how & LOCK_HOW_SLEEP)
		lock_debug_might_sleep();
	check_order(c, lock, rank, how);
	if (how & LOCK_HOW_SPIN)
		check_irq_use(lock, rank);
	if (c->n == LOCK_HELD_MAX) {
		dying = true;
		panic("lock: too many held locks with %s %p\n", lock_rank_name(rank), lock);
	}
	c->held[c->n].lock = lock;
	c->held[c->n].rank = rank;
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

void lock_debug_might_sleep(void)
{
	struct cpu *cpu = this_cpu();

	if (dying || (!cpu->preempt_count && !cpu->irq_depth))
		return;
	lock_dump_held();
	dying = true;
	panic("lock: sleeping with preempt_count %u, irq_depth %u\n", cpu->preempt_count, cpu->irq_depth);
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
