/*
 * dev_mm.c - /dev/mm: the instruments of the concurrency harness, for ring 3.  The ioctls are those of
 * kernel/uapi/mm_debug.h.
 *
 * Layer 9 (kernel/fs).  Debug builds only: a release build does not compile this file.  No locks of its own: each
 * instrument has one.
 */
#include "kernel/fs/dev_mm.h"

#include "kernel/fs/ioctl.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/debug/debug.h"

#define MM_MAJOR 241

/* One ioctl: who asks, in which address space. */
struct call {
	const void *owner; /* the open file */
	struct mm *mm;
};

static void identify(struct debug_who *who)
{
	const struct thread *t = current_thread();

	who->tid = t ? t->tid : 0;
	who->pt = t ? t->pt : NULL;
}

static long ioctl_audit(void *ctx, void *arg)
{
	const struct mm_audit *a = arg;

	if (a->flags & ~(u64)(MM_AUDIT_SILENT | MM_AUDIT_LEAKS))
		return -EINVAL;
	mm_audit(arg);
	return 0;
}

static long ioctl_sync_arm(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return sync_point_arm(c->owner, arg);
}

static long ioctl_sync_wait(void *ctx, void *arg)
{
	return sync_point_wait(arg);
}

static long ioctl_sync_release(void *ctx, void *arg)
{
	return sync_point_release(arg);
}

static long ioctl_fail_arm(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return failpoint_arm(c->owner, arg);
}

static long ioctl_fail_hits(void *ctx, void *arg)
{
	return failpoint_hits(arg);
}

static long ioctl_trace_control(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return trace_control(c->owner, arg);
}

static long ioctl_trace_read(void *ctx, void *arg)
{
	return trace_read(arg);
}

static long ioctl_trace_mark(void *ctx, void *arg)
{
	trace_mark(arg);
	return 0;
}

static long ioctl_entry(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return debug_entry(c->mm, arg);
}

static long ioctl_clear_young(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return debug_clear_young(c->mm, arg);
}

static long ioctl_clean(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return debug_clean(c->mm, arg);
}

static long ioctl_reap(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return debug_reap(c->mm, arg);
}

static long ioctl_migrate(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return debug_migrate(c->mm, arg);
}

static long ioctl_merge(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return debug_merge(c->mm, arg);
}

static long ioctl_compact(void *ctx, void *arg)
{
	return debug_compact(arg);
}

static long ioctl_split(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return debug_split(c->mm, arg);
}

static const void *mutation_owner; /* the last file that switched one on; a test's affair, so no lock */

static long ioctl_mutate(void *ctx, void *arg)
{
	const struct call *c = ctx;
	struct mm_mutate *m = arg;

	if (m->n > MM_MUTATION_MAX)
		return -EINVAL;
	m->old = mutation_active;
	mutation_owner = m->n ? c->owner : NULL;
	WRITE_ONCE(mutation_active, (unsigned)m->n);
	return 0;
}

static long ioctl_plant(void *ctx, void *arg)
{
	const struct call *c = ctx;

	return plant_set(c->owner, c->mm, arg);
}

static const struct ioctl_request requests[] = {
	{MM_IOC_AUDIT, ioctl_audit},
	{MM_IOC_SYNC_ARM, ioctl_sync_arm},
	{MM_IOC_SYNC_WAIT, ioctl_sync_wait},
	{MM_IOC_SYNC_RELEASE, ioctl_sync_release},
	{MM_IOC_FAIL_ARM, ioctl_fail_arm},
	{MM_IOC_FAIL_HITS, ioctl_fail_hits},
	{MM_IOC_TRACE_CONTROL, ioctl_trace_control},
	{MM_IOC_TRACE_READ, ioctl_trace_read},
	{MM_IOC_TRACE_MARK, ioctl_trace_mark},
	{MM_IOC_ENTRY, ioctl_entry},
	{MM_IOC_CLEAR_YOUNG, ioctl_clear_young},
	{MM_IOC_CLEAN, ioctl_clean},
	{MM_IOC_MUTATE, ioctl_mutate},
	{MM_IOC_PLANT, ioctl_plant},
	{MM_IOC_REAP, ioctl_reap},
	{MM_IOC_MIGRATE, ioctl_migrate},
	{MM_IOC_MERGE, ioctl_merge},
	{MM_IOC_COMPACT, ioctl_compact},
	{MM_IOC_SPLIT, ioctl_split},
};

static long dev_mm_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	struct call c = {.owner = f, .mm = container_of(current_thread()->pt, struct mm, pt)};

	return ioctl_dispatch(requests, ARRAY_SIZE(requests), &c, cmd, user);
}

static void dev_mm_release(struct file *f)
{
	mm_debug_release(f);
	if (mutation_owner == f) {
		mutation_owner = NULL;
		WRITE_ONCE(mutation_active, 0);
	}
}

static const struct file_ops dev_mm_ops = {
	.ioctl = dev_mm_ioctl,
	.release = dev_mm_release,
	.no_mmap = true,
};

void dev_mm_init(void)
{
	mm_debug_init(identify);
	dev_register("mm", MM_MAJOR, 0, 0666, &dev_mm_ops);
	if (mutation_active)
		printk("mutation M%u is on: this kernel is wrong on purpose\n", mutation_active);
}
