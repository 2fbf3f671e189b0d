/*
 * flusher.c - the kernel thread that writes old dirty pages, and sync(2).
 *
 * Layer 5b (mm/object).  Interface: object.h.  The thread itself is started by kernel/main, which knows
 * threads; this file knows what one round does.
 */
#include <arch/irq.h>

#include "kernel/lib/assert.h"
#include "mm/object/background.h"
#include "mm/object/dirty.h"
#include "mm/object/object.h"
#include "mm/object/pagecache.h"

struct rwsem background_rounds = RWSEM_INIT(background_rounds, LOCK_NONE);

static void write_objects(struct dirty_walk *w, bool wait)
{
	struct vm_object *obj;

	dirty_walk_begin(w);
	while ((obj = dirty_walk_next(w))) {
		object_writeback(obj, 0, ~0UL, wait);
		dirty_list_settle(obj);
		obj->ops->release(obj);
	}
}

void flusher_wait(void)
{
	dirty_wait_for_work();
}

/* What is old; or, if there is too much, everything.  A file that somebody is writing already would only get its requests
 * cut to pieces by two of us. */
void flusher_round(void)
{
	bool all = dirty_over_background();
	u64 now = arch_clock_ns(), age = all ? 0 : (u64)READ_ONCE(dirty_limits.expire_cs) * 10000000u;
	struct dirty_walk w = {.dirtied_before = now - age, .spare_busy = !all};

	dirty_round_begins();
	if (now > age)
		write_objects(&w, false);
	dirty_round_ends();
}

void writeback_sync_all(void)
{
	struct dirty_walk w = {.dirtied_before = ~0ull};

	write_objects(&w, true);
}
