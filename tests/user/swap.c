/*
 * swap.c - areas made on the spot, and memory to swap out.  Interface: swap.h.
 */
#define _GNU_SOURCE
#include "swap.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int swap_on(const char *path, int flags)
{
	return (int)syscall(SYS_swapon, path, flags);
}

int swap_off(const char *path)
{
	return (int)syscall(SYS_swapoff, path);
}

void swap_header(u8 header[SWAP_HEADER_BYTES], u32 pages, const u32 *bad, u32 nr_bad)
{
	u32 *words = (u32 *)(header + 1024);

	memset(header, 0, SWAP_HEADER_BYTES);
	words[0] = 1;
	words[1] = pages - 1;
	words[2] = nr_bad;
	memcpy(header + 1536, bad, nr_bad * sizeof(*bad));
	memcpy(header + SWAP_HEADER_BYTES - 10, "SWAPSPACE2", 10);
}

const char *swap_file_in(const char *dir, const char *name, u32 pages)
{
	static u8 block[64 * P];
	int fd = make_file(dir, name, 0);

	swap_header(block, pages, NULL, 0);
	for (u32 done = 0; done < pages;) {
		u32 n = pages - done < 64 ? pages - done : 64;

		CHECK_EQ(write(fd, block, n * P), n * P);
		memset(block, 0, SWAP_HEADER_BYTES);
		done += n;
	}
	CHECK_OK(close(fd));
	return path_in(dir, name);
}

const char *swap_file(const char *name, u32 pages)
{
	return swap_file_in(disk_dir(), name, pages);
}

/* The first area's path; false: none. */
static bool first_area(char path[256])
{
	FILE *f = fopen("/proc/swaps", "r");
	char line[512];
	bool found;

	if (!f)
		return false;
	found = fgets(line, sizeof(line), f) && fgets(line, sizeof(line), f) && sscanf(line, "%255s", path) == 1;
	fclose(f);
	return found;
}

void swap_end(void)
{
	char path[256];

	while (first_area(path))
		CHECK_OK(swap_off(path));
}

const char *swap_begin(u32 pages)
{
	const char *path;

	PTERON_ONLY();
	swap_end();
	path = swap_file("swap", pages);
	CHECK_OK(swap_on(path, 0));
	return path;
}

bool swap_line(const char *path, struct swap_line *out)
{
	FILE *f = fopen("/proc/swaps", "r");
	char line[512], name[256], kind[32];
	bool found = false;

	CHECK(f != NULL);
	while (!found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%255s %31s %ld %ld %d", name, kind, &out->size_kb, &out->used_kb, &out->prio) == 5 &&
		        !strcmp(name, path);
	fclose(f);
	return found;
}

static u32 word_of(size_t page, size_t word, u32 seed)
{
	u32 v = (u32)(page * 1024 + word) * 2654435761u ^ seed * 40503u;

	return v ^ v >> 15;
}

void swap_fill(u8 *p, size_t pages, u32 seed)
{
	for (size_t i = 0; i < pages; i++)
		for (size_t w = 0; w < P / 4; w++)
			((u32 *)(p + i * P))[w] = word_of(i, w, seed);
}

void swap_check(const u8 *p, size_t pages, u32 seed)
{
	for (size_t i = 0; i < pages; i++)
		for (size_t w = 0; w < P / 4; w++) {
			u32 v = ((const volatile u32 *)(p + i * P))[w];

			if (v != word_of(i, w, seed))
				FAIL("page %zu word %zu of %p is %x, not %x", i, w, (const void *)p, v, word_of(i, w, seed));
		}
}

size_t swap_out(u8 *p, size_t pages)
{
	size_t out = 0;

	CHECK_OK(madvise(p, pages * P, MADV_PAGEOUT));
	for (size_t i = 0; i < pages; i++)
		out += resident(p + i * P) == 0;
	return out;
}
