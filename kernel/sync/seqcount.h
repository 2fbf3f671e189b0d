/*
 * seqcount.h - a version number around data that is read often and written rarely.  Layer 2.
 *
 * A reader copies the data without any lock and looks afterwards whether a writer was there:
 *
 *	do {
 *		seq = seqcount_begin(&s);
 *		copy = READ_ONCE(...);
 *	} while (seqcount_retry(&s, seq));
 *
 * => writers: one at a time (the caller's spinlock); readers in interrupt context: writers with interrupts off
 * => readers: plain values only.  A pointer that was read may already be stale: follow it only inside
 *    rcu_read_lock(), or after seqcount_retry() said no and with a reference.
 */
#ifndef KERNEL_SYNC_SEQCOUNT_H
#define KERNEL_SYNC_SEQCOUNT_H

#include <arch/cpu.h>

struct seqcount {
	unsigned seq; /* odd: a writer is at work */
};

#define SEQCOUNT_INIT \
	{                 \
		0             \
	}

static inline void seqcount_init(struct seqcount *s)
{
	s->seq = 0;
}

/* Waits for a writer to be through. => any context */
static inline unsigned seqcount_begin(const struct seqcount *s)
{
	unsigned seq;

	while (unlikely((seq = __atomic_load_n(&s->seq, __ATOMIC_ACQUIRE)) & 1))
		cpu_relax();
	return seq;
}

/* Has the data changed since? */
static inline bool seqcount_retry(const struct seqcount *s, unsigned seq)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE); /* the copying comes first */
	return unlikely(__atomic_load_n(&s->seq, __ATOMIC_RELAXED) != seq);
}

static inline void seqcount_write_begin(struct seqcount *s)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* odd before the first change is seen */
}

static inline void seqcount_write_end(struct seqcount *s)
{
	__atomic_store_n(&s->seq, s->seq + 1, __ATOMIC_RELEASE);
}

#endif
