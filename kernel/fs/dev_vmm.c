/*
 * dev_vmm.c - /dev/vmm: virtual machines in a program's memory.  The ioctls are those of kernel/uapi/vmm.h.
 *
 * Layer 9 (kernel/fs).  An open file is one machine with one processor; client->lock (an unranked mutex) is held while it runs.
 */
#include "kernel/fs/dev_vmm.h"

#include "kernel/dev/vmm.h"
#include "kernel/fs/ioctl.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/sched/thread.h"
#include "mm/phys/slab.h"

#define VMM_MAJOR 243

struct client {
	struct mutex lock;
	struct guest *guest; /* NULL: not created yet */
};

static int do_create(struct client *c, void *argument)
{
	const struct vmm_create *arg = argument;
	struct pgtable *pt = current_thread()->pt;
	struct guest *g;

	if (c->guest)
		return -EBUSY;
	if (arg->addr > ~0UL || arg->size > ~0UL)
		return -EINVAL;
	g = guest_create(container_of(pt, struct mm, pt), (vaddr_t)arg->addr, (unsigned long)arg->size);
	if (IS_ERR(g))
		return (int)PTR_ERR(g);
	c->guest = g;
	return 0;
}

static int do_run(struct client *c, void *argument)
{
	return c->guest ? guest_run(c->guest, argument) : -ENODEV;
}

static int do_stat(struct client *c, void *argument)
{
	if (!c->guest)
		return -ENODEV;
	guest_stat(c->guest, argument);
	return 0;
}

static long alone(struct client *c, void *argument, int (*fn)(struct client *c, void *argument))
{
	int result;

	if (!mutex_trylock(&c->lock))
		return -EBUSY;
	result = fn(c, argument);
	mutex_unlock(&c->lock);
	return result;
}

static long ioctl_create(void *ctx, void *arg)
{
	return alone(ctx, arg, do_create);
}

static long ioctl_run(void *ctx, void *arg)
{
	return alone(ctx, arg, do_run);
}

static long ioctl_stat(void *ctx, void *arg)
{
	return alone(ctx, arg, do_stat);
}

static const struct ioctl_request requests[] = {
	{VMM_IOC_CREATE, ioctl_create},
	{VMM_IOC_RUN, ioctl_run},
	{VMM_IOC_STAT, ioctl_stat},
};

static long dev_vmm_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	return ioctl_dispatch(requests, ARRAY_SIZE(requests), f->private, cmd, user);
}

static int dev_vmm_open(struct inode *inode, struct file *f)
{
	struct client *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return -ENOMEM;
	mutex_init(&c->lock, LOCK_NONE);
	f->private = c;
	return 0;
}

static void dev_vmm_release(struct file *f)
{
	struct client *c = f->private;

	if (c->guest)
		guest_destroy(c->guest);
	kfree(c);
}

static const struct file_ops dev_vmm_ops = {
	.ioctl = dev_vmm_ioctl,
	.open = dev_vmm_open,
	.release = dev_vmm_release,
	.no_mmap = true,
};

void dev_vmm_init(void)
{
	if (vmm_init())
		dev_register("vmm", VMM_MAJOR, 0, 0666, &dev_vmm_ops);
}
