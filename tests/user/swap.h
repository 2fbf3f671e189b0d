/*
 * swap.h - what the swap tests share: areas made on the spot, memory that is swapped out and judged.
 */
#ifndef TESTS_USER_SWAP_H
#define TESTS_USER_SWAP_H

#include "race.h"

#define SWAP_HEADER_BYTES 4096
#define RW (PROT_READ | PROT_WRITE)

#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* What mkswap(8) writes: for @pages slots, header included; @bad: @nr_bad slots not to be used. */
void swap_header(u8 header[SWAP_HEADER_BYTES], u32 pages, const u32 *bad, u32 nr_bad);
/* A file of so many pages with that header in a directory, in the disk directory; its path (static ring). */
const char *swap_file_in(const char *dir, const char *name, u32 pages);
const char *swap_file(const char *name, u32 pages);
/* PTERON_ONLY; every area that an earlier test left goes; then a file of @pages is in use: its path. */
const char *swap_begin(u32 pages);
void swap_end(void); /* every area goes; fails if one cannot */
int swap_on(const char *path, int flags);
int swap_off(const char *path);
/* Of the line of @path in /proc/swaps: false if there is none. */
struct swap_line {
	long size_kb, used_kb;
	int prio;
};
bool swap_line(const char *path, struct swap_line *line);

/* Page @i of the memory holds words that depend on @seed and i; swap_check() also reads every one of them. */
void swap_fill(u8 *p, size_t pages, u32 seed);
void swap_check(const u8 *p, size_t pages, u32 seed);
/* Swap out what can be; how many pages are now in memory no more (mincore). */
size_t swap_out(u8 *p, size_t pages);

#endif
