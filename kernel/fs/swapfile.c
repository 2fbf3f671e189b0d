/*
 * swapfile.c - swapon(2), swapoff(2), /proc/swaps: swap areas on block devices and in files.
 *
 * Layer 9 (kernel/fs).  Interface: swapfile.h.
 * Lock order: swap_files_lock, inode lock, then as any I/O.  It is not held while swapoff brings pages back.
 *
 * What mkswap(8) writes (format "SWAPSPACE2"), all in the first page, which is slot 0:
 *
 *   0     boot block       1024  version (1), last page, number of bad pages; uuid, label
 *   1536  bad pages        4086  "SWAPSPACE2"
 *
 * Of a file only the places of its blocks are asked, once: from then on pages move past the file system, and nobody may
 * change the file (-ETXTBSY) or its name (-EPERM).  A page whose blocks are not in one piece is not used.
 */
#include "kernel/fs/swapfile.h"

#include "kernel/dev/block.h"
#include "kernel/fs/procfs.h"
#include "kernel/fs/vfs_internal.h"
#include "kernel/uapi/stat.h"
#include "mm/object/swap.h"
#include "mm/service/swapoff.h"

#define SECTORS_PER_PAGE (PAGE_SIZE >> SECTOR_SHIFT)

enum {
	SWAP_FLAG_PREFER = 0x8000,
	SWAP_FLAG_PRIO_MASK = 0x7fff,
	SWAP_FLAG_DISCARD = 0x10000, /* and 0x20000, 0x40000: freed slots are not told to the device, as on one that
	                              * cannot discard */
	SWAP_FLAGS_VALID = SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK | 0x70000,
};

/* -- the header ---------------------------------------------------------------------------------------------------- */

#define MAGIC "SWAPSPACE2"
#define MAGIC_AT (PAGE_SIZE - 10)
#define BAD_AT 1536
#define BAD_MAX ((MAGIC_AT - BAD_AT) / 4)

struct header {
	u32 version, last_page, nr_bad;
};

/* -- areas in use ---------------------------------------------------------------------------------------------------- */

/* Consecutive slots in consecutive sectors. */
struct stretch {
	unsigned long slot, count;
	u64 sector;
};

struct swap_file {
	struct dentry *dentry; /* referenced */
	struct inode *inode;   /* dentry's */
	struct block_device *dev;
	struct stretch *stretch; /* by slot */
	unsigned long nr_stretches;
	u32 *bad; /* while it is set up */
	unsigned nr_bad;
	unsigned long pages;
	bool leaving; /* swapoff is at work */
};

static struct swap_file *swap_files[SWAP_AREAS];
static struct mutex swap_files_lock = MUTEX_INIT(swap_files_lock, LOCK_SWAP_FILES);

/* -- pages to and from the device -------------------------------------------------------------------------------------- */

typedef void io_done_t(struct page *page, int error);

static void finish(struct bio *bio, int error, io_done_t *done)
{
	for (unsigned i = 0; i < bio->nr_vec; i++)
		done(bio->vec[i].page, error);
	bio_free(bio);
}

static void read_done(struct bio *bio, int error)
{
	finish(bio, error, swap_read_done);
}

static void write_done(struct bio *bio, int error)
{
	finish(bio, error, swap_write_done);
}

/* The stretch that holds @slot. */
static const struct stretch *find_stretch(const struct swap_file *f, unsigned long slot)
{
	unsigned long low = 0, high = f->nr_stretches;

	while (high - low > 1) {
		unsigned long middle = (low + high) / 2;

		if (f->stretch[middle].slot <= slot)
			low = middle;
		else
			high = middle;
	}
	return &f->stretch[low];
}

/* Start moving as many of @n pages as one request takes; how many. No memory for a request is an I/O error: to wait for some
 * would be to wait for oneself, for this is how memory is made. */
static unsigned start_one(const struct swap_file *f, unsigned long slot, struct page **pages, unsigned n, bool write)
{
	const struct stretch *s = find_stretch(f, slot);
	struct bio *bio = bio_alloc(GFP_ATOMIC);
	unsigned i = 0;

	if (!bio) {
		(write ? swap_write_done : swap_read_done)(pages[0], -ENOMEM);
		return 1;
	}
	ASSERT(slot >= s->slot && slot < s->slot + s->count);
	n = (unsigned)min((unsigned long)n, s->slot + s->count - slot);
	bio->dev = f->dev;
	bio->sector = s->sector + (u64)(slot - s->slot) * SECTORS_PER_PAGE;
	bio->write = write;
	bio->done = write ? write_done : read_done;
	while (i < n && bio_add(bio, pages[i], 0, PAGE_SIZE))
		i++;
	block_submit(bio);
	return i;
}

static void start_all(const struct swap_file *f, unsigned long slot, struct page **pages, unsigned n, bool write)
{
	while (n) {
		unsigned done = start_one(f, slot, pages, n, write);

		slot += done;
		pages += done;
		n -= done;
	}
}

static void area_read(void *host, unsigned long slot, struct page **pages, unsigned n)
{
	start_all(host, slot, pages, n, false);
}

static void area_write(void *host, unsigned long slot, struct page **pages, unsigned n)
{
	start_all(host, slot, pages, n, true);
}

static const struct swap_ops area_ops = {.read = area_read, .write = area_write};

/* -- where the slots are ------------------------------------------------------------------------------------------------ */

/* One more page at @sector; room for it was made. */
static void add_page(struct swap_file *f, unsigned long slot, u64 sector)
{
	struct stretch *last = f->nr_stretches ? &f->stretch[f->nr_stretches - 1] : NULL;

	if (last && last->slot + last->count == slot && last->sector + (u64)last->count * SECTORS_PER_PAGE == sector)
		last->count++;
	else
		f->stretch[f->nr_stretches++] = (struct stretch){.slot = slot, .count = 1, .sector = sector};
}

/* Page @slot of the file: 0; 1: not in one piece; -EINVAL: a hole; -EIO. => inode lock */
static int locate_page(struct swap_file *f, unsigned long slot, u64 *sector)
{
	struct file_extent x;
	int err = f->inode->ops->extent(f->inode, (loff_t)slot << PAGE_SHIFT, PAGE_SIZE, &x);

	if (err)
		return err;
	if (x.hole)
		return -EINVAL;
	f->dev = x.dev;
	*sector = x.sector;
	return x.bytes < PAGE_SIZE;
}

/* => inode lock */
static int locate_all(struct swap_file *f)
{
	u64 sector = 0;

	for (unsigned long slot = 0; slot < f->pages; slot++) {
		int broken = locate_page(f, slot, &sector);

		if (broken < 0)
			return broken;
		if (!broken)
			add_page(f, slot, sector);
		else if (slot)
			f->bad[f->nr_bad++] = (u32)slot;
	}
	return 0;
}

/* The file's blocks; nobody may move them from here on. */
static int map_file(struct swap_file *f)
{
	struct inode *inode = f->inode;
	int err = object_writeback(&inode->obj, 0, ~0UL, true);

	if (err)
		return err;
	f->stretch = kmalloc(f->pages * sizeof(*f->stretch), GFP_KERNEL);
	f->bad = kmalloc(f->pages * sizeof(*f->bad), GFP_KERNEL);
	if (!f->stretch || !f->bad)
		return -ENOMEM;
	rwsem_write_lock(&inode->lock);
	err = inode->swap ? -EBUSY : locate_all(f);
	if (!err)
		inode->swap = true;
	rwsem_write_unlock(&inode->lock);
	return err;
}

static int map_device(struct swap_file *f)
{
	f->stretch = kmalloc(sizeof(*f->stretch), GFP_KERNEL);
	if (!f->stretch)
		return -ENOMEM;
	f->stretch[0] = (struct stretch){.count = f->pages};
	f->nr_stretches = 1;
	return 0;
}

/* -- reading the header -------------------------------------------------------------------------------------------------- */

static u32 word_at(const char *page, unsigned at)
{
	u32 v;

	memcpy(&v, page + at, sizeof(v));
	return v;
}

/* What the header says, checked against the size: 0 or -EINVAL. */
static int parse_header(struct swap_file *f, const char *page, u64 available)
{
	struct header h = {word_at(page, 1024), word_at(page, 1028), word_at(page, 1032)};

	if (memcmp(page + MAGIC_AT, MAGIC, sizeof(MAGIC) - 1))
		return -EINVAL;
	if (h.version != 1 || !h.last_page || h.last_page >= available || h.nr_bad > BAD_MAX)
		return -EINVAL;
	if (h.nr_bad && S_ISREG(f->inode->mode))
		return -EINVAL;
	f->pages = (unsigned long)min((u64)h.last_page, SWAP_SLOT_MAX) + 1; /* what entries cannot say is left unused */
	f->nr_bad = 0;
	if (!h.nr_bad)
		return 0;
	f->bad = kmalloc(h.nr_bad * sizeof(*f->bad), GFP_KERNEL);
	if (!f->bad)
		return -ENOMEM;
	for (unsigned i = 0; i < h.nr_bad; i++) {
		u32 slot = word_at(page, BAD_AT + 4 * i);

		if (slot == 0 || slot > h.last_page)
			return -EINVAL;
		if (slot < f->pages)
			f->bad[f->nr_bad++] = slot;
	}
	return 0;
}

/* The first page, wherever it is; @available: how many there are. */
static int read_first(struct swap_file *f, struct page *page, u64 *available)
{
	ssize_t got;

	if (f->dev) {
		*available = f->dev->sectors / SECTORS_PER_PAGE;
		return *available ? block_rw_sync(f->dev, 0, page, 0, PAGE_SIZE, false) : -EINVAL;
	}
	*available = (u64)f->inode->obj.size >> PAGE_SHIFT;
	got = object_read(&f->inode->obj, 0, page_address(page), PAGE_SIZE);
	return got < 0 ? (int)got : got == PAGE_SIZE ? 0 : -EINVAL;
}

static int read_header(struct swap_file *f)
{
	struct page *page = page_alloc(0, GFP_KERNEL);
	u64 available = 0;
	int err;

	if (!page)
		return -ENOMEM;
	err = read_first(f, page, &available);
	if (!err)
		err = parse_header(f, page_address(page), available);
	page_put(page);
	return err;
}

/* -- swapon ---------------------------------------------------------------------------------------------------------------- */

static void file_free(struct swap_file *f)
{
	kfree(f->stretch);
	kfree(f->bad);
	dentry_put(f->dentry);
	kfree(f);
}

/* Another area on the same device or in the same file? => swap_files_lock */
static struct swap_file *find_file(const struct inode *inode, unsigned *type)
{
	for (*type = 0; *type < SWAP_AREAS; ++*type) {
		struct swap_file *f = swap_files[*type];

		if (f &&
		    (f->inode == inode || (S_ISBLK(inode->mode) && S_ISBLK(f->inode->mode) && f->inode->rdev == inode->rdev)))
			return f;
	}
	return NULL;
}

/* Is this something to swap to? Finds the device of one. 0, -EINVAL, -EISDIR, -ENXIO, -EACCES, -EROFS, -EBUSY. */
static int judge(struct swap_file *f)
{
	const struct inode *inode = f->inode;

	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (S_ISREG(inode->mode)) {
		if (inode->super->read_only)
			return -EROFS;
		return inode->ops && inode->ops->extent ? 0 : -EINVAL;
	}
	if (!S_ISBLK(inode->mode))
		return -EINVAL;
	f->dev = block_nth(inode->rdev & 0xff);
	if (!f->dev)
		return -ENXIO;
	if (f->dev->read_only)
		return -EACCES;
	return device_is_mounted(f->dev->name) ? -EBUSY : 0;
}

/* => judged; swap_files_lock */
static int start_file(struct swap_file *f, unsigned flags)
{
	struct swap_setup setup = {.ops = &area_ops, .host = f};
	unsigned other;
	int err, type;

	if (find_file(f->inode, &other))
		return -EBUSY;
	err = read_header(f);
	if (!err)
		err = f->dev ? map_device(f) : map_file(f);
	if (err)
		return err;
	setup.pages = f->pages;
	setup.bad = f->bad;
	setup.nr_bad = f->nr_bad;
	setup.prio = flags & SWAP_FLAG_PREFER ? (int)(flags & SWAP_FLAG_PRIO_MASK) : SWAP_PRIO_DEFAULT;
	type = swap_area_start(&setup);
	if (type < 0) {
		f->inode->swap = false;
		return type;
	}
	swap_files[type] = f;
	return 0;
}

int swapfile_on(struct dentry *dentry, unsigned flags)
{
	struct swap_file *f;
	int err;

	if (flags & ~(unsigned)SWAP_FLAGS_VALID)
		return -EINVAL;
	f = kzalloc(sizeof(*f), GFP_KERNEL);
	if (!f)
		return -ENOMEM;
	dentry_get(dentry);
	f->dentry = dentry;
	f->inode = dentry->inode;
	err = judge(f);
	if (!err) {
		mutex_lock(&swap_files_lock);
		err = start_file(f, flags);
		mutex_unlock(&swap_files_lock);
	}
	if (err)
		file_free(f);
	return err;
}

/* -- swapoff ----------------------------------------------------------------------------------------------------------------- */

int swapfile_off(struct dentry *dentry)
{
	struct swap_file *f;
	unsigned type;
	int err;

	mutex_lock(&swap_files_lock);
	f = find_file(dentry->inode, &type);
	if (f && f->leaving)
		f = NULL;
	if (f)
		f->leaving = true;
	mutex_unlock(&swap_files_lock);
	if (!f)
		return -EINVAL;
	err = swap_off(type);
	mutex_lock(&swap_files_lock);
	f->leaving = false;
	if (!err)
		swap_files[type] = NULL;
	mutex_unlock(&swap_files_lock);
	if (err)
		return err;
	f->inode->swap = false;
	file_free(f);
	return 0;
}

bool swapfile_uses(const char *device)
{
	const struct block_device *dev = block_find(device);
	bool used = false;

	mutex_lock(&swap_files_lock);
	for (unsigned type = 0; dev && type < SWAP_AREAS; type++)
		used |= swap_files[type] && S_ISBLK(swap_files[type]->inode->mode) && swap_files[type]->dev == dev;
	mutex_unlock(&swap_files_lock);
	return used;
}

void swapfile_shutdown(void)
{
	for (unsigned type = 0; type < SWAP_AREAS; type++)
		if (swap_files[type])
			(void)swapfile_off(swap_files[type]->dentry);
}

/* -- /proc/swaps --------------------------------------------------------------------------------------------------------------- */

static void show_file(struct proc_buf *b, const struct swap_file *f, const struct swap_area_stat *st, char *path)
{
	unsigned long size = st->pages * (PAGE_SIZE / 1024), used = st->used * (PAGE_SIZE / 1024);
	ssize_t n = dentry_path(f->dentry, path, PATH_MAX);
	int pad = n >= 0 && n < 40 ? 40 - (int)n : 1;

	proc_write(b, path, n > 0 ? (size_t)n : 0);
	proc_printf(b, "%*s%s\t%lu\t%s%lu\t%s%d\n", pad, " ", S_ISBLK(f->inode->mode) ? "partition" : "file\t", size,
	            size < 10000000 ? "\t" : "", used, used < 10000000 ? "\t" : "", st->prio);
}

static int swaps_show(struct proc_buf *b)
{
	char *path = kmalloc(PATH_MAX, GFP_KERNEL);
	struct swap_area_stat st;

	if (!path)
		return -ENOMEM;
	proc_printf(b, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	mutex_lock(&swap_files_lock);
	for (unsigned type = 0; type < SWAP_AREAS; type++)
		if (swap_files[type] && swap_area_stat(type, &st))
			show_file(b, swap_files[type], &st, path);
	mutex_unlock(&swap_files_lock);
	kfree(path);
	return 0;
}

void swapfile_init(void)
{
	proc_register("swaps", swaps_show);
}
