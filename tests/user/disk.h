/*
 * disk.h - what the disk tests share: counters of the block layer, what the page cache holds, knobs of /proc/sys/vm.
 */
#ifndef TESTS_USER_DISK_H
#define TESTS_USER_DISK_H

#include "test.h"

/* Sums over all disks, of /proc/diskstats and (Pteron) /proc/blockstats. */
struct disk_stat {
	long reads, sectors_read, writes, sectors_written;
	long small, large;                /* requests of at most 4 KiB; of at least 128 KiB */
	long copied, checked, mismatches; /* stable pages */
	long meta, meta_sectors;          /* of the reads and writes: those of no file's data */
};
struct disk_stat disk_stat(void);
struct disk_stat disk_since(struct disk_stat before);
/* The mean size of the requests for files' data, KiB. */
long data_request_kib(struct disk_stat st);

/* Write @text to /proc/sys/vm/@name; the test fails if that fails. */
void vm_set(const char *name, const char *text);
void vm_set_number(const char *name, long value);
long vm_number(const char *name);
/* Everything is written, and what nobody uses leaves the page cache (Pteron). */
void drop_caches(void);
/* How many of the first @pages pages of @fd are in the page cache. */
size_t cached_pages(int fd, size_t pages);

#endif
