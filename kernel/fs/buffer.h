/*
 * buffer.h - a small cache of single disk blocks, for file-system metadata.
 *
 * Layer 9 (kernel/fs).  It has no lock: the owner's metadata mutex covers every call and every use of a
 * buffer's data.  Data is direct-mapped memory.
 *
 * Dirty buffers wait in one of several stages, which the owner writes one after another: so it decides what is on
 * the disk before what.
 */
#ifndef KERNEL_FS_BUFFER_H
#define KERNEL_FS_BUFFER_H

#include "kernel/dev/block.h"
#include "kernel/lib/list.h"

#define BUFFER_HASH 256
#define BUFFERS_MAX 2048 /* clean unused ones go beyond this */
#define BUFFER_STAGES 5

struct buffer {
	struct list hash_link;
	struct list lru_link;   /* cache->lru: unused and clean; least recently used first */
	struct list dirty_link; /* cache->dirty[stage], if dirty */
	struct list kept_link;  /* cache->kept, if kept */
	u32 block;
	int refs;
	bool dirty;
	bool write_kept; /* buffer_sync() writes @kept, and the buffer stays dirty */
	u8 stage;        /* if dirty */
	char *data;      /* block_size bytes within one page */
	char *kept;      /* what @data was: buffer_keep(); or NULL */
};

struct buffer_cache {
	struct block_device *dev;
	unsigned block_size;
	unsigned nr;
	struct list hash[BUFFER_HASH];
	struct list lru, dirty[BUFFER_STAGES];
	struct list kept;
	struct list pages; /* frames that data lies in, page->link */
	void *free_data;   /* pieces of them nobody uses, chained */
};

void buffer_cache_init(struct buffer_cache *c, struct block_device *dev, unsigned block_size);
/* Drop everything, written or not. => no buffer is referenced */
void buffer_cache_destroy(struct buffer_cache *c);
/* Block @block as on disk or newer, referenced: ERR_PTR(-EIO, -ENOMEM). => sleeps */
struct buffer *buffer_read(struct buffer_cache *c, u32 block);
/* The same, filled with zeros and dirty, without reading: it is newly allocated. ERR_PTR(-ENOMEM) */
struct buffer *buffer_new(struct buffer_cache *c, u32 block, unsigned stage);
void buffer_put(struct buffer_cache *c, struct buffer *b);
/* One that is dirty already stays in its stage. */
void buffer_dirty(struct buffer_cache *c, struct buffer *b, unsigned stage);
/* Before a clean buffer is changed: keep what it is now, until buffer_drop_kept(). Nothing is kept (b->kept is NULL)
 * if there is no memory, or if it is dirty already. => may sleep */
void buffer_keep(struct buffer_cache *c, struct buffer *b);
void buffer_drop_kept(struct buffer_cache *c);
/* The block was freed: what the cache has of it is void. */
void buffer_forget(struct buffer_cache *c, u32 block);
/* Write @b now and wait: 0 or -errno. */
int buffer_write(struct buffer_cache *c, struct buffer *b);
/* Write every dirty buffer of @stage and wait: 0 or the first error (what failed stays dirty). => sleeps */
int buffer_sync(struct buffer_cache *c, unsigned stage);

#endif
