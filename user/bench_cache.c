/*
 * bench_cache.c - file pages and the disk: a cold sequential pass over a mapping, a dirtying pass with msync, write
 * with fsync; anonymous memory out to a swap file and back.  Each pass is over 4 MiB.  Requests are counted by
 * /proc/diskstats; those for the file's data are all but those for the file system's own, which Pteron tells apart (/proc/blockstats; elsewhere all count as data).
 *
 * Under -icount shift=0 one nanosecond is one instruction, so the process's CPU time is what it executed, in the
 * kernel too; waiting for the disk is not in it, nor are interrupts that come meanwhile.  The ticks of a pass include
 * the disk's own time.  The requests are exact.
 */
#define _GNU_SOURCE
#include "user/bench.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGES 1024ul

static void apart_meta(struct disk *d)
{
	unsigned long long requests, sectors;
	FILE *f = fopen("/proc/blockstats", "r");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %*d %llu %llu", &requests, &sectors) == 2) {
			d->meta += requests;
			d->requests -= requests;
			d->sectors -= sectors;
		}
	if (f)
		fclose(f);
}

struct disk disk_now(void)
{
	unsigned long long r, rs, w, ws;
	struct disk d = {0, 0, 0};
	FILE *f = fopen("/proc/diskstats", "r");
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*d %*d %*s %llu %*d %llu %*d %llu %*d %llu", &r, &rs, &w, &ws) == 4) {
			d.requests += r + w;
			d.sectors += rs + ws;
		}
	if (f)
		fclose(f);
	apart_meta(&d);
	return d;
}

struct pass {
	const char *name;
	uint64_t began, cpu;
	struct disk before;
};

static struct pass begin(const char *name)
{
	struct pass p = {.name = name, .before = disk_now()};

	p.cpu = cpu_ns();
	p.began = ticks();
	return p;
}

static void end(struct pass p)
{
	uint64_t took = ticks() - p.began, cpu = cpu_ns() - p.cpu;
	struct disk d = disk_now();

	d.requests -= p.before.requests;
	d.meta -= p.before.meta;
	d.sectors -= p.before.sectors;
	put(p.name, "_per_page", cpu / PAGES, "ns");
	put(p.name, "_elapsed_per_page", took / PAGES, "ticks");
	put(p.name, "_requests", d.requests, "requests");
	put(p.name, "_meta_requests", d.meta, "requests");
	put(p.name, "_request_kib", d.requests ? d.sectors / 2 / d.requests : 0, "KiB");
}

static void drop_caches(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	sync();
	if (fd < 0 || write(fd, "1\n", 2) != 2)
		perror("drop_caches");
	close(fd);
}

static void write_and_sync(int fd, size_t bytes)
{
	static char buf[16 * 1024];

	memset(buf, 'w', sizeof(buf));
	for (size_t i = 0; i < bytes; i += sizeof(buf))
		if (pwrite(fd, buf, sizeof(buf), (off_t)i) != sizeof(buf))
			perror("write");
	fsync(fd);
}

static void write_pass(int fd)
{
	struct pass p = begin("warm");

	write_and_sync(fd, PAGE); /* all that the pass does, so that no page of this program must be read in it */
	if (ftruncate(fd, 0))
		perror("ftruncate");
	p = begin("cache_write_fsync");
	write_and_sync(fd, PAGES * PAGE);
	end(p);
}

static void map_passes(int fd)
{
	volatile uint8_t *m = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct pass p;

	if (m == MAP_FAILED)
		return;
	drop_caches();
	p = begin("cache_map_read");
	for (size_t i = 0; i < PAGES; i++)
		(void)m[i * PAGE];
	end(p);
	p = begin("cache_map_dirty_msync");
	for (size_t i = 0; i < PAGES; i++)
		m[i * PAGE] = (uint8_t)i;
	msync((void *)m, PAGES * PAGE, MS_SYNC);
	end(p);
	p = begin("reclaim_clean"); /* mapped file pages that are as the disk has them */
	madvise((void *)m, PAGES * PAGE, 21 /* MADV_PAGEOUT */);
	end(p);
	munmap((void *)m, PAGES * PAGE);
}

void bench_cache(void)
{
	int fd = disk_file();

	if (fd < 0)
		return;
	write_pass(fd);
	map_passes(fd);
	close(fd);
}

/* -- swapping ---------------------------------------------------------------------------------------------------------- */

static char swap_file[64];

/* A swap file of so many pages is in use. */
static bool swap_begin(unsigned pages)
{
	static uint8_t page[PAGE];
	uint32_t header[3] = {1, pages - 1, 0}; /* as mkswap(8) writes it */
	bool written;
	int fd;

	snprintf(swap_file, sizeof(swap_file), "%s/bench.swap", disk_dir());
	fd = open(swap_file, O_RDWR | O_CREAT | O_TRUNC, 0600);
	written = fd >= 0;
	memcpy(page + 1024, header, sizeof(header));
	memcpy(page + PAGE - 10, "SWAPSPACE2", 10);
	for (unsigned i = 0; written && i < pages; i++) {
		written = write(fd, page, PAGE) == (ssize_t)PAGE;
		memset(page, 0, PAGE);
	}
	if (fd >= 0) {
		fsync(fd);
		close(fd);
	}
	return written && syscall(SYS_swapon, swap_file, 0) == 0;
}

/* 4 MiB out by madvise(2), and in by stores. */
void bench_swap(void)
{
	uint8_t *m;
	struct pass p;

	if (swap_begin(PAGES + 64)) {
		m = map_anon(PAGES);
		memset(m, 's', PAGES * PAGE);
		p = begin("swap_out");
		madvise(m, PAGES * PAGE, 21 /* MADV_PAGEOUT */);
		end(p);
		p = begin("swap_in");
		for (size_t i = 0; i < PAGES; i++)
			m[i * PAGE] = (uint8_t)i;
		end(p);
		munmap(m, PAGES * PAGE);
		syscall(SYS_swapoff, swap_file);
	}
	unlink(swap_file);
}
