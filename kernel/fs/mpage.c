/*
 * mpage.c - object_ops.read_pages for file systems that can say where a file's bytes are (inode_ops.extent).
 *
 * Layer 9 (kernel/fs).  Interface: vfs_internal.h.  Holds no locks; the pages come locked.
 *
 * Pages that lie whole and one after another on the disk share a request; what is not so simple (the last page of
 * the file, a page in pieces, a hole) is read by read_page, one at a time, in between.
 */
#include "kernel/dev/block.h"
#include "kernel/fs/vfs_internal.h"

static void page_done(struct page *page, int error)
{
	if (!error)
		page_set(page, PG_UPTODATE);
	page_unlock(page);
	page_put(page);
}

/* => interrupt context */
static void read_done(struct bio *bio, int error)
{
	for (unsigned i = 0; i < bio->nr_vec; i++)
		page_done(bio->vec[i].page, error);
	bio_free(bio);
}

static void read_alone(struct vm_object *obj, struct page *page)
{
	(void)obj->ops->read_page(obj, page); /* sets it uptodate; an error is met again by who needs the page */
	page_unlock(page);
	page_put(page);
}

/* The first @n of @pages in as few requests as the device takes. */
static void read_run(struct vm_object *obj, struct page **pages, unsigned n, const struct file_extent *x)
{
	u64 sector = x->sector;

	for (unsigned i = 0; i < n;) {
		struct bio *bio = bio_alloc(GFP_KERNEL);

		if (!bio) {
			read_alone(obj, pages[i++]);
			sector += PAGE_SIZE >> SECTOR_SHIFT;
			continue;
		}
		bio->dev = x->dev;
		bio->sector = sector;
		bio->done = read_done;
		for (; i < n && bio_add(bio, pages[i], 0, PAGE_SIZE); i++)
			sector += PAGE_SIZE >> SECTOR_SHIFT;
		block_submit(bio);
	}
}

/* How many of @pages the file has and lie, with @x, one after another on the disk. 0: the first is a special case. */
static unsigned run_of(struct vm_object *obj, struct page **pages, unsigned n, struct file_extent *x)
{
	struct inode *inode = inode_of(obj);
	loff_t start = (loff_t)pages[0]->index << PAGE_SHIFT;
	loff_t whole = ALIGN_DOWN(READ_ONCE(obj->size), (loff_t)PAGE_SIZE);
	size_t want = (size_t)n << PAGE_SHIFT;

	if (start >= whole)
		return 0;
	want = (size_t)min((loff_t)want, whole - start);
	if (inode->ops->extent(inode, start, want, x) || x->hole)
		return 0;
	return (unsigned)(min(x->bytes, want) >> PAGE_SHIFT);
}

void mpage_read(struct vm_object *obj, struct page **pages, unsigned n)
{
	struct file_extent x;
	unsigned run;

	for (; n; pages += run, n -= run) {
		run = run_of(obj, pages, n, &x);
		if (run)
			read_run(obj, pages, run, &x);
		else
			read_alone(obj, pages[run++]);
	}
}
