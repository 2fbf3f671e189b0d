/*
 * trace.c - the trace rings: what happened to entries, TLBs and frames, per CPU.
 *
 * Layer 8 (mm/debug).  Interface: debug.h; the macro: kernel/lib/trace.h.
 *
 * For a debugger: trace_rings[cpu].head counts the records that CPU has ever written, and record number i is
 * trace_rings[cpu].records[i % trace_ring_size] for the last trace_ring_size of them:
 *
 *	(gdb) p trace_rings[0].head
 *	(gdb) p trace_rings[0].records[(trace_rings[0].head - 1) % trace_ring_size]
 *
 * A CPU writes its own ring only, with interrupts off.  A reader stops the recording first; a record that another CPU was
 * just writing may then be incomplete.
 */
#include <arch/cpu.h>
#include <arch/uaccess.h>

#include "kernel/lib/errno.h"
#include "kernel/lib/trace.h"
#include "kernel/sync/mutex.h"
#include "mm/debug/debug.h"
#include "mm/phys/slab.h"

STATIC_ASSERT((int)TRACE_CLEAR == MM_TRACE_CLEAR && (int)TRACE_FLUSH == MM_TRACE_FLUSH);
STATIC_ASSERT((int)TRACE_FREE == MM_TRACE_FREE && (int)TRACE_SET == MM_TRACE_SET);
STATIC_ASSERT((int)TRACE_VERDICT == MM_TRACE_VERDICT && (int)TRACE_REMAP == MM_TRACE_REMAP);
STATIC_ASSERT((int)TRACE_UNPIN == MM_TRACE_UNPIN && (int)TRACE_MARK == MM_TRACE_MARK);
STATIC_ASSERT((int)TRACE_LOCK == MM_TRACE_LOCK && (int)TRACE_NOTIFY == MM_TRACE_NOTIFY);
STATIC_ASSERT((int)TRACE_EVENTS == MM_TRACE_EVENTS);

#define RING_SIZE 4096 /* a power of two */

struct trace_ring {
	u64 head;  /* records ever written */
	u64 start; /* records before this one are forgotten */
	struct mm_trace_record *records;
};

extern struct trace_ring trace_rings[MAX_CPUS];
extern const unsigned trace_ring_size;
struct trace_ring trace_rings[MAX_CPUS];
const unsigned trace_ring_size = RING_SIZE;

static struct mutex trace_lock = MUTEX_INIT(trace_lock, LOCK_NONE); /* owner, starting, reading */
static const void *trace_owner;

static void record(enum trace_event event, const void *mm, u64 va, u64 pfn, u64 old_entry, u64 new_entry)
{
	unsigned long flags = irq_save();
	struct trace_ring *ring = &trace_rings[this_cpu()->id];

	if (ring->records) {
		ring->records[ring->head % RING_SIZE] = (struct mm_trace_record){.tsc = cpu_rdtsc(),
		                                                                 .cpu = this_cpu()->id,
		                                                                 .event = event,
		                                                                 .mm = (unsigned long)mm,
		                                                                 .va = va,
		                                                                 .pfn = pfn,
		                                                                 .old_entry = old_entry,
		                                                                 .new_entry = new_entry};
		barrier();
		ring->head++;
	}
	irq_restore(flags);
}

static int make_rings(void)
{
	for (unsigned i = 0; i < cpu_count; i++) {
		struct trace_ring *ring = &trace_rings[i];

		if (!ring->records)
			ring->records = kzalloc(RING_SIZE * sizeof(*ring->records), GFP_KERNEL);
		if (!ring->records)
			return -ENOMEM;
	}
	return 0;
}

int trace_control(const void *owner, const struct mm_trace_control *arg)
{
	int err = 0;

	if (arg->events >> MM_TRACE_EVENTS)
		return -EINVAL;
	mutex_lock(&trace_lock);
	WRITE_ONCE(trace_events, 0);
	if (arg->events)
		err = make_rings();
	if (arg->clear)
		for (unsigned i = 0; i < cpu_count; i++)
			trace_rings[i].start = trace_rings[i].head;
	if (!err) {
		trace_owner = owner;
		WRITE_ONCE(trace_events, (unsigned long)arg->events);
	}
	mutex_unlock(&trace_lock);
	return err;
}

/* -- reading: all rings as one, by time ---------------------------------------------------------------------------- */

struct cursor {
	u64 next[MAX_CPUS];
};

/* Place the cursor at the oldest record there is; returns how many there are, counts what is no more. */
static u64 cursor_begin(struct cursor *c, u64 *lost)
{
	u64 total = 0;

	*lost = 0;
	for (unsigned i = 0; i < cpu_count; i++) {
		const struct trace_ring *ring = &trace_rings[i];

		c->next[i] = ring->start;
		if (ring->head - ring->start > RING_SIZE) {
			c->next[i] = ring->head - RING_SIZE;
			*lost += c->next[i] - ring->start;
		}
		total += ring->head - c->next[i];
	}
	return total;
}

static const struct mm_trace_record *cursor_next(struct cursor *c)
{
	const struct mm_trace_record *best = NULL;
	unsigned from = 0;

	for (unsigned i = 0; i < cpu_count; i++) {
		const struct trace_ring *ring = &trace_rings[i];
		const struct mm_trace_record *r;

		if (c->next[i] == ring->head)
			continue;
		r = &ring->records[c->next[i] % RING_SIZE];
		if (!best || r->tsc < best->tsc) {
			best = r;
			from = i;
		}
	}
	if (best)
		c->next[from]++;
	return best;
}

/* => trace_lock, nothing is being recorded */
static int copy_out(struct mm_trace_read *arg)
{
	struct mm_trace_record *to = (struct mm_trace_record *)(unsigned long)arg->records;
	const struct mm_trace_record *r;
	struct cursor c;
	u64 total = cursor_begin(&c, &arg->lost);

	arg->count = 0;
	for (; total > arg->max; total--) {
		cursor_next(&c);
		arg->lost++;
	}
	while ((r = cursor_next(&c))) {
		if (copy_to_user(to + arg->count, r, sizeof(*r)))
			return -EFAULT;
		arg->count++;
	}
	return 0;
}

int trace_read(struct mm_trace_read *arg)
{
	unsigned long events;
	int err;

	if (arg->records > ~0UL)
		return -EFAULT;
	mutex_lock(&trace_lock);
	events = trace_events;
	WRITE_ONCE(trace_events, 0);
	err = copy_out(arg);
	WRITE_ONCE(trace_events, events);
	mutex_unlock(&trace_lock);
	return err;
}

void trace_mark(const struct mm_trace_record *arg)
{
	TRACE(TRACE_MARK, NULL, arg->va, arg->pfn, arg->old_entry, arg->new_entry);
}

void trace_stop(const void *owner)
{
	mutex_lock(&trace_lock);
	if (trace_owner == owner) {
		WRITE_ONCE(trace_events, 0);
		trace_owner = NULL;
	}
	mutex_unlock(&trace_lock);
}

void trace_init(void)
{
	trace_hook = record;
}
