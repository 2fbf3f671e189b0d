/*
 * dev_mirror.c - /dev/mirror: a device that shares the address space of who opened it.  The ioctls are those of
 * kernel/uapi/mirror.h.
 *
 * Layer 9 (kernel/fs).  Lock order: client->lock (an unranked mutex) guards which device the client has, and whether it is
 * at work; it is not held while it works.
 */
#include "kernel/fs/dev_mirror.h"

#include <arch/uaccess.h>
#include "kernel/dev/mirror_device.h"
#include "kernel/fs/ioctl.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/sched/thread.h"
#include "mm/phys/slab.h"

#define MIRROR_MAJOR 242
#define ACK_MAX_US 1000000 /* a program can make others wait so long: in debug builds only */

struct client {
	struct mutex lock;
	struct mirror_device *device;
	unsigned users; /* calls that use it */
};

static struct mm *current_mm(void)
{
	struct pgtable *pt = current_thread()->pt;

	return pt ? container_of(pt, struct mm, pt) : NULL;
}

static struct mirror_device *device_use(struct client *c)
{
	struct mirror_device *d;

	mutex_lock(&c->lock);
	c->users++;
	d = c->device;
	mutex_unlock(&c->lock);
	return d;
}

static void device_unuse(struct client *c)
{
	mutex_lock(&c->lock);
	c->users--;
	mutex_unlock(&c->lock);
}

/* -- whole pages -------------------------------------------------------------------------------------------------- */

/* One page between the device's address @va and the caller's @user. */
static int copy_page(struct mirror_device *d, vaddr_t va, char *user, bool write, u64 *faults)
{
	struct mirror_work *w = mirror_work_alloc();
	int err = 0;

	if (!w)
		return -ENOMEM;
	w->va = va;
	w->count = PAGE_SIZE;
	w->write = write;
	if (write && copy_from_user(w->bytes, user, PAGE_SIZE))
		err = -EFAULT;
	if (!err)
		err = mirror_device_run(d, w);
	if (!err && !write && copy_to_user(user, w->bytes, PAGE_SIZE))
		err = -EFAULT;
	*faults += err == -EINTR ? 0 : w->faults; /* after a kill the device may still be counting */
	mirror_work_put(w);
	return err;
}

static int check_pages(const struct hmm_dmirror_cmd *arg)
{
	if (!IS_ALIGNED(arg->addr, PAGE_SIZE))
		return -EINVAL;
	if (arg->addr >= USER_END || arg->npages > (USER_END - arg->addr) >> PAGE_SHIFT || arg->ptr >= USER_END)
		return -EFAULT;
	return 0;
}

static int copy_pages(struct mirror_device *d, struct hmm_dmirror_cmd *arg, bool write)
{
	int err = check_pages(arg);

	arg->cpages = arg->faults = 0;
	for (; !err && arg->cpages < arg->npages; arg->cpages += !err)
		err = copy_page(d, (vaddr_t)arg->addr + (vaddr_t)arg->cpages * PAGE_SIZE,
		                (char *)(unsigned long)arg->ptr + arg->cpages * PAGE_SIZE, write, &arg->faults);
	return err;
}

static int do_read(struct mirror_device *d, void *arg)
{
	return copy_pages(d, arg, false);
}

static int do_write(struct mirror_device *d, void *arg)
{
	return copy_pages(d, arg, true);
}

static int do_snapshot(struct mirror_device *d, void *argument)
{
	struct hmm_dmirror_cmd *arg = argument;
	int err = check_pages(arg);

	arg->cpages = arg->faults = 0;
	for (; !err && arg->cpages < arg->npages; arg->cpages++) {
		u8 prot = (u8)mirror_device_look(d, (vaddr_t)arg->addr + (vaddr_t)arg->cpages * PAGE_SIZE);

		if (copy_to_user((char *)(unsigned long)arg->ptr + arg->cpages, &prot, 1))
			return -EFAULT;
	}
	return err;
}

/* -- words ----------------------------------------------------------------------------------------------------------- */

static int check_run(const struct mirror_run *arg)
{
	if (arg->flags & ~(u64)MIRROR_RUN_WRITE || arg->count > MIRROR_RUN_MAX || !arg->span || arg->addr % 4 ||
	    arg->stride % 4)
		return -EINVAL;
	if (arg->addr >= USER_END || arg->span > UINT32_MAX || arg->stride > UINT32_MAX || arg->ptr >= USER_END)
		return -EFAULT;
	return arg->stride * (arg->span - 1) >= USER_END - arg->addr ? -EFAULT : 0;
}

static int do_run(struct mirror_device *d, void *argument)
{
	struct mirror_run *arg = argument;
	struct mirror_work *w;
	int err = check_run(arg);

	arg->done = arg->faults = 0;
	w = err ? NULL : mirror_work_alloc();
	if (!w)
		return err ? err : -ENOMEM;
	w->va = (vaddr_t)arg->addr;
	w->stride = (unsigned)arg->stride;
	w->span = (unsigned)arg->span;
	w->count = (unsigned)arg->count;
	w->write = arg->flags & MIRROR_RUN_WRITE;
	w->value = (u32)arg->value;
	err = mirror_device_run(d, w);
	if (err != -EINTR) {
		arg->done = w->done;
		arg->faults = w->faults;
		if (!w->write && copy_to_user((void *)(unsigned long)arg->ptr, w->bytes, w->done * sizeof(u32)))
			err = -EFAULT;
	}
	mirror_work_put(w);
	return err;
}

/* -- the rest ---------------------------------------------------------------------------------------------------------- */

static int do_stat(struct mirror_device *d, void *arg)
{
	mirror_device_stat(d, arg);
	return 0;
}

static int do_young(struct mirror_device *d, void *argument)
{
	struct mirror_young *arg = argument;
	struct pgtable *pt = current_thread()->pt;
	vaddr_t start, end;

	arg->young = 0;
	if (arg->addr >= USER_END || arg->len > USER_END - arg->addr || !arg->len)
		return -EFAULT;
	start = ALIGN_DOWN((vaddr_t)arg->addr, PAGE_SIZE);
	end = ALIGN_UP((vaddr_t)(arg->addr + arg->len), PAGE_SIZE);
	arg->young = arg->clear ? mmu_notify_clear_young(pt, start, end, true) : mmu_notify_test_young(pt, start, end);
	return 0;
}

/* => client->lock */
static int replace_device(struct client *c, const struct mirror_subscribe *arg)
{
	struct mirror_device *d;

	if (c->users)
		return -EBUSY;
	d = mirror_device_create(current_mm(), (vaddr_t)arg->addr, (size_t)arg->len, (unsigned)arg->flags,
	                         arg->ack_us * 1000);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	mirror_device_destroy(c->device);
	c->device = d;
	return 0;
}

static long ioctl_subscribe(void *ctx, void *argument)
{
	const struct mirror_subscribe *arg = argument;
	struct client *c = ctx;
	int err;

	if (arg->flags & ~(u64)MIRROR_ACKNOWLEDGE || arg->ack_us > (DEBUG ? ACK_MAX_US : 0))
		return -EINVAL;
	if (arg->addr > ~0UL || arg->len > ~0UL)
		return -EOVERFLOW;
	mutex_lock(&c->lock);
	err = replace_device(c, arg);
	mutex_unlock(&c->lock);
	return err;
}

/* A call of @fn with the client's device, which stays while it runs. */
static long with_device(void *ctx, void *arg, int (*fn)(struct mirror_device *d, void *argument))
{
	struct client *c = ctx;
	int result = fn(device_use(c), arg);

	device_unuse(c);
	return result;
}

static long ioctl_read(void *ctx, void *arg)
{
	return with_device(ctx, arg, do_read);
}

static long ioctl_write(void *ctx, void *arg)
{
	return with_device(ctx, arg, do_write);
}

static long ioctl_snapshot(void *ctx, void *arg)
{
	return with_device(ctx, arg, do_snapshot);
}

static long ioctl_run(void *ctx, void *arg)
{
	return with_device(ctx, arg, do_run);
}

static long ioctl_stat(void *ctx, void *arg)
{
	return with_device(ctx, arg, do_stat);
}

static long ioctl_young(void *ctx, void *arg)
{
	return with_device(ctx, arg, do_young);
}

static const struct ioctl_request requests[] = {
	{HMM_DMIRROR_READ, ioctl_read},          {HMM_DMIRROR_WRITE, ioctl_write},
	{HMM_DMIRROR_SNAPSHOT, ioctl_snapshot},  {MIRROR_IOC_RUN, ioctl_run},
	{MIRROR_IOC_STAT, ioctl_stat},           {MIRROR_IOC_YOUNG, ioctl_young},
	{MIRROR_IOC_SUBSCRIBE, ioctl_subscribe},
};

static long dev_mirror_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	return ioctl_dispatch(requests, ARRAY_SIZE(requests), f->private, cmd, user);
}

static int dev_mirror_open(struct inode *inode, struct file *f)
{
	struct client *c = kzalloc(sizeof(*c), GFP_KERNEL);
	int err = 0;

	if (!c)
		return -ENOMEM;
	mutex_init(&c->lock, LOCK_NONE);
	c->device = mirror_device_create(current_mm(), 0, USER_END, 0, 0);
	if (IS_ERR(c->device)) {
		err = (int)PTR_ERR(c->device);
		kfree(c);
	} else {
		f->private = c;
	}
	return err;
}

static void dev_mirror_release(struct file *f)
{
	struct client *c = f->private;

	mirror_device_destroy(c->device);
	kfree(c);
}

static const struct file_ops dev_mirror_ops = {
	.ioctl = dev_mirror_ioctl,
	.open = dev_mirror_open,
	.release = dev_mirror_release,
	.no_mmap = true,
};

void dev_mirror_init(void)
{
	dev_register("mirror", MIRROR_MAJOR, 0, 0666, &dev_mirror_ops);
}
