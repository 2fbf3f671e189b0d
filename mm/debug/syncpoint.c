/*
 * syncpoint.c - threads that wait at named points until a test lets them go on.
 *
 * Layer 8 (mm/debug).  Interface: debug.h; the macro: kernel/lib/syncpoint.h.
 *
 *	test                       thread under test
 *	  arm("x")
 *	                             SYNC_POINT("x"): counted, paused
 *	  wait("x"): it is there
 *	  ... the other side of the race ...
 *	  release("x")
 *	                             goes on
 *
 * The other order is the same with the roles of the two sides exchanged, or with a second point.
 *
 * The lock is a bare one, interrupts off, that the validator does not see: a point may stand under any lock but those of
 * the scheduler and the wait queues.  A paused thread sleeps where it may; under a spinlock or with interrupts off
 * it spins, so on a machine with one CPU such a pause can only end by its time limit.
 */
#include <arch/cpu.h>
#include <arch/irq.h>

#include "kernel/lib/errno.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/lib/syncpoint.h"
#include "kernel/sync/hooks.h"
#include "kernel/sync/wait.h"
#include "mm/debug/debug.h"
#include "mm/debug/point.h"

#define POINTS_MAX 16
#define LIMIT_NS (MM_SYNC_LIMIT_MS * 1000000ull)

struct point {
	char name[MM_NAME_MAX];
	const void *owner; /* NULL: not armed */
	int tid, not_tid;  /* only this one; all but this one. 0: does not matter */
	unsigned cpu;      /* + 1; 0: any */
	u64 skip, hits;
	u64 arrivals, expired;
	unsigned paused;  /* threads; a slot is not used anew while there are some */
	unsigned release; /* grows with every release */
	int paused_tid;
};

static struct point points[POINTS_MAX];
static spinlock_t points_lock = SPINLOCK_INIT(LOCK_NONE);
static struct wait_queue arrival_queue = WAIT_QUEUE_INIT(arrival_queue);
static struct wait_queue release_queue = WAIT_QUEUE_INIT(release_queue);

/* -- arriving ---------------------------------------------------------------------------------------------------- */

static bool meant(const struct point *p, const struct debug_who *who)
{
	if (p->tid && p->tid != who->tid)
		return false;
	if (!p->tid && p->not_tid == who->tid)
		return false;
	return !p->cpu || p->cpu == this_cpu()->id + 1;
}

/* Count the arrival; the point if the thread is to pause there. *@release: of now */
static struct point *arrive(const char *name, unsigned *release)
{
	struct debug_who who;
	struct point *p;
	unsigned long flags;

	debug_identify(&who);
	flags = spin_raw_lock_irqsave(&points_lock);
	p = point_find(points, name);
	if (p && !meant(p, &who))
		p = NULL;
	if (p)
		p->arrivals++;
	if (p && p->skip) {
		p->skip--;
		p = NULL;
	}
	if (p && !p->hits)
		p = NULL;
	if (p) {
		p->hits--;
		p->paused++;
		p->paused_tid = who.tid;
		*release = p->release;
	}
	spin_raw_unlock_irqrestore(&points_lock, flags);
	return p;
}

static bool released(const struct point *p, unsigned release)
{
	return READ_ONCE(p->release) != release;
}

static void spin_until_released(const struct point *p, unsigned release)
{
	u64 deadline = arch_clock_ns() + LIMIT_NS;

	while (!released(p, release) && !sync_fatal_pending() && arch_clock_ns() < deadline)
		cpu_relax();
}

static void sleep_until_released(const struct point *p, unsigned release)
{
	u64 deadline = wait_deadline(LIMIT_NS);

	(void)wait_event_common(&release_queue, released(p, release), SYNC_KILLABLE, false, sync_block_until(deadline));
}

static void pause_at(const char *name)
{
	unsigned release;
	struct point *p;
	unsigned long flags;
	bool expired;

	if (this_cpu()->irq_depth)
		return;
	p = arrive(name, &release);
	if (!p)
		return;
	wake_up_all(&arrival_queue);
	if (this_cpu()->preempt_count || !irqs_enabled())
		spin_until_released(p, release);
	else
		sleep_until_released(p, release);
	expired = !released(p, release) && !sync_fatal_pending();
	flags = spin_raw_lock_irqsave(&points_lock);
	p->paused--;
	p->expired += expired;
	spin_raw_unlock_irqrestore(&points_lock, flags);
	if (expired)
		printk("sync point %s: nobody released thread %d for %u ms\n", name, p->paused_tid, MM_SYNC_LIMIT_MS);
}

/* -- the test's side ----------------------------------------------------------------------------------------------- */

static void let_go(struct point *p)
{
	p->release++;
	p->paused_tid = 0;
}

/* => points_lock */
static void disarm(struct point *p)
{
	p->owner = NULL;
	sync_points_armed--;
	let_go(p);
}

static struct point *free_slot(void)
{
	for (struct point *p = points; p < points + POINTS_MAX; p++)
		if (!p->owner && !p->paused)
			return p;
	return NULL;
}

static int arm_locked(const void *owner, const struct mm_sync_arm *arg, int caller)
{
	struct point *p = point_find(points, arg->name);

	if (p)
		disarm(p);
	if (arg->mode == MM_SYNC_OFF)
		return 0;
	p = free_slot();
	if (!p)
		return -ENOSPC;
	strlcpy(p->name, arg->name, sizeof(p->name));
	p->owner = owner;
	p->tid = (int)arg->tid;
	p->not_tid = caller;
	p->cpu = (unsigned)arg->cpu;
	p->skip = arg->skip;
	p->hits = arg->hits ? arg->hits : 1;
	p->arrivals = p->expired = 0;
	p->paused_tid = 0;
	sync_points_armed++;
	return 0;
}

int sync_point_arm(const void *owner, const struct mm_sync_arm *arg)
{
	struct debug_who who;
	unsigned long flags;
	int err;

	if (!point_name_ok(arg->name) || arg->mode > MM_SYNC_PAUSE)
		return -EINVAL;
	debug_identify(&who);
	flags = spin_raw_lock_irqsave(&points_lock);
	err = arm_locked(owner, arg, who.tid);
	spin_raw_unlock_irqrestore(&points_lock, flags);
	wake_up_all(&release_queue);
	return err;
}

/* What the point looks like; false: it is not armed. */
static bool look(struct mm_sync *arg)
{
	unsigned long flags = spin_raw_lock_irqsave(&points_lock);
	const struct point *p = point_find(points, arg->name);

	if (p) {
		arg->arrivals = p->arrivals;
		arg->paused = p->paused;
		arg->expired = p->expired;
		arg->tid = (u64)p->paused_tid;
	}
	spin_raw_unlock_irqrestore(&points_lock, flags);
	return p;
}

/* A thread is paused there, or the point has gone. */
static bool somebody_paused(struct mm_sync *arg)
{
	return !look(arg) || (arg->paused && arg->tid);
}

int sync_point_wait(struct mm_sync *arg)
{
	int r = 1;

	if (!point_name_ok(arg->name))
		return -EINVAL;
	if (arg->timeout_ms)
		r = wait_event_interruptible_timeout(&arrival_queue, somebody_paused(arg), arg->timeout_ms * 1000000);
	if (!look(arg))
		return -ENOENT;
	if (r < 0)
		return r;
	return arg->paused && arg->tid ? 0 : -ETIMEDOUT;
}

int sync_point_release(struct mm_sync *arg)
{
	struct point *p;
	unsigned long flags;

	if (!point_name_ok(arg->name))
		return -EINVAL;
	if (!look(arg))
		return -ENOENT;
	flags = spin_raw_lock_irqsave(&points_lock);
	p = point_find(points, arg->name);
	if (p)
		let_go(p);
	spin_raw_unlock_irqrestore(&points_lock, flags);
	wake_up_all(&release_queue);
	return 0;
}

void sync_point_disarm_all(const void *owner)
{
	unsigned long flags = spin_raw_lock_irqsave(&points_lock);

	for (struct point *p = points; p < points + POINTS_MAX; p++)
		if (p->owner == owner)
			disarm(p);
	spin_raw_unlock_irqrestore(&points_lock, flags);
	wake_up_all(&release_queue);
}

void sync_point_init(void)
{
	sync_point_hook = pause_at;
}
