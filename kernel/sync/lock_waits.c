/*
 * lock_waits.c - counters of the waits for locks.  Layer 2.
 */
#include "kernel/sync/lock_waits.h"
#include <arch/cpu.h>

/* Own CPU writes, its interrupts too; anyone reads. */
static struct {
	unsigned long n[LOCK_RANK_COUNT];
} __aligned(64) waits[MAX_CPUS];

void lock_wait_count(unsigned rank)
{
	if (rank < LOCK_RANK_COUNT)
		__atomic_fetch_add(&waits[this_cpu()->id].n[rank], 1, __ATOMIC_RELAXED);
}

unsigned long lock_waits(enum lock_rank rank)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < MAX_CPUS; i++)
		n += READ_ONCE(waits[i].n[rank]);
	return n;
}
