/*
 * ramdisk.c - a block device in memory: the boot module, an image that the boot loader put into RAM.
 *
 * Layer 9 (kernel/dev).  Requests complete inside submit().  Two requests for the same sector at once give
 * a mixture, as on any disk; so no lock.
 */
#include "kernel/dev/ramdisk.h"

#include <arch/phys.h>
#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/printk.h"
#include "kernel/lib/string.h"
#include "mm/phys/slab.h"

struct ramdisk {
	struct block_device block;
	paddr_t start; /* of the module, any alignment */
};

/* Copy @n bytes between disk position @at and @memory, a page of the disk at a time. */
static void transfer(struct ramdisk *disk, u64 at, u8 *memory, size_t n, bool write)
{
	while (n) {
		paddr_t pa = disk->start + at;
		size_t offset = pa & (PAGE_SIZE - 1);
		size_t now = min(n, PAGE_SIZE - offset);
		u8 *va = arch_kmap(pa >> PAGE_SHIFT);

		if (write)
			memcpy(va + offset, memory, now);
		else
			memcpy(memory, va + offset, now);
		arch_kunmap(va);
		at += now;
		memory += now;
		n -= now;
	}
}

static void ramdisk_submit(struct block_device *dev, struct bio *bio)
{
	struct ramdisk *disk = dev->private;
	u64 at = bio->sector << SECTOR_SHIFT;

	for (unsigned i = 0; i < bio->nr_vec; i++) {
		const struct bio_vec *v = &bio->vec[i];
		u8 *va = page_kmap(v->page);

		transfer(disk, at, va + v->offset, v->length, bio->write);
		page_kunmap(va);
		at += v->length;
	}
	bio_complete(bio, 0);
}

static const struct block_ops ramdisk_ops = {.submit = ramdisk_submit};

static struct ramdisk *ramdisk_alloc(const char *name, u64 sectors)
{
	struct ramdisk *disk = kzalloc(sizeof(*disk), GFP_KERNEL);

	if (!disk)
		return NULL;
	strlcpy(disk->block.name, name, sizeof(disk->block.name));
	disk->block.sectors = sectors;
	disk->block.max_segments = BIO_VECS_MAX;
	disk->block.ops = &ramdisk_ops;
	disk->block.private = disk;
	return disk;
}

void ramdisk_init(void)
{
	u64 bytes = boot_info.module.end - boot_info.module.start;
	struct ramdisk *disk;

	if (bytes < SECTOR_SIZE)
		return;
	disk = ramdisk_alloc("ram0", bytes >> SECTOR_SHIFT);
	if (!disk) {
		printk("ram0: no memory\n");
		return;
	}
	disk->start = boot_info.module.start;
	block_register(&disk->block);
}
