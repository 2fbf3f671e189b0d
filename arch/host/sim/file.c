/*
 * file.c - files for simulated programs to map: an object, and a disk that can be slow, can fail, and can be looked at.
 *
 * Beside the layers, in the place of kernel/fs.  Lock order: the file's inode lock, ..., page lock, the disk's lock.
 */
#include "arch/host/sim/sched.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/atomic.h"
#include "kernel/lib/err.h"
#include "kernel/lib/string.h"
#include "mm/object/readahead.h"

struct block {
	unsigned long reads, writes;
	char *data; /* NULL: zeros */
};

struct failure {
	unsigned left;
	int err;
};

struct sim_file {
	int refs; /* atomic; 0: dying */
	enum sim_file_kind kind;
	struct vm_object obj;
	struct readahead readahead;
	struct mutex inode_lock;
	struct mutex disk_lock; /* what follows */
	struct block *blocks;
	pgoff_t nr_blocks;
	u64 delay;
	unsigned long requests; /* for several pages, to read them ahead */
	struct failure writes, reads, reservations;
};

static unsigned files; /* atomic */

static struct sim_file *file_of(struct vm_object *obj)
{
	return obj->host;
}

unsigned file_count(void)
{
	return atomic_read(&files);
}

/* -- the disk ------------------------------------------------------------------------------------------------------ */

/* Blocks up to @n. => disk_lock */
static void grow(struct sim_file *f, pgoff_t n)
{
	struct block *more;

	if (n <= f->nr_blocks)
		return;
	more = os_alloc(n * sizeof(*more));
	if (f->blocks)
		memcpy(more, f->blocks, f->nr_blocks * sizeof(*more));
	os_free(f->blocks);
	f->blocks = more;
	f->nr_blocks = n;
}

static struct block *block_of(struct sim_file *f, pgoff_t index)
{
	grow(f, index + 1);
	return &f->blocks[index];
}

/* => disk_lock */
static void forget_blocks(struct sim_file *f, pgoff_t first, pgoff_t last)
{
	for (pgoff_t i = first; i < f->nr_blocks && i <= last; i++) {
		os_free(f->blocks[i].data);
		f->blocks[i].data = NULL;
	}
}

static char *block_data(struct block *b)
{
	if (!b->data)
		b->data = os_alloc(PAGE_SIZE);
	return b->data;
}

static void fill_disk(struct sim_file *f, pgoff_t pages)
{
	for (pgoff_t i = 0; i < pages; i++) {
		u64 *words = (u64 *)block_data(block_of(f, i));

		for (unsigned w = 0; w < PAGE_SIZE / sizeof(u64); w++)
			words[w] = (u64)i << 16 | 0xf11e;
	}
}

/* The error that this attempt meets, or 0. => disk_lock */
static int failure_next(struct failure *x)
{
	if (!x->left)
		return 0;
	x->left--;
	return x->err;
}

/* One page to or from the disk; sleeps as long as it takes. */
static int transfer(struct sim_file *f, pgoff_t index, char *page, bool write)
{
	struct block *b;
	int err;

	if (f->delay)
		sim_sleep(f->delay);
	mutex_lock(&f->disk_lock);
	b = block_of(f, index);
	err = failure_next(write ? &f->writes : &f->reads);
	*(write ? &b->writes : &b->reads) += 1;
	if (!err && write)
		memcpy(block_data(b), page, PAGE_SIZE);
	else if (!err && b->data)
		memcpy(page, b->data, PAGE_SIZE);
	else if (!err)
		memset(page, 0, PAGE_SIZE);
	mutex_unlock(&f->disk_lock);
	return err;
}

/* -- the object ------------------------------------------------------------------------------------------------------ */
static int disk_read_page(struct vm_object *obj, struct page *page)
{
	void *va = page_kmap(page);
	int err = transfer(file_of(obj), page->index, va, false);

	page_kunmap(va);
	if (!err)
		page_set(page, PG_UPTODATE);
	return err;
}

static void count_request(struct sim_file *f)
{
	mutex_lock(&f->disk_lock);
	f->requests++;
	mutex_unlock(&f->disk_lock);
}

static void disk_read_pages(struct vm_object *obj, struct page **pages, unsigned n)
{
	count_request(file_of(obj));
	for (unsigned i = 0; i < n; i++) {
		ASSERT(pages[i]->index == pages[0]->index + i);
		ASSERT(page_test(pages[i], PG_LOCKED) && !page_test(pages[i], PG_UPTODATE));
		(void)disk_read_page(obj, pages[i]);
		page_unlock(pages[i]);
		page_put(pages[i]);
	}
}

static void disk_write_pages(struct vm_object *obj, struct page **pages, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		void *va = page_kmap(pages[i]);
		int err = transfer(file_of(obj), pages[i]->index, va, true);

		page_kunmap(va);
		object_writeback_done(obj, pages[i], err);
	}
}

static int disk_reserve(struct vm_object *obj, struct page *page)
{
	struct sim_file *f = file_of(obj);
	int err;

	mutex_lock(&f->disk_lock);
	err = failure_next(&f->reservations);
	mutex_unlock(&f->disk_lock);
	return err;
}

static bool file_hold(struct vm_object *obj)
{
	return atomic_inc_not_zero(&file_of(obj)->refs);
}

static void file_release(struct vm_object *obj)
{
	sim_file_put(file_of(obj));
}

static const struct object_ops disk_ops = {
	.read_page = disk_read_page,
	.write_pages = disk_write_pages,
	.page_mkwrite = disk_reserve,
	.hold = file_hold,
	.release = file_release,
};

static const struct object_ops batched_ops = {
	.read_page = disk_read_page,
	.read_pages = disk_read_pages,
	.write_pages = disk_write_pages,
	.page_mkwrite = disk_reserve,
	.hold = file_hold,
	.release = file_release,
};

static int zero_read_page(struct vm_object *obj, struct page *page)
{
	page_zero(page);
	page_set(page, PG_UPTODATE);
	return 0;
}

static const struct object_ops tmpfs_ops = {.read_page = zero_read_page, .hold = file_hold, .release = file_release};

/* -- files ----------------------------------------------------------------------------------------------------------- */
struct sim_file *sim_file_create(enum sim_file_kind kind, loff_t size, bool filled)
{
	struct sim_file *f = os_alloc(sizeof(*f));
	bool disk = kind == SIM_FILE_DISK;

	f->refs = 1;
	f->kind = kind;
	object_init(&f->obj, disk ? &disk_ops : &tmpfs_ops, f, disk);
	f->obj.size = size;
	mutex_init(&f->inode_lock, LOCK_INODE);
	mutex_init(&f->disk_lock, LOCK_DEVICE);
	if (disk && filled)
		fill_disk(f, (pgoff_t)((size + (loff_t)PAGE_SIZE - 1) >> PAGE_SHIFT));
	atomic_inc(&files);
	return f;
}

void sim_file_batched(struct sim_file *f)
{
	ASSERT(f->kind == SIM_FILE_DISK);
	f->obj.ops = &batched_ops;
}

void sim_file_get(struct sim_file *f)
{
	atomic_inc(&f->refs);
}

void sim_file_put(struct sim_file *f)
{
	if (!atomic_dec_and_test(&f->refs))
		return;
	object_destroy(&f->obj);
	forget_blocks(f, 0, ~0UL);
	os_free(f->blocks);
	os_free(f);
	atomic_dec(&files);
}

struct vm_object *sim_file_object(struct sim_file *f)
{
	return &f->obj;
}

struct file *sim_file_handle(struct sim_file *f)
{
	return (struct file *)f;
}

/* The rest of the page that holds the end reads as zero, also if the cache had no memory to see to it. => disk_lock */
static void zero_tail(struct sim_file *f, loff_t end)
{
	pgoff_t index = (pgoff_t)(end >> PAGE_SHIFT);
	size_t offset = (size_t)(end & ~PAGE_MASK);

	if (offset && index < f->nr_blocks && f->blocks[index].data)
		memset(f->blocks[index].data + offset, 0, PAGE_SIZE - offset);
}

void sim_file_truncate(struct sim_file *f, loff_t size)
{
	loff_t old;

	mutex_lock(&f->inode_lock);
	old = f->obj.size;
	object_truncate(&f->obj, size);
	mutex_lock(&f->disk_lock);
	zero_tail(f, min(old, size));
	forget_blocks(f, (pgoff_t)((size + (loff_t)PAGE_SIZE - 1) >> PAGE_SHIFT), ~0UL);
	mutex_unlock(&f->disk_lock);
	mutex_unlock(&f->inode_lock);
}

void sim_file_punch(struct sim_file *f, pgoff_t first, pgoff_t last)
{
	mutex_lock(&f->inode_lock);
	object_punch(&f->obj, first, last);
	mutex_lock(&f->disk_lock);
	forget_blocks(f, first, last);
	mutex_unlock(&f->disk_lock);
	mutex_unlock(&f->inode_lock);
}

ssize_t sim_file_write(struct sim_file *f, loff_t pos, const void *from, size_t n)
{
	ssize_t done;

	mutex_lock(&f->inode_lock);
	done = object_write(&f->obj, pos, from, n);
	mutex_unlock(&f->inode_lock);
	return done;
}

ssize_t sim_file_read(struct sim_file *f, loff_t pos, void *to, size_t n)
{
	return object_read(&f->obj, pos, to, n);
}

int sim_file_sync(struct sim_file *f)
{
	return object_fsync(&f->obj, 0, ~0UL, false);
}

/* -- the disk, for tests ------------------------------------------------------------------------------------------------ */
bool sim_disk_read(struct sim_file *f, pgoff_t index, void *page)
{
	bool there;

	mutex_lock(&f->disk_lock);
	there = f->kind == SIM_FILE_DISK && index < f->nr_blocks;
	memset(page, 0, PAGE_SIZE);
	if (there && f->blocks[index].data)
		memcpy(page, f->blocks[index].data, PAGE_SIZE);
	mutex_unlock(&f->disk_lock);
	return there;
}

static unsigned long count_of(struct sim_file *f, pgoff_t index, bool write)
{
	unsigned long n = 0;

	mutex_lock(&f->disk_lock);
	if (index < f->nr_blocks)
		n = write ? f->blocks[index].writes : f->blocks[index].reads;
	mutex_unlock(&f->disk_lock);
	return n;
}

unsigned long sim_disk_writes(struct sim_file *f, pgoff_t index)
{
	return count_of(f, index, true);
}

unsigned long sim_disk_reads(struct sim_file *f, pgoff_t index)
{
	return count_of(f, index, false);
}

unsigned long sim_disk_requests(struct sim_file *f)
{
	unsigned long n;

	mutex_lock(&f->disk_lock);
	n = f->requests;
	mutex_unlock(&f->disk_lock);
	return n;
}

void sim_disk_delay(struct sim_file *f, u64 ns)
{
	f->delay = ns;
}

static void set_failure(struct sim_file *f, struct failure *x, unsigned n, int err)
{
	mutex_lock(&f->disk_lock);
	*x = (struct failure){n, err};
	mutex_unlock(&f->disk_lock);
}

void sim_disk_fail_writes(struct sim_file *f, unsigned n, int err)
{
	set_failure(f, &f->writes, n, err);
}

void sim_disk_fail_reads(struct sim_file *f, unsigned n, int err)
{
	set_failure(f, &f->reads, n, err);
}

void sim_disk_fail_reserve(struct sim_file *f, unsigned n, int err)
{
	set_failure(f, &f->reservations, n, err);
}

/* -- what mm asks of files --------------------------------------------------------------------------------------------------- */
static void ref_get(struct file *file)
{
	sim_file_get((struct sim_file *)file);
}

static void ref_put(struct file *file)
{
	sim_file_put((struct sim_file *)file);
}

static int ref_fsync(struct file *file, pgoff_t first, pgoff_t last)
{
	return object_fsync(&((struct sim_file *)file)->obj, first, last, true);
}

static struct readahead *ref_readahead(struct file *file)
{
	return &((struct sim_file *)file)->readahead;
}

static int ref_punch(struct file *file, pgoff_t first, pgoff_t last)
{
	sim_file_punch((struct sim_file *)file, first, last);
	return 0;
}

static const struct mm_file_ops ops = {
	.get = ref_get, .put = ref_put, .fsync = ref_fsync, .readahead = ref_readahead, .punch = ref_punch};

void file_init(void)
{
	mm_file_ops = &ops;
}
