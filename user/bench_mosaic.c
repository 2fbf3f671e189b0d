/*
 * bench_mosaic.c - a window of 65,536 pages in permuted order: what it costs to build, change, fork and drop, and its
 * memory; and what finding the mappings of one page costs among few and many such entries.
 */
#define _GNU_SOURCE
#include "user/bench.h"

#include "kernel/uapi/remap.h"
#include "user/kmem.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TILES 65536ul

static bool per_page; /* the kernel has MAP_CHGPROT */

static size_t place(size_t i)
{
	return i * 40503u % TILES;
}

static int tile_prot(size_t i)
{
	static const int prots[] = {RW, PROT_READ, PROT_NONE};

	return per_page ? prots[i % 3] : 0;
}

static long remap(uint8_t *p, size_t i, size_t pgoff, int flags)
{
	return syscall(SYS_remap_file_pages, p + i * PAGE, PAGE, tile_prot(i), pgoff, flags | (per_page ? MAP_CHGPROT : 0));
}

static unsigned long long grown(long long before, long long after, size_t pages)
{
	return after > before ? (unsigned long long)(after - before) / pages : 0;
}

/* What the mosaic took out of free memory, page tables apart: that counts everything, whatever it is called. */
static void mosaic_memory(const struct kmem *a, const struct kmem *b, size_t pages)
{
	unsigned long long all = grown(b->free_bytes, a->free_bytes, pages);
	unsigned long long tables = grown(a->table_bytes, b->table_bytes, pages);

	if (a->free_bytes < 0 || b->free_bytes < 0 || a->table_bytes < 0 || b->table_bytes < 0)
		return;
	put("mosaic_kernel_bytes_per_page", "", all > tables ? all - tables : 0, "bytes");
	put("mosaic_page_table_bytes_per_page", "", tables, "bytes");
	put("mosaic_slab_bytes_per_page", "", grown(a->slab_bytes, b->slab_bytes, pages), "bytes");
}

/* How many entries could be remapped; each maps its page at once if that is in memory. */
static size_t build_mosaic(uint8_t *p)
{
	size_t done = 0;

	per_page = syscall(SYS_remap_file_pages, p, PAGE, PROT_READ, (size_t)0, MAP_CHGPROT | MAP_NONBLOCK) == 0;
	while (done < TILES && remap(p, done, place(done), MAP_NONBLOCK) == 0)
		done++;
	return done;
}

static struct remap_entry vector[REMAP_VECTOR_MAX];

static long remap_vector(size_t n, unsigned long flags)
{
	return syscall(NR_remap_vector, vector, n, flags);
}

#define GUEST 4096ul /* pages of a guest's window, and frames of each of its two address spaces */

/* Entries [first, first + 256) of the window show frames of address space @which. */
static size_t switch_vector(uint8_t *p, size_t first, size_t which)
{
	const size_t n = 256;

	for (size_t i = 0; i < n; i++)
		vector[i] = (struct remap_entry){.addr = (uintptr_t)(p + (first + i) * PAGE),
		                                 .length = PAGE,
		                                 .pgoff = which * GUEST + (first + i) * 2731 % GUEST,
		                                 .prot = (uint32_t)tile_prot(first + i)};
	return n;
}

/* A guest switches between two address spaces, to and fro; all frames are in memory. */
static void guest_switches(void)
{
	int fd = memfd(2 * GUEST, true);
	uint8_t *p = map(GUEST, RW, MAP_SHARED, fd);

	for (size_t k = 0; k < 4; k++)
		for (size_t first = 0; first < GUEST; first += 256) {
			size_t n = switch_vector(p, first, k & 1);
			long failed;

			TIME(failed = remap_vector(n, 0));
			if (failed)
				die("remap_vector");
		}
	report("remap_vector_per_entry", 256);
	munmap(p, GUEST * PAGE);
	close(fd);
}

/* The pages go, the entries stay: the next touch finds in the entry which page it was. */
static void file_entry_faults(uint8_t *p)
{
	for (size_t i = 0; i < 1024; i++) {
		volatile uint8_t *at = p + (i * 3 + 1) * PAGE; /* readable ones */

		if (madvise((void *)at, PAGE, MADV_DONTNEED))
			die("madvise");
		TIME(*at);
	}
	report("file_entry_fault", 1);
}

/* One page of a file, mapped once by an entry off its position among @n such, is taken out of all mappings: by its file
 * offset alone. */
static void reverse_lookup(size_t n)
{
	char name[40];
	int fd = memfd(n, false);
	uint8_t *p = map(n, PROT_READ, MAP_SHARED, fd);

	for (size_t i = 0; i < n;) {
		size_t part = n - i < REMAP_VECTOR_MAX ? n - i : REMAP_VECTOR_MAX;

		for (size_t k = 0; k < part; k++, i++)
			vector[k] = (struct remap_entry){
				.addr = (uintptr_t)(p + i * PAGE), .length = PAGE, .pgoff = n - 1 - i, .prot = PROT_READ};
		if (remap_vector(part, MAP_NONBLOCK))
			die("remap_vector");
	}
	for (size_t k = 0; k < 64; k++) {
		size_t tile = (k * 40503u + 7) % n;
		int failed;

		(void)*(volatile uint8_t *)(p + tile * PAGE);
		TIME(failed =
		         fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)(n - 1 - tile) * (off_t)PAGE, PAGE));
		if (failed)
			die("fallocate");
	}
	snprintf(name, sizeof(name), "reverse_lookup_%zu", n);
	report(name, 1);
	munmap(p, n * PAGE);
	close(fd);
}

void bench_mosaic(void)
{
	struct kmem before, after;
	bool all = kmem_read().free_bytes > (400l << 20);
	int fd = memfd(TILES, all);
	uint8_t *p = map(TILES, RW, MAP_SHARED, fd);
	size_t done;

	for (size_t i = 0; i < 1024 && !all; i++) /* those that are remapped below are in memory in any case */
		if (pwrite(fd, &i, sizeof(i), (off_t)place(i * 61) * (off_t)PAGE) != sizeof(i))
			die("pwrite");
	before = kmem_read();
	done = build_mosaic(p);
	after = kmem_read();
	put("mosaic_pages", "", done, "pages");
	put("mosaic_all_in_memory", "", all, "flag");
	put("mosaic_vmas", "", kmem_maps_lines(p, TILES * PAGE), "vmas");
	mosaic_memory(&before, &after, done);
	if (done < TILES) { /* Linux, at its limit of vmas: make room, or every remap fails */
		done -= 256;
		munmap(p + done * PAGE, 256 * PAGE);
	}
	for (size_t i = 0; i < 1024; i++) { /* another entry comes to show a page that is in memory */
		size_t tile = (i * 97 + 13) % done, pgoff = place(i * 61);
		uint8_t *at = p + tile * PAGE;
		int prot = tile_prot(tile), flags = per_page ? MAP_CHGPROT : 0;
		long failed;

		TIME(failed = syscall(SYS_remap_file_pages, at, PAGE, prot, pgoff, flags));
		if (failed)
			die("remap_file_pages");
	}
	report("remap_resident_page", 1);
	if (per_page) {
		guest_switches();
		file_entry_faults(p);
	}
	for (int i = 0; i < 4; i++) {
		pid_t pid;

		TIME(pid = fork(); if (pid == 0) _exit(0));
		waitpid(pid, NULL, 0);
	}
	report("mosaic_fork_per_page", done);
	TIME(munmap(p, TILES * PAGE));
	report("mosaic_munmap_per_page", done);
	close(fd);
	for (size_t n = 100; per_page && n <= 1000000; n *= 10)
		reverse_lookup(n);
}
