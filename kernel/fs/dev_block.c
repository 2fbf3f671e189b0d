/*
 * dev_block.c - /dev/vda, /dev/ram0 ...: the whole device as a file, for looking at and copying.
 *
 * Layer 9 (kernel/fs).  No cache: every call goes to the device, a page at a time through a bounce page.  So
 * what is read of a mounted device is what has been written back, and writing to one is asking for trouble.
 * Lock order: write_lock (LOCK_DEVICE: read-modify-write of a page), then the device's own.
 */
#include "kernel/fs/dev_block.h"

#include <arch/uaccess.h>
#include "kernel/dev/block.h"
#include "kernel/fs/vfs.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "kernel/uapi/fcntl.h"
#include "kernel/uapi/stat.h"

#define BLOCK_MAJOR 254

/* <linux/fs.h>. The two with a size in them say size_t, whose size differs, but move 64 bits. */
enum {
	BLKROGET = 0x125e,
	BLKGETSIZE = 0x1260,
	BLKFLSBUF = 0x1261,
	BLKSSZGET = 0x1268,
	BLKGETSIZE64_NR = 0x1272,
	IOC_NR_MASK = 0xffff,
};

static struct mutex write_lock;

static loff_t device_size(const struct block_device *dev)
{
	return dev->sectors << SECTOR_SHIFT;
}

/* One page-sized, page-aligned stretch of the device, or what there is of it at its end. */
struct chunk {
	struct block_device *dev;
	struct page *page;
	u64 sector;
	unsigned length;        /* of the stretch */
	unsigned offset, count; /* the caller's part in it */
};

static struct chunk chunk_at(struct block_device *dev, struct page *page, loff_t pos, size_t n)
{
	loff_t start = pos & ~(loff_t)(PAGE_SIZE - 1);
	struct chunk c = {.dev = dev, .page = page, .sector = start >> SECTOR_SHIFT, .offset = pos - start};

	c.length = min(device_size(dev) - start, (loff_t)PAGE_SIZE);
	c.count = min((size_t)(c.length - c.offset), n);
	return c;
}

static int chunk_io(const struct chunk *c, bool write)
{
	return block_rw_sync(c->dev, c->sector, c->page, 0, c->length, write);
}

/* Bytes moved, or an error. */
static ssize_t chunk_read(const struct chunk *c, void *user)
{
	int error = chunk_io(c, false);
	size_t done;

	if (error)
		return error;
	done = c->count - copy_to_user_some(user, page_address(c->page) + c->offset, c->count);
	return done ? (ssize_t)done : -EFAULT;
}

/* What the caller writes goes through @in first: a page fault under write_lock would be out of order. */
static ssize_t chunk_write(const struct chunk *c, const void *user, u8 *in)
{
	int error;

	if (copy_from_user(in, user, c->count))
		return -EFAULT;
	mutex_lock(&write_lock);
	error = c->count < c->length ? chunk_io(c, false) : 0;
	memcpy(page_address(c->page) + c->offset, in, c->count);
	if (!error)
		error = chunk_io(c, true);
	mutex_unlock(&write_lock);
	return error ? error : (ssize_t)c->count;
}

/* Move @n bytes chunk by chunk; a short count once something was moved. */
static ssize_t dev_block_move(struct block_device *dev, void *user, size_t n, loff_t *pos, bool write)
{
	struct page *pages = page_alloc(1, GFP_KERNEL | GFP_ZERO);
	ssize_t result = 0;
	size_t done = 0;

	if (!pages)
		return -ENOMEM;
	while (done < n && *pos < device_size(dev)) {
		struct chunk c = chunk_at(dev, pages, *pos, n - done);

		result = write ? chunk_write(&c, user + done, page_address(pages + 1)) : chunk_read(&c, user + done);
		if (result < 0)
			break;
		done += result;
		*pos += result;
		if ((size_t)result < c.count)
			break;
	}
	page_free(pages, 1);
	return done ? (ssize_t)done : min(result, (ssize_t)0);
}

static ssize_t dev_block_read(struct file *f, void *user, size_t n, loff_t *pos)
{
	if (*pos < 0)
		return -EINVAL;
	return dev_block_move(f->private, user, n, pos, false);
}

static ssize_t dev_block_write(struct file *f, const void *user, size_t n, loff_t *pos)
{
	struct block_device *dev = f->private;

	if (*pos < 0)
		return -EINVAL;
	if (n && *pos >= device_size(dev))
		return -ENOSPC;
	return dev_block_move(dev, (void *)user, n, pos, true);
}

static loff_t dev_block_llseek(struct file *f, loff_t off, int whence)
{
	loff_t size = device_size(f->private), base;

	switch (whence) {
	case SEEK_SET:
		base = 0;
		break;
	case SEEK_CUR:
		base = f->pos;
		break;
	case SEEK_END:
		base = size;
		break;
	default:
		return -EINVAL;
	}
	if (off < -base || off > size - base)
		return -EINVAL;
	f->pos = base + off;
	return f->pos;
}

static long dev_block_ioctl(struct file *f, unsigned cmd, unsigned long user)
{
	struct block_device *dev = f->private;
	u64 bytes = device_size(dev);

	switch (cmd) {
	case BLKROGET:
		return put_user(dev->read_only ? 1 : 0, (int *)user);
	case BLKGETSIZE:
		return put_user((unsigned long)dev->sectors, (unsigned long *)user);
	case BLKSSZGET:
		return put_user((int)SECTOR_SIZE, (int *)user);
	case BLKFLSBUF:
		return block_flush(dev);
	}
	if ((cmd & IOC_NR_MASK) == BLKGETSIZE64_NR && cmd >> 30 == 2)
		return copy_to_user((void *)user, &bytes, sizeof(bytes));
	return -ENOTTY;
}

static int dev_block_fsync(struct file *f, pgoff_t first, pgoff_t last, bool data_only)
{
	return block_flush(f->private);
}

static int dev_block_open(struct inode *inode, struct file *f)
{
	f->private = block_nth(inode->rdev & 0xff);
	return f->private ? 0 : -ENXIO;
}

static const struct file_ops dev_block_ops = {
	.read = dev_block_read,
	.write = dev_block_write,
	.ioctl = dev_block_ioctl,
	.open = dev_block_open,
	.fsync = dev_block_fsync,
	.llseek = dev_block_llseek,
	.no_mmap = true,
};

void dev_block_init(void)
{
	struct block_device *dev;

	mutex_init(&write_lock, LOCK_DEVICE);
	for (unsigned n = 0; (dev = block_nth(n)); n++)
		dev_register(dev->name, BLOCK_MAJOR, dev->minor, S_IFBLK | 0660, &dev_block_ops);
}
