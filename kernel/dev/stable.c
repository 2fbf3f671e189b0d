/*
 * stable.c - stable pages: bounce copies of pinned ones, and the oracle that checks them all.
 *
 * Layer 9 (kernel/dev).  Interface: stable.h.  No locks.
 *
 * Writeback keeps programs away from a page under I/O: mkclean took their entries' write permission, and the next
 * store waits.  A device with a write pin knows nothing of that.  So a pinned page is copied, and the copy is
 * written.  A pin that comes later needs a writable entry first, and waits for the end of the writeback there.
 *
 * The oracle (debug builds): a checksum of every write's data when it is handed over and when it has ended.
 */
#include "kernel/dev/stable.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errno.h"
#include "kernel/lib/mutation.h"
#include "kernel/lib/printk.h"

static bool may_change(const struct page *page)
{
	/* M101: pinned pages are written as they are */
	return page_write_pinned(page) && !MUTATION(101);
}

static void drop_copies(struct bio *bio)
{
	for (unsigned i = 0; bio->copied; i++, bio->copied >>= 1)
		if (bio->copied & 1)
			page_put(bio->vec[i].page);
}

static int copy_unstable(struct bio *bio)
{
	STATIC_ASSERT(BIO_VECS_MAX <= 64);
	for (unsigned i = 0; i < bio->nr_vec; i++) {
		struct page *copy;

		if (!may_change(bio->vec[i].page))
			continue;
		copy = page_alloc(0, GFP_HIGH);
		if (!copy) {
			drop_copies(bio);
			return -ENOMEM;
		}
		page_copy(copy, bio->vec[i].page);
		bio->vec[i].page = copy;
		bio->copied |= 1ull << i;
		__atomic_fetch_add(&bio->dev->stat.copied, 1, __ATOMIC_RELAXED);
	}
	return 0;
}

/* -- the oracle ------------------------------------------------------------------------------------------------- */

static u32 sum_bytes(u32 sum, const struct bio_vec *v)
{
	char *va = page_kmap(v->page);
	const u32 *p = (const u32 *)(va + v->offset);

	for (unsigned i = 0; i < v->length / sizeof(*p); i++)
		sum = (sum ^ READ_ONCE(p[i])) * 0x01000193u;
	page_kunmap(va);
	return sum;
}

static u32 checksum(const struct bio *bio)
{
	u32 sum = 0x811c9dc5u;

	for (unsigned i = 0; i < bio->nr_vec; i++)
		sum = sum_bytes(sum, &bio->vec[i]);
	return sum;
}

static void check(const struct bio *bio)
{
	struct block_stat *st = &bio->dev->stat;

	__atomic_fetch_add(&st->checked, 1, __ATOMIC_RELAXED);
	if (checksum(bio) == bio->sum)
		return;
	__atomic_fetch_add(&st->mismatches, 1, __ATOMIC_RELAXED);
	printk("%s: the data of a write to sector %llu changed under the device\n", bio->dev->name,
	       (unsigned long long)bio->sector);
}

/* -- both ------------------------------------------------------------------------------------------------------- */

static bool concerns(const struct bio *bio)
{
	return bio->write && !bio->flush && !bio->moving;
}

int stable_begin(struct bio *bio)
{
	int err = concerns(bio) ? copy_unstable(bio) : 0;

	if (DEBUG && !err && concerns(bio))
		bio->sum = checksum(bio);
	return err;
}

void stable_end(struct bio *bio)
{
	if (DEBUG && concerns(bio) && bio->sum)
		check(bio);
	drop_copies(bio);
}
