/*
 * object.h - struct vm_object: something whose pages can be mapped, and its page cache.
 *
 * Layer 5b (mm/object).  A regular file's inode embeds one.  The object owns its cached pages and knows,
 * through reverse links, every range that maps it; it never sees a vma.
 *
 * Lock order, outermost first (docs/locking.md): inode lock, mmap lock, invalidate_lock, page lock,
 * map_lock, PTL, pages_lock.
 */
#ifndef MM_OBJECT_OBJECT_H
#define MM_OBJECT_OBJECT_H

#include "kernel/lib/errseq.h"
#include "kernel/lib/list.h"
#include "kernel/lib/radix.h"
#include "kernel/sync/rwsem.h"
#include "mm/phys/page.h"
#include "mm/rmap/rmap.h"

struct readahead;
struct vm_object;

struct object_ops {
	/* Fill @page (locked, not uptodate) from the file; beyond the end of file: zeros.
	 * => returns with the page still locked; 0 (uptodate was set) or -EIO, -ENOMEM. May sleep. */
	int (*read_page)(struct vm_object *obj, struct page *page);
	bool absent_is_zero; /* what is not cached, or not uptodate, reads as zeros, and reading it need not make it */
	/* Start reading @n consecutive pages: each locked, not uptodate, with a reference held. Each is unlocked and its
	 * reference dropped when its reading ends, well (uptodate) or badly: who needs it then uses read_page. NULL:
	 * no read-ahead. => may sleep; completion may be asynchronous */
	void (*read_pages)(struct vm_object *obj, struct page **pages, unsigned n);
	/* Write @n pages with ascending index to the device. Each has PG_WRITEBACK set and a reference held,
	 * and is unlocked.  Must arrange for object_writeback_done(obj, page, error) on every one of them,
	 * also when it fails. => may sleep; completion may be asynchronous */
	void (*write_pages)(struct vm_object *obj, struct page **pages, unsigned n);
	/* @page (locked, uptodate) is about to become writable through a mapping or a write pin: reserve
	 * what writing it back will need. 0, -ENOSPC, -EIO. NULL: nothing to do. => may sleep */
	int (*page_mkwrite)(struct vm_object *obj, struct page *page);
	/* Write the file's metadata (size, block map, times). @data_only: only what is needed to read the data
	 * back. NULL: nothing to do. */
	int (*sync_meta)(struct vm_object *obj, bool data_only);
	/* The flusher, sync and swapoff borrow the object: take a reference on its host unless that is dying (false).
	 * => called under a spinlock, must not sleep; required when the object tracks_dirty, and for its pages to be swapped */
	bool (*hold)(struct vm_object *obj);
	void (*release)(struct vm_object *obj); /* give it back. => may sleep */
};

struct vm_object {
	const struct object_ops *ops;
	void *host;              /* the inode */
	loff_t size;             /* bytes; w: inode lock + invalidate_lock; r: any of them, or once */
	bool tracks_dirty;       /* write-notify: pages go back to a device */
	struct radix_tree pages; /* pgoff -> page; marks below. pages_lock */
	spinlock_t pages_lock;
	unsigned long nr_pages;       /* pages_lock */
	struct radix_tree slots;      /* without a file: pgoff -> slot of a page in swap (object_swap.h); pages_lock */
	unsigned long nr_slots;       /* pages_lock */
	struct list swapped_link;     /* on the list of object_swap.c while there may be slots; its lock */
	struct rwsem invalidate_lock; /* faults: read; truncate: write */
	struct object_maps maps;      /* reverse links of every mapping (mm/rmap) */
	errseq_t wb_err;              /* writeback errors, for whoever has the file open */
	errseq_t *fs_err;             /* and for whoever watches its file system; NULL: nobody can */
	unsigned long wb_failures;    /* pages that could not be written; pages_lock */
	unsigned long nr_writeback;   /* pages under writeback; pages_lock */
	int syncing;                  /* so many write and wait; atomic */
	struct list dirty_link;       /* on the list of dirty_list.c while anything is to be written; flusher lock */
	u64 dirtied_at;               /* when it joined, or the flusher last took it up, ns; flusher lock */
	u64 dirty_number;             /* its number on the list; flusher lock */
};

#define RADIX_MARK_DIRTY 0
#define RADIX_MARK_WRITEBACK 1

void object_init(struct vm_object *obj, const struct object_ops *ops, void *host, bool tracks_dirty);
/* Drops every page (no writeback). => no mappings may be left */
void object_destroy(struct vm_object *obj);

/* -- page cache ---------------------------------------------------------------------------------------- */

/* The cached page at @index with a reference, or NULL. */
struct page *pagecache_find(struct vm_object *obj, pgoff_t index);
/* The page at @index, locked and referenced, created (not uptodate) if absent: ERR_PTR(-ENOMEM). => sleeps */
struct page *pagecache_get_locked(struct vm_object *obj, pgoff_t index);
/* The same, uptodate and unlocked: ERR_PTR(-ENOMEM, -EIO, -EINTR). Does not look at obj->size. => sleeps */
struct page *pagecache_read(struct vm_object *obj, pgoff_t index);
/* A locked page of the cache is now newer than the file: PG_DIRTY, the mark, the flusher's list. */
void pagecache_set_dirty(struct page *page);

/* Generic read(2)/write(2) for page-cache files, with user buffers. Return bytes or -errno.
 * generic read: @ra is the reader's memory of what it read.
 * generic write: caller holds the inode lock; per page it calls object_ops.page_mkwrite to reserve, and
 * extends obj->size. */
ssize_t object_read_user(struct vm_object *obj, loff_t pos, void *user, size_t n, struct readahead *ra);
ssize_t object_write_user(struct vm_object *obj, loff_t pos, const void *user, size_t n);
/* The same with kernel buffers (directories, symlinks, exec, tests). */
ssize_t object_read(struct vm_object *obj, loff_t pos, void *buf, size_t n);
ssize_t object_write(struct vm_object *obj, loff_t pos, const void *buf, size_t n);

/* How many of the @n bytes at @pos, all below the size, are at hand: cached, or to be had without a device. */
size_t object_ready(struct vm_object *obj, loff_t pos, size_t n);
/* How many of the @n bytes at @pos can be written, as things are, without waiting for a device: their pages are dirty
 * already, so they have all that writing them back needs, and are not on their way; or the file has no device.
 * 0 too if so much is dirty that a writer would be held back. */
size_t object_ready_for_write(struct vm_object *obj, loff_t pos, size_t n);

/* -- writeback ------------------------------------------------------------------------------------------- */

/* Start writing dirty pages in [first, last]; @wait: also wait for them. Returns 0, or an error if any page of the
 * object could not be written meanwhile; that takes nothing away from the cursors of wb_err.
 * => may sleep; no page lock, PTL or mmap lock held */
int object_writeback(struct vm_object *obj, pgoff_t first, pgoff_t last, bool wait);
/* Wait for the pages in [first, last] that are being written now. => the same */
void object_wait_writeback(struct vm_object *obj, pgoff_t first, pgoff_t last);
/* object_writeback + sync_meta. */
int object_fsync(struct vm_object *obj, pgoff_t first, pgoff_t last, bool data_only);
/* Completion of one page's I/O; any context. Drops the reference that writeback held. */
void object_writeback_done(struct vm_object *obj, struct page *page, int error);
/* Write back every page that is dirty now and wait (half of sync(2): the file systems do the metadata). */
void writeback_sync_all(void);
/* The flusher thread: sleep until there is something to do; write what has been dirty for long, or, if there is too
 * much of it, everything. */
void flusher_wait(void);
void flusher_round(void);

/* -- size changes ------------------------------------------------------------------------------------------ */

/* Set the size; when shrinking, unmap and drop every page beyond it and zero the tail of the last one.
 * => inode lock held, may sleep. The file system frees its blocks afterwards. */
void object_truncate(struct vm_object *obj, loff_t size);
/* Write pages [first, last] back, take them out of every address space and of the cache, and keep them out until
 * object_evict_end(): who wants one waits. Private copies stay. -EBUSY (a device stores into one of them), or
 * writeback's error: then nothing is held, and they are still cached. => inode lock held for writing, may sleep */
int object_evict_begin(struct vm_object *obj, pgoff_t first, pgoff_t last);
void object_evict_end(struct vm_object *obj);
/* Unmap and drop pages [first, last] (hole punch): the file system then frees the blocks. */
void object_punch(struct vm_object *obj, pgoff_t first, pgoff_t last);
/* The same with the blocks freed by @free_blocks while no such page can be mapped or written; what that returns.
 * => inode lock held for writing, may sleep */
int object_punch_blocks(struct vm_object *obj, pgoff_t first, pgoff_t last,
                        int (*free_blocks)(struct vm_object *obj, pgoff_t first, pgoff_t last));
/* Bytes [from, to) of the file, all in one page, read as zero from now on. 0, -EIO, -ENOMEM, -ENOSPC.
 * => inode lock held for writing, may sleep */
int object_zero(struct vm_object *obj, loff_t from, loff_t to);

#endif
