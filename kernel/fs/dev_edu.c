/*
 * dev_edu.c - /dev/edu: user memory for a real DMA device, pinned, or through an IOMMU.  The ioctls are those of kernel/uapi/edu.h.
 *
 * Layer 9 (kernel/fs).  Every open file has pins of its own (user_pins.h).
 */
#include "kernel/fs/dev_edu.h"

#include "kernel/dev/edu.h"
#include "kernel/fs/ioctl.h"
#include "kernel/fs/user_pins.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/sched/thread.h"
#include "mm/phys/slab.h"

#define EDU_MAJOR 240

struct client {
	struct user_pins pins;
	struct iommu_domain *domain; /* from the first transfer without a pin on; atomic, stays */
};
STATIC_ASSERT(offsetof(struct client, pins) == 0); /* user_pins_pin() and kin are requests of this node */

/* -- transfers -------------------------------------------------------------------------------------------------- */

static int check_transfer(const struct user_pin *pin, const struct edu_dma *arg, bool to_device)
{
	if (arg->buffer_offset > EDU_BUFFER_SIZE || arg->length > EDU_BUFFER_SIZE - arg->buffer_offset)
		return -EINVAL;
	return user_pin_check(pin, arg->offset, arg->length, !to_device);
}

/* Page by page; arg->done says how far it came. */
static int run_transfer(struct user_pin *pin, struct edu_dma *arg, bool to_device)
{
	while (arg->done < arg->length) {
		u64 at = pin->head + arg->offset + arg->done;
		unsigned offset = at & (PAGE_SIZE - 1);
		unsigned n = min(arg->length - arg->done, (u64)(PAGE_SIZE - offset));
		int error = edu_dma(pin->pages[at >> PAGE_SHIFT], offset, arg->buffer_offset + arg->done, n, to_device);

		if (error)
			return error;
		arg->done += n;
	}
	return 0;
}

static long transfer(struct client *client, struct edu_dma *arg, bool to_device)
{
	struct user_pin *pin = user_pin_use(&client->pins, arg->id);
	int error;

	if (!pin)
		return -ENOENT;
	arg->done = 0;
	error = check_transfer(pin, arg, to_device);
	if (!error)
		error = run_transfer(pin, arg, to_device);
	user_pin_unuse(&client->pins, pin, !to_device && arg->done > 0);
	return error;
}

static long ioctl_to_device(void *ctx, void *argument)
{
	struct client *client = ctx;

	return transfer(client, argument, true);
}

static long ioctl_from_device(void *ctx, void *argument)
{
	struct client *client = ctx;

	return transfer(client, argument, false);
}

/* -- transfers without a pin ------------------------------------------------------------------------------------- */

/* The client's domain; ERR_PTR(-EOPNOTSUPP, -EPERM: of another process, ...). */
static struct iommu_domain *domain_get(struct client *client)
{
	struct iommu_domain *d = __atomic_load_n(&client->domain, __ATOMIC_ACQUIRE), *seen = NULL;

	if (!edu_has_iommu())
		return ERR_PTR(-EOPNOTSUPP);
	if (!d) {
		d = iommu_domain_create(user_pins_mm());
		if (IS_ERR(d))
			return d;
		if (!__atomic_compare_exchange_n(&client->domain, &seen, d, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			iommu_domain_destroy(d); /* another thread was faster */
			d = seen;
		}
	}
	return iommu_domain_is_of(d, user_pins_mm()) ? d : ERR_PTR(-EPERM);
}

static long ioctl_dma_user(void *ctx, void *argument)
{
	struct edu_user_dma *arg = argument;
	struct iommu_domain *d = domain_get(ctx);
	unsigned faults = 0;
	int error;

	arg->faults = 0;
	if (IS_ERR(d))
		return PTR_ERR(d);
	if (arg->length > EDU_BUFFER_SIZE || arg->buffer_offset > EDU_BUFFER_SIZE)
		return -EINVAL;
	if (arg->addr >= USER_END || arg->length > USER_END - arg->addr)
		return -EFAULT;
	error = edu_dma_user(d, (vaddr_t)arg->addr, (unsigned)arg->buffer_offset, (unsigned)arg->length,
	                     arg->to_device != 0, &faults);
	arg->faults = faults;
	return error;
}

/* -- the rest --------------------------------------------------------------------------------------------------- */

static long ioctl_ident(void *ctx, void *argument)
{
	edu_ident(argument);
	return 0;
}

static long ioctl_totals(void *ctx, void *argument)
{
	edu_totals(argument);
	return 0;
}

static long ioctl_factorial(void *ctx, void *argument)
{
	struct edu_factorial *arg = argument;
	u32 result = 0;
	int error;

	if (arg->n > UINT32_MAX)
		return -EINVAL;
	error = edu_factorial((u32)arg->n, &result);
	arg->result = result;
	return error;
}

/* -- the file --------------------------------------------------------------------------------------------------- */

static const struct ioctl_request requests[] = {
	{EDU_IOC_IDENT, ioctl_ident},
	{EDU_IOC_FACTORIAL, ioctl_factorial},
	{EDU_IOC_PIN, user_pins_pin},
	{EDU_IOC_UNPIN, user_pins_unpin},
	{EDU_IOC_DMA_TO_DEVICE, ioctl_to_device},
	{EDU_IOC_DMA_FROM_DEVICE, ioctl_from_device},
	{EDU_IOC_STAT, user_pins_stat},
	{EDU_IOC_TOTALS, ioctl_totals},
	{EDU_IOC_DMA_USER, ioctl_dma_user},
};

static long dev_edu_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	/* A pin that the caller was not told of goes at close. */
	return ioctl_dispatch(requests, ARRAY_SIZE(requests), f->private, cmd, user);
}

static int dev_edu_open(struct inode *inode, struct file *f)
{
	struct client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return -ENOMEM;
	user_pins_init(&client->pins);
	f->private = client;
	return 0;
}

static void dev_edu_release(struct file *f)
{
	struct client *client = f->private;

	user_pins_release(&client->pins);
	if (client->domain) {
		edu_forget(client->domain);
		iommu_domain_destroy(client->domain);
	}
	kfree(client);
}

static const struct file_ops dev_edu_ops = {
	.ioctl = dev_edu_ioctl,
	.open = dev_edu_open,
	.release = dev_edu_release,
	.no_mmap = true,
};

void dev_edu_init(void)
{
	if (edu_init())
		dev_register("edu", EDU_MAJOR, 0, 0666, &dev_edu_ops);
}
