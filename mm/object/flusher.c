/*
 * flusher.c - the kernel thread that writes old dirty pages, and sync(2).
 *
 * Layer 5b (mm/object).  Interface: object.h.  The thread itself is started by kernel/main, which knows
 * threads; this file knows what one round does.
 */
#include <arch/irq.h>

#include "kernel/lib/assert.h"
#include "mm/object/dirty.h"
#include "mm/object/object.h"
#include "mm/object/pagecache.h"

static void write_objects(u64 dirtied_before, bool wait)
{
	struct vm_object *obj;

	while ((obj = writeback_next_object(dirtied_before))) {
		object_writeback(obj, 0, ~0UL, wait);
		obj->ops->release(obj);
	}
}

void flusher_wait(void)
{
	dirty_wait_for_work();
}

void flusher_round(void)
{
	u64 now = arch_clock_ns(), age = dirty_over_background() ? 0 : (u64)READ_ONCE(dirty_limits.expire_cs) * 10000000u;

	dirty_round_begins();
	if (now > age)
		write_objects(now - age, false);
	dirty_round_ends();
}

void writeback_sync_all(void)
{
	/* Objects dirtied after this call began are not ours to wait for: that bounds the loop. */
	write_objects(arch_clock_ns(), true);
}
