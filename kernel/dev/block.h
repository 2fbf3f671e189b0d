/*
 * block.h - block devices and the requests made to them.
 *
 * Layer 9 (kernel/dev).  A request (struct bio) names consecutive sectors and the pages they move to or
 * from; block_submit() starts it and returns, done() tells the end.  Requests complete in any order: who
 * needs one after another waits in between, and calls block_flush() to make what is complete durable.
 *
 * Lock order: LOCK_BLOCK (device queue, list of devices) inside everything a file system holds.
 */
#ifndef KERNEL_DEV_BLOCK_H
#define KERNEL_DEV_BLOCK_H

#include "kernel/lib/list.h"
#include "kernel/lib/types.h"
#include "mm/phys/page.h"

#define SECTOR_SHIFT 9
#define SECTOR_SIZE (1u << SECTOR_SHIFT)
#define BIO_VECS_MAX 64

struct block_device;
struct bio;

struct block_ops {
	/* Start @bio (already checked against the device's limits). Must end in bio_complete(), now or later.
	 * => may sleep for a free slot, no spinlock held */
	void (*submit)(struct block_device *dev, struct bio *bio);
};

#define BLOCK_SIZES 5 /* up to 4 KiB, 16 KiB, 64 KiB, below 128 KiB, and 128 KiB or more */

/* Counters; written with atomic adds, read at leisure. */
struct block_stat {
	unsigned long reads, writes, flushes; /* requests submitted */
	unsigned long sectors_read, sectors_written;
	unsigned long errors;                      /* requests that ended with an error */
	unsigned long in_flight;                   /* submitted and not complete */
	unsigned long slot_waits;                  /* a submitter slept because the queue was full */
	unsigned long sizes[BLOCK_SIZES];          /* reads and writes by size: the classes of BLOCK_SIZES */
	unsigned long meta_requests, meta_sectors; /* reads and writes that were of no file's data: of those above */
	unsigned long copied, checked, mismatches; /* stable pages: pieces copied; the oracle's (debug builds) */
};

struct block_device {
	char name[16]; /* "vda", "ram0" */
	u64 sectors;   /* of SECTOR_SIZE bytes */
	bool read_only;
	unsigned max_segments; /* bio->nr_vec may not exceed it; 1 .. BIO_VECS_MAX */
	unsigned minor;        /* of its node in /dev; set by block_register() */
	const struct block_ops *ops;
	void *private; /* the driver's */
	struct block_stat stat;
	struct list link; /* all devices, in order of registration */
};

/* A piece of one page. */
struct bio_vec {
	struct page *page;
	unsigned offset, length; /* multiples of 4 and of SECTOR_SIZE; offset + length <= PAGE_SIZE */
};

/*
 * One request.  The submitter fills it, owns it again once done() is called, and keeps the pages alive (and,
 * for a write, unchanged if it cares what arrives) until then.
 */
struct bio {
	struct block_device *dev;
	u64 sector;
	bool write;
	bool meta;   /* of no file's data: counted apart */
	bool flush;  /* no data: make everything complete so far durable */
	bool moving; /* a write whose data others may change meanwhile, and the submitter does not mind (O_DIRECT) */
	u32 sum;     /* stable.c's: checksum at submission */
	u64 copied;  /* stable.c's: pieces that are copies, until it ends */
	unsigned nr_vec;
	struct bio_vec vec[BIO_VECS_MAX];
	/* The end: 0, -EIO, -EROFS (write to a read-only device), -EINVAL (malformed request).
	 * => usually in interrupt context with interrupts off, sometimes inside block_submit(): must not sleep */
	void (*done)(struct bio *bio, int error);
	void *ctx;        /* the submitter's */
	struct list link; /* the submitter's before block_submit() and after done(); the driver's in between */
	u64 submitted_ns; /* for the watchdog */
};

/* A zeroed request, or NULL. => may sleep unless GFP_ATOMIC; free with bio_free() in any context */
struct bio *bio_alloc(enum gfp gfp);
void bio_free(struct bio *bio);
/* Append a piece; false when the request has dev->max_segments of them. => bio->dev is set */
bool bio_add(struct bio *bio, struct page *page, unsigned offset, unsigned length);
/* Sum of the pieces, in bytes. */
unsigned bio_bytes(const struct bio *bio);

/* Start @bio. A request that is malformed or out of range completes at once with an error.
 * => may sleep; any lock that done() takes must not be held */
void block_submit(struct bio *bio);
/* Move @length bytes at @page + @offset from or to @sector and wait: 0, -EIO, -EROFS, -EINVAL, -ENOMEM. => sleeps */
int block_rw_sync(struct block_device *dev, u64 sector, struct page *page, unsigned offset, unsigned length,
                  bool write);
/* The same, counted as a file system's own. */
int block_rw_meta(struct block_device *dev, u64 sector, struct page *page, unsigned offset, unsigned length,
                  bool write);
/* Make every completed write durable: 0 or -EIO, -ENOMEM. => sleeps */
int block_flush(struct block_device *dev);

/* "vda" or "/dev/vda"; NULL when there is none. Devices never go away. */
struct block_device *block_find(const char *name);
/* The @n-th registered device (from 0), or NULL. */
struct block_device *block_nth(unsigned n);

/* -- for drivers ------------------------------------------------------------------------------------------------ */
/* Once, before the first driver. */
void block_init(void);
/* @dev is complete but for minor, stat and link; it is visible from here on and never freed. */
void block_register(struct block_device *dev);
/* @bio has ended. => any context; calls bio->done(), after which the request is not the driver's any more */
void bio_complete(struct bio *bio, int error);

#endif
