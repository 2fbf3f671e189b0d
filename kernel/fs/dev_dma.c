/*
 * dev_dma.c - /dev/dma: pins for kernel threads that store into them (kernel/uapi/dma.h).
 *
 * Layer 9 (kernel/fs).  Interface: dev_dma.h.  Every open file has pins of its own (user_pins.h).
 * Lock order: client->starting (LOCK_TTY: outside of the address space's), then pins->lock.
 *
 * An engine is a user of its pin from START to STOP, so nobody can unpin it meanwhile.
 */
#include "kernel/fs/dev_dma.h"

#include "kernel/dev/dma_engine.h"
#include "kernel/fs/ioctl.h"
#include "kernel/fs/procfs.h"
#include "kernel/fs/user_pins.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/uapi/dma.h"
#include "mm/phys/slab.h"

#define DMA_MAJOR 245

struct client {
	struct user_pins pins;
	struct mutex gup_lock; /* gup */
	struct gup_longterm gup;
};
STATIC_ASSERT(offsetof(struct client, pins) == 0); /* user_pins_pin() and kin are requests of this node */

/* -- engines ------------------------------------------------------------------------------------------------------- */

static bool aligned(const struct user_pin *pin, u64 offset, u64 length)
{
	return IS_ALIGNED(pin->head | offset | length, (u64)sizeof(u64));
}

/* => the caller is a user of @pin, and stays one if this succeeds */
static long start(struct user_pins *pins, struct user_pin *pin, const struct dma_start *arg)
{
	struct dma_job job = {.pages = pin->pages,
	                      .offset = pin->head + arg->offset,
	                      .length = arg->length,
	                      .first = arg->first,
	                      .pause_ns = arg->pause * 1000};
	struct dma_engine *e, *busy;
	long err = user_pin_check(pin, arg->offset, arg->length, true);

	if (err)
		return err;
	if (!aligned(pin, arg->offset, arg->length) || arg->length == 0 || arg->pause > 1000000)
		return -EINVAL;
	e = dma_engine_start(&job);
	if (IS_ERR(e))
		return PTR_ERR(e);
	mutex_lock(&pins->lock);
	busy = pin->engine;
	if (!busy)
		pin->engine = e;
	mutex_unlock(&pins->lock);
	if (busy)
		(void)dma_engine_stop(e);
	return busy ? -EBUSY : 0;
}

static long ioctl_start(void *ctx, void *argument)
{
	struct client *client = ctx;
	const struct dma_start *arg = argument;
	struct user_pin *pin = user_pin_use(&client->pins, arg->id);
	long err;

	if (!pin)
		return -ENOENT;
	err = start(&client->pins, pin, arg);
	if (err)
		user_pin_unuse(&client->pins, pin, false);
	return err;
}

/* The engine of the pin, which is ours to stop from now on; NULL. */
static struct dma_engine *take_engine(struct user_pins *pins, struct user_pin *pin)
{
	struct dma_engine *e;

	mutex_lock(&pins->lock);
	e = pin->engine;
	pin->engine = NULL;
	mutex_unlock(&pins->lock);
	return e;
}

static long ioctl_stop(void *ctx, void *argument)
{
	struct client *client = ctx;
	struct dma_stop *arg = argument;
	struct user_pin *pin = user_pin_use(&client->pins, arg->id);
	struct dma_engine *e = pin ? take_engine(&client->pins, pin) : NULL;

	if (e) {
		u64 first = dma_engine_first(e);

		arg->rounds = dma_engine_stop(e);
		arg->last = first + arg->rounds - 1;
		user_pin_unuse(&client->pins, pin, true);
	}
	if (pin)
		user_pin_unuse(&client->pins, pin, false);
	return e ? 0 : -ENOENT;
}

/* -- single words -------------------------------------------------------------------------------------------------- */

static long word(struct client *client, struct dma_word *arg, bool store)
{
	struct user_pin *pin = user_pin_use(&client->pins, arg->id);
	long err;

	if (!pin)
		return -ENOENT;
	err = user_pin_check(pin, arg->offset, sizeof(arg->value), store);
	if (!err && !aligned(pin, arg->offset, 0))
		err = -EINVAL;
	if (!err && store)
		dma_store(pin->pages, pin->head + arg->offset, arg->value);
	else if (!err)
		arg->value = dma_load(pin->pages, pin->head + arg->offset);
	user_pin_unuse(&client->pins, pin, !err && store);
	return err;
}

static long ioctl_write(void *ctx, void *argument)
{
	return word(ctx, argument, true);
}

static long ioctl_read(void *ctx, void *argument)
{
	return word(ctx, argument, false);
}

/* -- the file ------------------------------------------------------------------------------------------------------- */

static const struct ioctl_request requests[] = {
	{EDU_IOC_PIN, user_pins_pin}, {EDU_IOC_UNPIN, user_pins_unpin}, {EDU_IOC_STAT, user_pins_stat},
	{DMA_IOC_START, ioctl_start}, {DMA_IOC_STOP, ioctl_stop},       {DMA_IOC_WRITE, ioctl_write},
	{DMA_IOC_READ, ioctl_read},
};

static long dev_dma_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	struct client *client = f->private;
	long result = ioctl_dispatch(requests, ARRAY_SIZE(requests), client, cmd, user);

	if (result != -ENOTTY)
		return result;
	mutex_lock(&client->gup_lock);
	result = gup_test_ioctl(&client->gup, cmd, user);
	mutex_unlock(&client->gup_lock);
	return result;
}

static int dev_dma_open(struct inode *inode, struct file *f)
{
	struct client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return -ENOMEM;
	user_pins_init(&client->pins);
	mutex_init(&client->gup_lock, LOCK_TTY);
	f->private = client;
	return 0;
}

static void dev_dma_release(struct file *f)
{
	struct client *client = f->private;
	struct user_pin *pin;

	list_for_each_entry(pin, &client->pins.pins, link) {
		if (pin->engine)
			(void)dma_engine_stop(pin->engine);
		pin->stored |= pin->engine != NULL;
	}
	user_pins_release(&client->pins);
	gup_longterm_stop(&client->gup);
	kfree(client);
}

static const struct file_ops dev_dma_ops = {
	.ioctl = dev_dma_ioctl,
	.open = dev_dma_open,
	.release = dev_dma_release,
	.no_mmap = true,
};

void dev_dma_init(void)
{
	dev_register("dma", DMA_MAJOR, 0, 0666, &dev_dma_ops);
	sysfs_register_node("kernel/debug/gup_test",
	                    &dev_dma_ops); /* where programs written for Linux look for its requests */
}
