/*
 * bench_huge.c - what a huge page costs: the fault that makes it, the split, the collapse; UFFDIO_MOVE of it.
 */
#define _GNU_SOURCE
#include "user/bench.h"
#include "user/uffd.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define MOST (4ul << 20) /* no huge page is larger */
#define ROUNDS 8

static size_t size; /* of a huge page here */

/* What smaps says of all of this program's memory, in bytes. */
static size_t huge_bytes(void)
{
	FILE *f = fopen("/proc/self/smaps_rollup", "r");
	unsigned long kb = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %lu", &kb) == 1)
			break;
	if (f)
		fclose(f);
	return kb << 10;
}

/* Aligned memory that wants to be huge, in *@map, which is 2 * MOST. */
static volatile uint8_t *aligned(uint8_t **map)
{
	uint8_t *p;

	*map = map_anon(2 * MOST / PAGE);
	p = (uint8_t *)(((uintptr_t)*map + MOST - 1) & -MOST);
	if (madvise(p, MOST, MADV_HUGEPAGE))
		die("madvise");
	return p;
}

static void learn_size(void)
{
	uint8_t *map;
	volatile uint8_t *p = aligned(&map);

	p[0] = 1;
	size = huge_bytes();
	munmap(map, 2 * MOST);
}

/* Each operation in rounds of its own: a sample list holds one kind at a time. */
static void each_round(const char *name, void (*prepare)(volatile uint8_t *p), void (*run)(volatile uint8_t *p))
{
	for (int round = 0; round < ROUNDS; round++) {
		uint8_t *map;
		volatile uint8_t *p = aligned(&map);

		if (prepare)
			prepare(p);
		TIME(run(p));
		munmap(map, 2 * MOST);
	}
	report(name, 1);
}

static void store(volatile uint8_t *p)
{
	p[0] = 1;
}

static void load(volatile uint8_t *p)
{
	(void)p[0];
}

static void give_page(volatile uint8_t *p)
{
	madvise((void *)(p + size - PAGE), PAGE, MADV_DONTNEED);
}

static void store_and_split(volatile uint8_t *p)
{
	store(p);
	give_page(p);
}

static void collapse(volatile uint8_t *p)
{
	if (madvise((void *)p, size, MADV_COLLAPSE))
		die("collapse");
}

static void give_all(volatile uint8_t *p)
{
	madvise((void *)p, size, MADV_DONTNEED);
}

/* UFFDIO_MOVE of one, there and back. */
static void moves(void)
{
	uint8_t *maps[2], *at[2];
	int fd = uffd_new(UFFDX_MOVE);

	if (fd < 0)
		return;
	for (int i = 0; i < 2; i++)
		at[i] = (uint8_t *)aligned(&maps[i]);
	store(at[0]);
	for (int i = 0; i < 2; i++)
		if (!uffd_add(fd, at[i], size))
			die("userfaultfd");
	for (int i = 0; i < 2 * ROUNDS; i++) {
		int err;

		TIME(err = uffd_put_moved(fd, at[!(i % 2)], at[i % 2], size));
		if (err)
			die("UFFDIO_MOVE");
	}
	if (huge_bytes() != size)
		die("it was split");
	report("uffd_move_huge", 1);
	for (int i = 0; i < 2; i++)
		munmap(maps[i], 2 * MOST);
	close(fd);
}

void bench_huge(void)
{
	learn_size();
	if (!size)
		return;
	put("huge_size", "", size >> 10, "KiB");
	each_round("huge_write_fault", NULL, store);
	each_round("huge_read_fault", NULL, load);
	each_round("huge_split", store, give_page);
	each_round("huge_collapse", store_and_split, collapse);
	each_round("huge_dontneed", store, give_all);
	moves();
}
