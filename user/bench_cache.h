/*
 * bench_cache.h - the part of the bench that concerns files on a disk.
 */
#ifndef USER_BENCH_CACHE_H
#define USER_BENCH_CACHE_H

/* Prints lines as bench.c describes them: cost a page, and for each pass the number and the mean size of the
 * requests that the disk got. */
void bench_cache(void);

#endif
