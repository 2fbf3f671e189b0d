/*
 * dev_mm.c - /dev/mm: the instruments of the concurrency harness, for ring 3.  The ioctls are those of
 * kernel/uapi/mm_debug.h.
 *
 * Layer 9 (kernel/fs).  Debug builds only: a release build does not compile this file.  No locks of its own: each
 * instrument has one.
 */
#include "kernel/fs/dev_mm.h"

#include <arch/uaccess.h>

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
	void *arg;
};

static void identify(struct debug_who *who)
{
	const struct thread *t = current_thread();

	who->tid = t ? t->tid : 0;
	who->pt = t ? t->pt : NULL;
}

static long ioctl_audit(const struct call *c)
{
	const struct mm_audit *arg = c->arg;

	if (arg->flags & ~(u64)(MM_AUDIT_SILENT | MM_AUDIT_LEAKS))
		return -EINVAL;
	mm_audit(c->arg);
	return 0;
}

static long ioctl_sync_arm(const struct call *c)
{
	return sync_point_arm(c->owner, c->arg);
}

static long ioctl_sync_wait(const struct call *c)
{
	return sync_point_wait(c->arg);
}

static long ioctl_sync_release(const struct call *c)
{
	return sync_point_release(c->arg);
}

static long ioctl_fail_arm(const struct call *c)
{
	return failpoint_arm(c->owner, c->arg);
}

static long ioctl_fail_hits(const struct call *c)
{
	return failpoint_hits(c->arg);
}

static long ioctl_trace_control(const struct call *c)
{
	return trace_control(c->owner, c->arg);
}

static long ioctl_trace_read(const struct call *c)
{
	return trace_read(c->arg);
}

static long ioctl_trace_mark(const struct call *c)
{
	trace_mark(c->arg);
	return 0;
}

static long ioctl_entry(const struct call *c)
{
	return debug_entry(c->mm, c->arg);
}

static long ioctl_clear_young(const struct call *c)
{
	return debug_clear_young(c->mm, c->arg);
}

static long ioctl_clean(const struct call *c)
{
	return debug_clean(c->mm, c->arg);
}

static long ioctl_reap(const struct call *c)
{
	return debug_reap(c->mm, c->arg);
}

static const void *mutation_owner; /* the last file that switched one on; a test's affair, so no lock */

static long ioctl_mutate(const struct call *c)
{
	struct mm_mutate *arg = c->arg;

	if (arg->n > MM_MUTATION_MAX)
		return -EINVAL;
	arg->old = mutation_active;
	mutation_owner = arg->n ? c->owner : NULL;
	WRITE_ONCE(mutation_active, (unsigned)arg->n);
	return 0;
}

static long ioctl_plant(const struct call *c)
{
	return plant_set(c->owner, c->mm, c->arg);
}

static const struct {
	u32 cmd;
	long (*fn)(const struct call *c);
} requests[] = {
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
};

static long dev_mm_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	u64 argument[32];
	struct call c = {.owner = f, .arg = argument};
	size_t size = cmd >> 16 & 0x3fff;
	struct pgtable *pt = current_thread()->pt;

	c.mm = container_of(pt, struct mm, pt);
	for (unsigned i = 0; i < ARRAY_SIZE(requests); i++) {
		long result;

		if (requests[i].cmd != cmd || size > sizeof(argument))
			continue;
		if (copy_from_user(argument, (const void *)user, size))
			return -EFAULT;
		result = requests[i].fn(&c);
		if (copy_to_user((void *)user, argument, size))
			return -EFAULT;
		return result;
	}
	return -ENOTTY;
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
