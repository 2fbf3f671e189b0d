/*
 * failpoint.c - the nth allocation, request or attempt of a process or thread fails.
 *
 * Layer 8 (mm/debug).  Interface: debug.h; the macro: kernel/lib/failpoint.h.
 *
 * A test arms n = 1, 2, 3, ... around one operation until the operation succeeds without the point having failed:
 * every way out of the operation has then been taken once.  Interrupt handlers and kernel threads never fail.
 * The lock is a bare one, as in syncpoint.c: allocations happen under nearly any lock.
 */
#include <arch/cpu.h>

#include "kernel/lib/errno.h"
#include "kernel/lib/failpoint.h"
#include "kernel/lib/string.h"
#include "kernel/sync/spinlock.h"
#include "mm/debug/debug.h"
#include "mm/debug/point.h"

#define POINTS_MAX 8

struct point {
	char name[MM_NAME_MAX];
	const void *owner; /* NULL: not armed */
	int tid;           /* 0: every thread of pt */
	const struct pgtable *pt;
	u64 nth; /* 0: only count */
	u64 hits;
	bool failed;
};

static struct point points[POINTS_MAX];
static spinlock_t points_lock = SPINLOCK_INIT(LOCK_NONE);

static bool hit(const char *name)
{
	struct debug_who who;
	struct point *p;
	unsigned long flags;
	bool fail = false;

	if (this_cpu()->irq_depth)
		return false;
	debug_identify(&who);
	flags = spin_raw_lock_irqsave(&points_lock);
	p = point_find(points, name);
	if (p && (p->tid ? p->tid == who.tid : who.pt && p->pt == who.pt)) {
		fail = ++p->hits == p->nth;
		p->failed |= fail;
	}
	spin_raw_unlock_irqrestore(&points_lock, flags);
	return fail;
}

static void disarm(struct point *p)
{
	p->owner = NULL;
	failpoints_armed--;
}

static struct point *free_slot(void)
{
	for (struct point *p = points; p < points + POINTS_MAX; p++)
		if (!p->owner)
			return p;
	return NULL;
}

static void report(const struct point *p, struct mm_fail *arg)
{
	arg->hits = p ? p->hits : 0;
	arg->failed = p && p->failed;
}

int failpoint_arm(const void *owner, struct mm_fail *arg)
{
	struct debug_who who;
	struct point *p;
	unsigned long flags;

	if (!point_name_ok(arg->name))
		return -EINVAL;
	debug_identify(&who);
	flags = spin_raw_lock_irqsave(&points_lock);
	p = point_find(points, arg->name);
	report(p, arg);
	if (!p) {
		p = free_slot();
		if (p)
			failpoints_armed++;
	}
	if (p) {
		strlcpy(p->name, arg->name, sizeof(p->name));
		p->owner = owner;
		p->tid = (int)arg->tid;
		p->pt = who.pt;
		p->nth = arg->nth;
		p->hits = 0;
		p->failed = false;
	}
	spin_raw_unlock_irqrestore(&points_lock, flags);
	return p ? 0 : -ENOSPC;
}

int failpoint_hits(struct mm_fail *arg)
{
	struct point *p;
	unsigned long flags;

	if (!point_name_ok(arg->name))
		return -EINVAL;
	flags = spin_raw_lock_irqsave(&points_lock);
	p = point_find(points, arg->name);
	report(p, arg);
	spin_raw_unlock_irqrestore(&points_lock, flags);
	return p ? 0 : -ENOENT;
}

void failpoint_disarm_all(const void *owner)
{
	unsigned long flags = spin_raw_lock_irqsave(&points_lock);

	for (struct point *p = points; p < points + POINTS_MAX; p++)
		if (p->owner == owner)
			disarm(p);
	spin_raw_unlock_irqrestore(&points_lock, flags);
}

void failpoint_init(void)
{
	failpoint_hook = hit;
}
