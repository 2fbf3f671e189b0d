/*
 * buffer.c - a small cache of single disk blocks.
 *
 * Layer 9 (kernel/fs).  Interface: buffer.h.  The owner's mutex serialises; only the completion of writes runs
 * in another context, and touches nothing but its request.
 */
#include "kernel/fs/buffer.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/err.h"
#include "kernel/lib/hash.h"
#include "kernel/lib/string.h"
#include "kernel/sync/completion.h"
#include "mm/phys/slab.h"

#define IN_FLIGHT 32

void buffer_cache_init(struct buffer_cache *c, struct block_device *dev, unsigned block_size)
{
	c->dev = dev;
	c->block_size = block_size;
	c->nr = 0;
	c->free_data = NULL;
	list_init(&c->lru);
	list_init(&c->kept);
	list_init(&c->pages);
	for (unsigned i = 0; i < BUFFER_STAGES; i++)
		list_init(&c->dirty[i]);
	for (unsigned i = 0; i < BUFFER_HASH; i++)
		list_init(&c->hash[i]);
}

/* -- memory: a page is cut into blocks, and stays until the cache goes ---------------------------------------- */

static void data_free(struct buffer_cache *c, char *data)
{
	*(void **)data = c->free_data;
	c->free_data = data;
}

static char *data_alloc(struct buffer_cache *c)
{
	struct page *page;
	char *data = c->free_data;

	if (!data) {
		page = page_alloc(0, GFP_KERNEL);
		if (!page)
			return NULL;
		list_add(&page->link, &c->pages);
		for (unsigned at = 0; at < PAGE_SIZE; at += c->block_size)
			data_free(c, (char *)page_address(page) + at);
		data = c->free_data;
	}
	c->free_data = *(void **)data;
	return data;
}

static void buffer_free(struct buffer_cache *c, struct buffer *b)
{
	ASSERT(b->refs == 0);
	list_del(&b->hash_link);
	list_del(&b->lru_link);
	list_del(&b->dirty_link);
	list_del(&b->kept_link);
	if (b->kept)
		data_free(c, b->kept);
	data_free(c, b->data);
	kfree(b);
	c->nr--;
}

void buffer_cache_destroy(struct buffer_cache *c)
{
	for (unsigned i = 0; i < BUFFER_HASH; i++)
		while (!list_empty(&c->hash[i]))
			buffer_free(c, list_first_entry(&c->hash[i], struct buffer, hash_link));
	while (!list_empty(&c->pages)) {
		struct page *page = list_first_entry(&c->pages, struct page, link);

		list_del(&page->link);
		page_free(page, 0);
	}
}

static struct buffer *buffer_alloc(struct buffer_cache *c, u32 block)
{
	struct buffer *b;

	while (c->nr >= BUFFERS_MAX && !list_empty(&c->lru))
		buffer_free(c, list_first_entry(&c->lru, struct buffer, lru_link));
	b = kzalloc(sizeof(*b), GFP_KERNEL);
	if (!b)
		return NULL;
	b->data = data_alloc(c);
	if (!b->data) {
		kfree(b);
		return NULL;
	}
	b->block = block;
	b->refs = 1;
	list_init(&b->lru_link);
	list_init(&b->dirty_link);
	list_init(&b->kept_link);
	list_add(&b->hash_link, &c->hash[hash_u32(block, 8)]);
	c->nr++;
	return b;
}

/* -- finding -------------------------------------------------------------------------------------------------- */

static struct buffer *buffer_find(struct buffer_cache *c, u32 block)
{
	struct buffer *b;

	list_for_each_entry(b, &c->hash[hash_u32(block, 8)], hash_link) {
		if (b->block != block)
			continue;
		if (b->refs++ == 0)
			list_del_init(&b->lru_link);
		return b;
	}
	return NULL;
}

static u64 block_sector(const struct buffer_cache *c, u32 block)
{
	return (u64)block * (c->block_size >> SECTOR_SHIFT);
}

static int transfer(struct buffer_cache *c, struct buffer *b, char *data, bool write)
{
	unsigned offset = (unsigned)((unsigned long)data & (PAGE_SIZE - 1));

	return block_rw_meta(c->dev, block_sector(c, b->block), virt_to_page(data), offset, c->block_size, write);
}

struct buffer *buffer_read(struct buffer_cache *c, u32 block)
{
	struct buffer *b = buffer_find(c, block);
	int err;

	if (b)
		return b;
	b = buffer_alloc(c, block);
	if (!b)
		return ERR_PTR(-ENOMEM);
	err = transfer(c, b, b->data, false);
	if (!err)
		return b;
	b->refs = 0;
	buffer_free(c, b);
	return ERR_PTR(err);
}

struct buffer *buffer_new(struct buffer_cache *c, u32 block, unsigned stage)
{
	struct buffer *b = buffer_find(c, block);

	if (!b)
		b = buffer_alloc(c, block);
	if (!b)
		return ERR_PTR(-ENOMEM);
	memset(b->data, 0, c->block_size);
	buffer_dirty(c, b, stage);
	return b;
}

/* Nobody needs it in memory: it may go when room is needed. */
static void buffer_idle(struct buffer_cache *c, struct buffer *b)
{
	if (b->refs == 0 && !b->dirty && !b->kept)
		list_add_tail(&b->lru_link, &c->lru);
}

void buffer_put(struct buffer_cache *c, struct buffer *b)
{
	ASSERT(b->refs > 0);
	b->refs--;
	buffer_idle(c, b);
}

void buffer_dirty(struct buffer_cache *c, struct buffer *b, unsigned stage)
{
	ASSERT(b->refs > 0);
	if (b->dirty)
		return;
	b->dirty = true;
	b->stage = (u8)stage;
	list_add_tail(&b->dirty_link, &c->dirty[stage]);
}

void buffer_keep(struct buffer_cache *c, struct buffer *b)
{
	ASSERT(b->refs > 0);
	if (b->kept || b->dirty)
		return;
	b->kept = data_alloc(c);
	if (!b->kept)
		return;
	memcpy(b->kept, b->data, c->block_size);
	list_add_tail(&b->kept_link, &c->kept);
}

void buffer_drop_kept(struct buffer_cache *c)
{
	while (!list_empty(&c->kept)) {
		struct buffer *b = list_first_entry(&c->kept, struct buffer, kept_link);

		list_del_init(&b->kept_link);
		data_free(c, b->kept);
		b->kept = NULL;
		b->write_kept = false;
		buffer_idle(c, b);
	}
}

static void buffer_clean(struct buffer_cache *c, struct buffer *b)
{
	if (!b->dirty)
		return;
	b->dirty = false;
	list_del_init(&b->dirty_link);
	buffer_idle(c, b);
}

void buffer_forget(struct buffer_cache *c, u32 block)
{
	struct buffer *b = buffer_find(c, block);

	if (!b)
		return;
	buffer_clean(c, b);
	buffer_put(c, b);
	if (b->refs == 0)
		buffer_free(c, b);
}

/* -- writing -------------------------------------------------------------------------------------------------- */

int buffer_write(struct buffer_cache *c, struct buffer *b)
{
	int err = transfer(c, b, b->write_kept ? b->kept : b->data, true);

	if (!err && !b->write_kept)
		buffer_clean(c, b);
	return err;
}

/* Requests under way, one buffer each. */
struct flight {
	struct completion done;
	unsigned nr;
	struct {
		struct buffer *buffer;
		struct bio *bio;
		int error;
	} slot[IN_FLIGHT];
};

static void write_done(struct bio *bio, int error)
{
	struct flight *f = bio->ctx;

	for (unsigned i = 0; i < f->nr; i++)
		if (f->slot[i].bio == bio)
			f->slot[i].error = error;
	complete(&f->done);
}

/* Wait for all of them; the first error. */
static int land(struct buffer_cache *c, struct flight *f)
{
	int err = 0;

	for (unsigned i = 0; i < f->nr; i++)
		completion_wait(&f->done);
	for (unsigned i = 0; i < f->nr; i++) {
		bio_free(f->slot[i].bio);
		if (f->slot[i].error)
			err = err ? err : f->slot[i].error;
		else if (!f->slot[i].buffer->write_kept)
			buffer_clean(c, f->slot[i].buffer);
	}
	f->nr = 0;
	return err;
}

/* Start one write; false: no memory for it. */
static bool launch(struct buffer_cache *c, struct flight *f, struct buffer *b)
{
	char *data = b->write_kept ? b->kept : b->data;
	struct bio *bio = bio_alloc(GFP_KERNEL);

	if (!bio)
		return false;
	bio->dev = c->dev;
	bio->sector = block_sector(c, b->block);
	bio->write = bio->meta = true;
	bio->done = write_done;
	bio->ctx = f;
	bio_add(bio, virt_to_page(data), (unsigned)((unsigned long)data & (PAGE_SIZE - 1)), c->block_size);
	f->slot[f->nr].buffer = b;
	f->slot[f->nr].bio = bio;
	f->slot[f->nr].error = 0;
	f->nr++;
	block_submit(bio);
	return true;
}

int buffer_sync(struct buffer_cache *c, unsigned stage)
{
	struct list todo = LIST_INIT(todo);
	struct flight f = {.nr = 0};
	struct buffer *b;
	int err = 0, e;

	completion_init(&f.done);
	list_splice_tail(&c->dirty[stage], &todo);
	while (!list_empty(&todo)) {
		b = list_first_entry(&todo, struct buffer, dirty_link);
		list_del(&b->dirty_link);
		list_add_tail(&b->dirty_link, &c->dirty[stage]); /* taken off when written */
		if (f.nr == IN_FLIGHT) {
			e = land(c, &f);
			err = err ? err : e;
		}
		if (!launch(c, &f, b)) {
			e = buffer_write(c, b);
			err = err ? err : e;
		}
	}
	e = land(c, &f);
	return err ? err : e;
}
